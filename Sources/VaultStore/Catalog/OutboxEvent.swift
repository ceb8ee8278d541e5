package import VaultModel

/// Something that happened in a vault and that hooks are to be told, written down with the change itself.
package struct OutboxEvent: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        case save, read, remove, rename
    }

    /// The same at each attempt to tell of it.
    package var id: UniqueID
    package var kind: Kind
    package var name: Name
    /// Of a rename: the name before.
    package var formerName: Name?
    /// The version that came to be or was read; of a rename, the one that moved.
    package var version: UInt64
    package var user: String
    package var peer: String
    /// Seconds since 1970 UTC.
    package var time: Int64
    /// How many hooks stand one behind another between somebody's request and this; 0 for the request itself.
    package var depth: Int

    package init(
        id: UniqueID = UniqueID(), kind: Kind, name: Name, formerName: Name? = nil, version: UInt64, user: String,
        peer: String, time: Int64, depth: Int
    ) {
        self.id = id
        self.kind = kind
        self.name = name
        self.formerName = formerName
        self.version = version
        self.user = user
        self.peer = peer
        self.time = time
        self.depth = depth
    }
}

/// An event with where it stands in the outbox.
package struct OutboxRecord: Sendable, Equatable {
    /// Grows with the order in which things happened.
    package var number: UInt64
    package var event: OutboxEvent
    /// Attempts that have failed.
    package var failures: Int
    /// Not to be told before: milliseconds since 1970 UTC.
    package var due: Int64
    /// Why the last attempt failed.
    package var error: String?
    package var traceback: String?

    package init(
        number: UInt64, event: OutboxEvent, failures: Int, due: Int64, error: String? = nil, traceback: String? = nil
    ) {
        self.number = number
        self.event = event
        self.failures = failures
        self.due = due
        self.error = error
        self.traceback = traceback
    }
}

/// What became of an attempt to tell of an event.
package enum OutboxOutcome: Sendable {
    /// It was told: the outbox forgets it.
    case told(UInt64)
    /// It is told again.
    case again(UInt64, due: Int64, error: String, traceback: String?)
    /// It is set aside: only ``StoredVault/retryFailed(_:)`` brings it back.
    case failed(UInt64, error: String, traceback: String?)
    /// There was no attempt: it is told later.
    case later(UInt64, due: Int64)
}

/// Which events of a caller's changes hooks are to be told.
package struct Telling: Sendable {
    package var wants: @Sendable (OutboxEvent.Kind, Name) -> Bool
    package var depth: Int

    package init(depth: Int, wants: @escaping @Sendable (OutboxEvent.Kind, Name) -> Bool) {
        self.wants = wants
        self.depth = depth
    }
}
