/// The entries of a listing, one page in memory at a time.
///
/// Whoever turns names into local paths relies on what this checks: a vault far away may list anything.
package struct EntryStream: Sendable {
    private let vault: any Vault
    private let prefix: NamePrefix
    private let includesVersions: Bool
    private var query: ListQuery?
    private var page: [Entry] = []
    private var index = 0
    private var last: (name: Name, sequence: UInt64)?
    private var emptyPages = 0
    private static let emptyPagesMax = 100_000

    package init(_ vault: any Vault, _ query: ListQuery) {
        self.vault = vault
        self.query = query
        prefix = query.prefix
        includesVersions = query.includesVersions
    }

    /// The next entry of the page in memory; nil where another page must be read.
    package mutating func nextAtHand() -> Entry? {
        guard index < page.count else { return nil }
        defer { index += 1 }
        return page[index]
    }

    /// The next entry; nil behind the last.
    ///
    /// - Throws: `integrity` for an entry outside the prefix or out of order, and what the listing throws.
    package mutating func next() async throws(VaultError) -> Entry? {
        while index == page.count {
            guard let query else { return nil }
            let next = try await vault.list(query)
            page = next.entries
            // A filter may leave a page without entries; a vault that is made up could go on so for ever.
            emptyPages = page.isEmpty ? emptyPages + 1 : 0
            if emptyPages > EntryStream.emptyPagesMax {
                throw VaultError(.integrity, "The vault's listing does not come to its end.")
            }
            self.query = next.next
            self.query?.limit = min(2 * query.limit, max(query.limit, Limits.pageEntriesMax))
            index = 0
        }
        let entry = page[index]
        index += 1
        let isInOrder =
            last.map { last in
                last.name < entry.name
                    || (includesVersions && last.name == entry.name && last.sequence < entry.sequence)
            } ?? true
        guard isInOrder, prefix.contains(entry.name) else {
            throw VaultError(.integrity, "The vault lists '\(entry.name)' where it does not belong.", name: entry.name)
        }
        last = (entry.name, entry.sequence)
        return entry
    }
}
