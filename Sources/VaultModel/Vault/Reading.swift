/// Which state of a name or vault is meant.
package enum Selector: Hashable, Sendable {
    case current
    case version(UInt64)
    /// The state after all that was committed up to this second since 1970 UTC.
    case time(Int64)
    /// The state after the change with this sequence.
    case sequence(UInt64)
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
    package var tags: [String: String]
    /// The listing starts behind this name.
    package var after: Name?
    /// Entries on the page, at most.
    package var limit: Int

    package init(
        prefix: NamePrefix = .all, selector: Selector = .current, includesVersions: Bool = false,
        tags: [String: String] = [:], after: Name? = nil, limit: Int = Limits.pageEntries
    ) {
        self.prefix = prefix
        self.selector = selector
        self.includesVersions = includesVersions
        self.tags = tags
        self.after = after
        self.limit = limit
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
