import Glibc
import VaultModel

/// Disk space that a file takes up, so that a full disk can still be emptied.
struct DiskReserve: Sendable {
    private let path: LocalPath

    init(_ path: LocalPath) {
        self.path = path
    }

    /// Fills the reserve up where the disk has the room.
    func fill() {
        guard let file = try? OpenFile(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600) else { return }
        if let size = try? file.status.size, size >= UInt64(StoreLimits.reserveBytes) { return }
        // Half a reserve is as good as none: what could not be had is given back.
        if posix_fallocate(file.descriptor, 0, off_t(StoreLimits.reserveBytes)) != 0 { ftruncate(file.descriptor, 0) }
    }

    /// Runs a change that makes room in the end; on a full disk again, with the reserve given up.
    func duringChange<Value: Sendable>(
        _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        do {
            return try await body()
        } catch  where error.code == .quota {
            guard let file = try? OpenFile(path, flags: O_RDWR | O_NOFOLLOW),
                let size = try? file.status.size, size > 0, ftruncate(file.descriptor, 0) == 0
            else { throw error }
            defer { fill() }
            return try await body()
        }
    }
}
