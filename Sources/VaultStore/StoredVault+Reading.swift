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
            guard let entry = try await catalog.stat(name, selector) else { throw .absent(name, selector) }
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
        try await catalog.stat(name, selector)
    }

    package func history(_ name: Name) async throws(VaultError) -> [Entry] {
        try await catalog.history(name)
    }

    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        try await catalog.list(query)
    }

    var recordReader: RecordReader {
        RecordReader(vault: id, catalog: catalog, packs: packs, cache: cache)
    }
}

extension VaultError {
    static func absent(_ name: Name, _ selector: Selector) -> VaultError {
        VaultError(.notFound, "The vault holds nothing under '\(name)'\(selector.phrase).", name: name)
    }
}

extension Selector {
    fileprivate var phrase: String {
        switch self {
        case .current: ""
        case .version(let number): " at version \(number)"
        case .time(let time): " at time \(time)"
        case .sequence(let sequence): " at sequence \(sequence)"
        }
    }
}
