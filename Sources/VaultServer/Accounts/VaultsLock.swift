import Glibc
import VaultModel

/// Lets one process, and one task of it, at a time make or remove vaults of a data directory.
struct VaultsLock {
    let directory: LocalPath

    /// - Throws: `unavailable` where another holds the lock for too long.
    func withLock<Value: Sendable>(
        _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        let path = directory.appending("lock")
        let lock = try OpenFile(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        try DataOwner(directory).take(path)
        var waited = 0
        // Waiting in the system call could take the thread that the holder needs to go on.
        while flock(lock.descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw VaultError(system: errno, "lock", path) }
            guard waited < ServerLimits.directoryBusyMilliseconds else {
                throw VaultError(
                    .unavailable, "Another process works on the vaults in '\(directory)' for too long.",
                    path: directory, isRetryable: true)
            }
            waited += 5
            try await mappingErrors { try await Task.sleep(for: .milliseconds(5)) }
        }
        // Said outright, since a child that has been forked and not yet started shares the lock.
        defer { flock(lock.descriptor, LOCK_UN) }
        return try await body()
    }
}
