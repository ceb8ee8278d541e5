/// The entries of a listing, one page in memory at a time.
package struct EntryStream: Sendable {
    private let vault: any Vault
    private var query: ListQuery?
    private var page: [Entry] = []
    private var index = 0

    package init(_ vault: any Vault, _ query: ListQuery) {
        self.vault = vault
        self.query = query
    }

    /// The next entry of the page in memory; nil where another page must be read.
    package mutating func nextAtHand() -> Entry? {
        guard index < page.count else { return nil }
        defer { index += 1 }
        return page[index]
    }

    /// The next entry; nil behind the last.
    package mutating func next() async throws(VaultError) -> Entry? {
        while index == page.count {
            guard let query else { return nil }
            let next = try await vault.list(query)
            page = next.entries
            self.query = next.next
            index = 0
        }
        defer { index += 1 }
        return page[index]
    }
}
