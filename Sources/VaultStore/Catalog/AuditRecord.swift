package import VaultModel

/// One request over the network that changed the vault.
package struct AuditRecord: Sendable, Equatable {
    package enum Action: String, Sendable {
        case save, remove, rename, copy, revert, tag, keep
    }

    /// The sequences of its changes.
    package var sequences: ClosedRange<UInt64>
    /// Seconds since 1970 UTC.
    package var time: Int64
    package var user: String
    /// The address that the request came from.
    package var peer: String
    package var action: Action
    /// The first name that was changed; for changes below a prefix, the prefix. Nil for the whole vault.
    package var name: Name?
    /// Names that were changed.
    package var count: Int

    package init(
        sequences: ClosedRange<UInt64>, time: Int64, user: String, peer: String, action: Action, name: Name?, count: Int
    ) {
        self.sequences = sequences
        self.time = time
        self.user = user
        self.peer = peer
        self.action = action
        self.name = name
        self.count = count
    }
}

extension CommitRequest {
    /// What the audit calls the request, and the name that it is about.
    var audited: (action: AuditRecord.Action, name: Name?) {
        switch self {
        case .save(let save): (.save, save.intent.name)
        case .change(.remove(let prefix, _)): (.remove, prefix.top)
        case .change(.rename(let from, _)): (.rename, from)
        case .change(.copy(_, let to)): (.copy, to)
        case .change(.revert(let name, _)): (.revert, name)
        case .change(.tag(let name, _)): (.tag, name)
        case .drop(_, let name, _, _): (.keep, name)
        }
    }
}

extension CommitResult {
    /// Names that were changed.
    var changedNames: Int {
        switch self {
        case .saved(let outcome): outcome.isCreated ? 1 : 0
        case .changed(let outcome): outcome.count
        case .collected: 0
        }
    }
}
