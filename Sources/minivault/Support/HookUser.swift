import CProcess
import Glibc
import Synchronization
import VaultModel

/// A user of the machine that nobody else is: a worker of hooks runs as one, and is a stranger to the server's files, to other
/// workers, and to all else on the machine.
final class HookUser: Sendable {
    /// Numbers that neither accounts nor systemd have by the usual rules: from 60,800 to 61,055. Those that an account has
    /// all the same are left out.
    static let numbers: ClosedRange<uid_t> = 60_800...61_055

    /// The number of the user, and of its group.
    let id: uid_t
    /// Keeps the number from other servers on the machine.
    private let lock: OpenFile

    private init(_ id: uid_t, _ lock: OpenFile) {
        self.id = id
        self.lock = lock
    }

    /// Whether this process may start others as other users: it is root, and no container has taken that from it.
    static var isPossible: Bool { cprocess_can_give_identities() != 0 && isMapped }

    /// In a user namespace some numbers may be no users.
    private static var isMapped: Bool {
        guard let text = try? SmallFile.read(LocalPath("/proc/self/uid_map"), bytesMax: 1 << 16) else { return true }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").contains { line in
            let fields = line.split(separator: " ").compactMap { UInt64($0) }
            return fields.count == 3 && fields[0] <= UInt64(numbers.lowerBound)
                && UInt64(numbers.upperBound) < fields[0] + fields[2]
        }
    }

    /// Takes a user that is free, until the last reference goes.
    ///
    /// - Parameter directory: beside which the locks are where the machine's own directory for them cannot be made.
    /// - Throws: `unavailable` where there is none.
    static func take(besides directory: LocalPath) throws(VaultError) -> HookUser {
        let locks = try lockDirectory(else: directory)
        let count = numbers.count
        let start = next.wrappingAdd(1, ordering: .relaxed).newValue
        for offset in 0..<count {
            let id = numbers.lowerBound + uid_t((start &+ offset) % count)
            if hasAccount(id) { continue }
            let path = locks.appending("\(id)")
            let file = try OpenFile(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            if flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 { return HookUser(id, file) }
        }
        throw VaultError(
            .unavailable,
            "No user is free for a worker of hooks: all of \(numbers.lowerBound) to \(numbers.upperBound) are taken.",
            isRetryable: true)
    }

    private static let next = Atomic<Int>(0)
    private static let shared = LocalPath("/run/minivault-hook-users")

    private static func lockDirectory(else directory: LocalPath) throws(VaultError) -> LocalPath {
        if (try? SmallFile.makeDirectory(shared)) != nil,
            let status = try? FileStatus(of: shared), status.kind == .directory
        {
            return shared
        }
        let own = LocalPath(directory.bytes + Array(".users".utf8))
        try SmallFile.makeDirectory(own)
        return own
    }

    private static func hasAccount(_ id: uid_t) -> Bool {
        var (user, group) = (passwd(), Glibc.group())
        var (foundUser, foundGroup): (UnsafeMutablePointer<passwd>?, UnsafeMutablePointer<Glibc.group>?)
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        getpwuid_r(id, &user, &buffer, buffer.count, &foundUser)
        getgrgid_r(id, &group, &buffer, buffer.count, &foundGroup)
        return foundUser != nil || foundGroup != nil
    }
}
