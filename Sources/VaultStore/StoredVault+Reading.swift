import Synchronization
package import VaultModel

/// An open read as its process knows it.
struct ReadState: Sendable {
    var entry: Entry
    /// Under which the read was opened; nil in a vault that is only read.
    var lease: UniqueID?
    /// The nodes from the root to the chunks last asked for, so that reading on reads no node twice.
    var path: [PlacedNode] = []
}

/// A list node at its place in a file.
struct PlacedNode: Sendable {
    var digest: Digest
    var position: UInt64
    var node: ListNode
}

extension StoredVault {
    package func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead {
        let lease = try await holdLease()
        do throws(VaultError) {
            guard let entry = try await stat(name, selector) else { throw .absent(name, selector) }
            let id = ReadID(UniqueID())
            reads.withLock { $0[id] = ReadState(entry: entry, lease: lease) }
            return OpenRead(id: id, entry: entry)
        } catch {
            await releaseLease(lease)
            throw error
        }
    }

    package func read(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        try await read(reads, verifying: true)
    }

    package func closeRead(_ read: ReadID) async {
        if let state = reads.withLock({ $0.removeValue(forKey: read) }) { await releaseLease(state.lease) }
    }

    package func stat(_ name: Name, _ selector: Selector) async throws(VaultError) -> Entry? {
        try await catalog.stat(name, try await placed(selector))
    }

    package func history(_ name: Name) async throws(VaultError) -> [Entry] {
        var entries: [Entry] = []
        while true {
            let page = try await history(name, after: entries.last?.sequence ?? 0)
            entries += page.entries
            if page.isLast { return entries }
        }
    }

    /// A page of the versions of a name; see ``Catalog/history(_:after:)``.
    package func history(_ name: Name, after sequence: UInt64) async throws(VaultError) -> VersionPage {
        try await catalog.history(name, after: sequence)
    }

    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        var query = query
        query.selector = try await placed(query.selector)
        return try await catalog.list(query)
    }

    /// The selector with a time replaced by the sequence of the state at that time.
    func placed(_ selector: Selector) async throws(VaultError) -> Selector {
        guard case .time(let time) = selector else { return selector }
        return .sequence(try await catalog.lastSequence(at: time, now: clock()))
    }

    var recordReader: RecordReader {
        RecordReader(vault: id, catalog: catalog, packs: packs, cache: cache)
    }
}
