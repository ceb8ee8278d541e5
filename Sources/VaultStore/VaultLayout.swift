import Glibc
import Synchronization
import VaultModel

/// Where the parts of a vault are in its directory.
struct VaultLayout: Sendable {
    let directory: LocalPath

    init(_ directory: LocalPath) {
        self.directory = directory
    }

    var catalog: LocalPath { directory.appending("catalog.sqlite") }
    var packs: LocalPath { directory.appending("packs") }
    /// Held shared by every user of the vault, alone by a repair.
    var lock: LocalPath { directory.appending("lock") }
    /// Takes up the space that is kept for removing and collecting on a full disk.
    var reserve: LocalPath { directory.appending("reserve") }

    enum State {
        case absent
        case vault
        case packsOnly
        case other
    }

    var state: State {
        get throws(VaultError) {
            if exists(catalog) { return .vault }
            let names: [[UInt8]]
            do {
                names = try DirectoryListing(directory).names
            } catch  where error.code == .notFound {
                guard exists(directory) else { return .absent }
                if try FileStatus(of: directory, followsLinks: true).kind != .directory {
                    throw VaultError(.invalid, "'\(directory)' is no directory, and so no vault.", path: directory)
                }
                // Another process has made it just now.
                return try self.state
            }
            // Another process may have made it since the first look.
            if names.contains(Array(catalog.lastComponent)) { return .vault }
            if try hasPacks { return .packsOnly }
            // What an interrupted creation leaves.
            let own: Set<[UInt8]> = Set(["packs", "lock", "reserve"].map { Array($0.utf8) })
            return names.allSatisfy(own.contains) ? .absent : .other
        }
    }

    /// Whether anything has been stored: if not, a catalog without tables is what an interrupted
    /// creation leaves, not damage.
    var hasPacks: Bool {
        get throws(VaultError) { exists(packs) ? try !DirectoryListing(packs).names.isEmpty : false }
    }

    func make(_ files: any StoreFiles) throws(VaultError) {
        var missing = [directory]
        while let last = missing.last, !exists(last.parent) { missing.append(last.parent) }
        for directory in missing.reversed() { try files.makeDirectory(directory) }
        try files.makeDirectory(packs)
    }

    private func exists(_ path: LocalPath) -> Bool {
        path.withCString { access($0, F_OK) == 0 }
    }
}

/// This process's use of a vault, which a repair waits for, and which waits for a repair.
final class VaultUse: Sendable {
    private let file: Mutex<OpenFile?>

    /// - Throws: `unavailable` for an exclusive use while others use the vault.
    init(_ lock: LocalPath, isExclusive: Bool, isReadOnly: Bool) throws(VaultError) {
        let opened: OpenFile
        do {
            opened = try OpenFile(lock, flags: (isReadOnly ? O_RDONLY : O_RDWR | O_CREAT) | O_NOFOLLOW, mode: 0o600)
            if !isReadOnly { DataOwner.inherit(lock) }
        } catch  where isReadOnly {
            // A vault on a read-only medium may lack the file, and nobody can repair it there.
            file = Mutex(nil)
            return
        }
        if isExclusive {
            guard flock(opened.descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw VaultError(
                    .unavailable, "The vault is in use: end the other programs that use it and try again.",
                    path: lock, isRetryable: true)
            }
        } else {
            try retrying("lock", lock) { flock(opened.descriptor, LOCK_SH) }
        }
        file = Mutex(opened)
    }

    func end() {
        file.withLock { file in
            // Said outright, since a child that has been forked and not yet started shares the lock.
            if let file { flock(file.descriptor, LOCK_UN) }
            file = nil
        }
    }
}
