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
    /// Files that kept changing while they were read, and were saved as they were read last.
    package var changed = 0
    /// Files and directories whose mode or time the file system refused to set.
    package var unset = 0
    /// Patterns that matched nothing in the whole run, as they were given.
    package var unmatched: [[UInt8]] = []

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

    /// The sentence that warns of files whose mode or time could not be set.
    package static func unsetText(_ count: Int) -> String {
        count == 1
            ? "The mode or the time of 1 file could not be set here; its content is whole."
            : "The modes or times of \(count) files could not be set here; their content is whole."
    }

    /// The sentence that tells of files that kept changing.
    package static func changedText(_ count: Int) -> String {
        count == 1
            ? "1 file changed while it was read, and is saved as it was read: its version has the tag changed=while-read."
            : "\(count) files changed while they were read, and are saved as they were read: their versions have the tag "
                + "changed=while-read."
    }
}

/// A step of a push or pull, told when it is done and durable; in a dry run, when it would be.
package enum TreeEvent: Sendable {
    case saved(LocalPath, SaveOutcome)
    case wouldSave(LocalPath, Name)
    case wouldWrite(LocalPath, Entry)
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
    /// For a push: whether a file that keeps changing while it is read fails, and is not saved as it was read.
    package var isStrict = false
    /// Batches and larger files in flight.
    package var concurrency = Limits.jobsInFlight
    /// For a pull: which state to restore, and whether files may be replaced.
    package var selector = Selector.current
    package var overwrites = true
    package var tags: [TagText: TagText] = [:]

    package init() {}
}
