/// What a save is going to save, before its content is known.
package struct SaveIntent: Sendable {
    package var name: Name
    package var kind: Entry.Kind
    package var attributes: Attributes
    /// Tags to set; the others of the current version stay.
    package var tags: [TagText: TagText]
    /// The version that must be the current one; 0 for a name that must hold nothing.
    package var ifVersion: UInt64?
    /// Whether the file kept changing while it was read: the version is marked by the tag ``TagText/changed``, and
    /// nothing about it is trusted later.
    package var changedWhileRead = false

    package init(
        name: Name, kind: Entry.Kind = .file, attributes: Attributes, tags: [TagText: TagText] = [:],
        ifVersion: UInt64? = nil
    ) {
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.tags = tags
        self.ifVersion = ifVersion
    }
}

extension SaveIntent {
    /// Bytes of memory that the intent takes, about.
    package var memoryBytes: Int { 256 + name.bytes.count + tags.memoryBytes }

    /// The tags to set, with the mark of a file that kept changing.
    package var versionTags: [TagText: TagText] {
        changedWhileRead ? tags.merging([.changed: .whileRead]) { $1 } : tags
    }
}

/// A save whose whole content is at hand: at most one chunk.
package struct SmallSave: Sendable {
    package var intent: SaveIntent
    /// Nil for no content.
    package var chunk: Chunk?

    package init(intent: SaveIntent, chunk: Chunk?) {
        self.intent = intent
        self.chunk = chunk
    }

    package var content: Content { chunk.map { Content($0.reference) } ?? .empty }
}

/// What a commit made of a save.
package struct SaveOutcome: Sendable {
    /// The current entry after the save.
    package var entry: Entry
    /// Whether the save added a version; false where it equals the version that was current.
    package var isCreated: Bool
    /// Bytes of content that the vault did not have before.
    package var newBytes: UInt64

    /// Whether the vault has said more than that the save is done: who may not read a name learns nothing of what became of
    /// it there. The entry has what was asked for then, and nothing else.
    package var isTold: Bool { entry.version > 0 }

    package init(entry: Entry, isCreated: Bool, newBytes: UInt64) {
        self.entry = entry
        self.isCreated = isCreated
        self.newBytes = newBytes
    }
}

/// A change of names or versions that brings no content.
package enum Change: Sendable {
    /// Removes a name, or all names under a prefix. Removing what holds nothing is `notFound`.
    case remove(NamePrefix, ifVersion: UInt64? = nil)
    /// Moves a name, or a prefix and all below it, with its history.
    case rename(from: Name, to: Name)
    /// Gives a name, or a prefix and all below it, a second name whose history starts afresh.
    case copy(from: Name, to: Name)
    /// Adds a version that equals an earlier one.
    case revert(Name, version: UInt64)
    /// Adds a version with other tags; nil takes a tag away.
    case tag(Name, [TagText: TagText?])
}

/// What a change did.
package struct ChangeOutcome: Sendable {
    /// The names that were changed.
    package var count: Int
    /// The entry after the change, where it is about one name.
    package var entry: Entry?

    package init(count: Int, entry: Entry?) {
        self.count = count
        self.entry = entry
    }
}
