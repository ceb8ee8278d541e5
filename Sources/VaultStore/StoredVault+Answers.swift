package import VaultModel

/// What a commit was answered.
package enum CommitAnswer: Sendable {
    case saved(SaveOutcome)
    /// Chunks were collected under the upload: it must be tried again.
    case again

    /// As ``Vault/commit(_:content:)`` returns it.
    package var outcome: SaveOutcome? {
        switch self {
        case .saved(let outcome): outcome
        case .again: nil
        }
    }
}

extension StoredVault {
    /// What the commit of an upload was answered that is over, so that it can be answered again: its
    /// answer was lost, and the process may have been another one.
    ///
    /// - Parameters:
    ///   - change: the id that the commit was named by.
    ///   - user: whose commit it was.
    ///   - content: what the repeated commit says the content is.
    /// - Returns: nil where no such commit is known, or no longer.
    /// - Throws: the error that the commit was answered with; `invalid` where the id named something else.
    package func answer(
        toCommit change: UniqueID, of user: String, content: Content
    ) async throws(VaultError) -> CommitAnswer? {
        guard let answer = try await catalog.answer(toCommit: change, of: user) else { return nil }
        switch try answer.get() {
        case .saved(let outcome) where outcome.entry.content == content: return .saved(outcome)
        case .collected: return .again
        case .saved, .changed: throw .usedTwice(change)
        }
    }
}

extension VaultError {
    /// For an id of a change by which another change has been named before.
    static func usedTwice(_ change: UniqueID) -> VaultError {
        VaultError(.invalid, "The change id \(change) has named another change before.")
    }
}
