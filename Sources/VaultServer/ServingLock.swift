import Glibc
import VaultModel
import VaultStore

/// The right to serve a data directory, which one process at a time has: each event is told, and each schedule run, by one.
final class ServingLock: Sendable {
    private let file: OpenFile

    /// - Throws: `unavailable` while another server has it.
    init(_ data: LocalPath) throws(VaultError) {
        let path = data.appending("serving.lock")
        file = try OpenFile(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        try DataOwner(data).take(path)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw VaultError(
                .unavailable,
                "Another server serves '\(data)': stop it first. Many servers at once need --catalog and --packs.",
                path: data, isRetryable: true)
        }
    }

    deinit {
        // Said outright, since a child that has been forked and not yet started shares the lock.
        flock(file.descriptor, LOCK_UN)
    }
}
