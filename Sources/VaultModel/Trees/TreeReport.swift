/// What a push or pull did.
package struct TreeReport: Sendable {
    /// Files, links and empty directories that were written.
    package var saved = 0
    /// Those that were the same already, and those that are of no kind that is kept.
    package var skipped = 0
    package var removed = 0
    /// Bytes of what was written.
    package var bytes: UInt64 = 0
    /// Bytes that the receiver did not have before.
    package var newBytes: UInt64 = 0
    package var failed: [Failure] = []

    /// A file that could not be dealt with.
    package struct Failure: Sendable {
        package var path: LocalPath
        package var error: VaultError

        package init(path: LocalPath, error: VaultError) {
            self.path = path
            self.error = error
        }
    }

    package init() {}
}

/// A step of a push or pull, told when it is done and durable; in a dry run, when it would be.
package enum TreeEvent: Sendable {
    case saved(LocalPath, SaveOutcome)
    /// What a dry run would save or write.
    case wouldSave(LocalPath, Name)
    case wrote(LocalPath, Entry)
    case removed(Name)
    case removedLocal(LocalPath)
    case skipped(LocalPath, reason: String)
    case failed(LocalPath, VaultError)
}

/// The choices that push, pull and compare share.
package struct TreeOptions: Sendable {
    package var filter = TreeFilter.everything
    /// Whether to remove what the other side does not have.
    package var deletes = false
    /// The most names to remove; more is an error before any removal.
    package var deleteMax: Int?
    /// Whether to read all content instead of trusting sizes and times.
    package var checksum = false
    package var isDryRun = false
    /// Batches and larger files in flight.
    package var concurrency = Limits.jobsInFlight
    /// For a pull: which state to restore, and whether files may be replaced.
    package var selector = Selector.current
    package var overwrites = true
    package var tags: [String: String] = [:]

    package init() {}
}
