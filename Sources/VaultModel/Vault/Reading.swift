/// Which state of a name or vault is meant.
package enum Selector: Hashable, Sendable {
    case current
    case version(UInt64)
    /// The state after all that was committed up to this second since 1970 UTC.
    case time(Int64)
    /// The state after the change with this sequence.
    case sequence(UInt64)

    fileprivate var phrase: String {
        switch self {
        case .current: ""
        case .version(let number): " at version \(number)"
        case .time(let time): " at \(TimeText.utc(time))"
        case .sequence(let sequence): " at sequence \(sequence)"
        }
    }
}

extension VaultError {
    /// The failure to find a name in the state that was asked for.
    package static func absent(_ name: Name, _ selector: Selector) -> VaultError {
        VaultError(.notFound, "The vault holds nothing under '\(name)'\(selector.phrase).", name: name)
    }
}

/// What an open read gives.
package struct OpenRead: Sendable {
    package var id: ReadID
    package var entry: Entry

    package init(id: ReadID, entry: Entry) {
        self.id = id
        self.entry = entry
    }
}

/// Which entries a listing gives, and where its next page starts.
package struct ListQuery: Sendable {
    package var prefix: NamePrefix
    /// The snapshot; a query for the current state is pinned by its first page.
    package var selector: Selector
    /// Whether all versions are listed, removals included, and not only what names hold.
    package var includesVersions: Bool
    /// Tags that an entry must have.
    package var tags: [TagText: TagText]
    /// The listing starts behind this name.
    package var after: Name?
    /// With versions: the listing starts with those of the name ``after`` itself that have greater sequence numbers.
    package var afterSequence: UInt64?
    /// Entries on the page, about: a page ends sooner where its entries are long.
    package var limit: Int

    package init(
        prefix: NamePrefix = .all, selector: Selector = .current, includesVersions: Bool = false,
        tags: [TagText: TagText] = [:], after: Name? = nil, afterSequence: UInt64? = nil,
        limit: Int = Limits.pageEntries
    ) {
        self.prefix = prefix
        self.selector = selector
        self.includesVersions = includesVersions
        self.tags = tags
        self.after = after
        self.afterSequence = afterSequence
        self.limit = limit
    }

    /// The query for what is behind an entry.
    package func behind(_ entry: Entry) -> ListQuery {
        var next = self
        next.after = entry.name
        next.afterSequence = includesVersions ? entry.sequence : nil
        return next
    }
}

/// A file of at most one chunk, a link or an empty directory to be read, as a listing gave it.
package struct SmallRead: Sendable {
    package var name: Name
    package var selector: Selector
    /// Bytes of content, ``Limits/smallFileBytesMax`` at most.
    package var length: Int

    package init(name: Name, selector: Selector, length: Int) {
        self.name = name
        self.selector = selector
        self.length = length
    }
}

/// What a small read gives: the entry and its whole content.
package struct SmallContent: Sendable {
    package var entry: Entry
    /// Nil for no content.
    package var chunk: Chunk?

    package init(entry: Entry, chunk: Chunk?) {
        self.entry = entry
        self.chunk = chunk
    }
}

extension Entry {
    /// Whether the entry can be read with others, in a ``SmallRead``.
    package var isSmall: Bool {
        kind != .removed && content.depth == 0 && size <= UInt64(Limits.smallFileBytesMax)
    }
}

/// A page of the versions of a name.
package struct VersionPage: Sendable {
    /// The oldest first.
    package var entries: [Entry]
    /// Whether no newer versions follow.
    package var isLast: Bool

    package init(entries: [Entry], isLast: Bool) {
        self.entries = entries
        self.isLast = isLast
    }
}

/// A page of a listing.
package struct ListPage: Sendable {
    package var entries: [Entry]
    /// The query for the next page of the same snapshot; nil behind the last.
    package var next: ListQuery?

    package init(entries: [Entry], next: ListQuery?) {
        self.entries = entries
        self.next = next
    }
}
