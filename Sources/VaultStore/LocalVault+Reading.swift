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

extension LocalVault {
    package func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead {
        let lease = try await holdLease()
        do throws(VaultError) {
            guard let entry = try await catalog.stat(name, selector) else {
                throw VaultError(.notFound, "The vault holds nothing under '\(name)'\(selector.phrase).", name: name)
            }
            let id = ReadID(UniqueID())
            reads.withLock { $0[id] = ReadState(entry: entry, lease: lease) }
            return OpenRead(id: id, entry: entry)
        } catch {
            await releaseLease(lease)
            throw error
        }
    }

    package func closeRead(_ read: ReadID) async {
        if let state = reads.withLock({ $0.removeValue(forKey: read) }) { await releaseLease(state.lease) }
    }

    package func layout(
        _ read: ReadID, from position: UInt64, count: Int
    ) async throws(VaultError) -> [PlacedChunk] {
        guard var state = reads.withLock({ $0[read] }) else {
            throw VaultError(.notFound, "There is no such open read.")
        }
        try await renewLease(state.lease)
        let content = state.entry.content
        guard position < content.size else { return [] }
        if content.depth == 0 {
            let reference = ChunkReference(digest: content.root, span: content.size)
            return [PlacedChunk(position: 0, reference: reference)]
        }
        do {
            state.path = try await descend(content, to: position, along: state.path)
        } catch {
            throw error.about(state.entry.name)
        }
        let path = state.path
        reads.withLock { $0[read]?.path = path }
        guard let leaf = path.last else { return [] }
        var chunks: [PlacedChunk] = []
        var start = leaf.position
        for reference in leaf.node.references {
            if start + reference.span > position, chunks.count < count {
                chunks.append(PlacedChunk(position: start, reference: reference))
            }
            start += reference.span
        }
        return chunks
    }

    package func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        guard let state = reads.withLock({ $0[read] }) else {
            throw VaultError(.notFound, "There is no such open read.")
        }
        try await renewLease(state.lease)
        do {
            return try await recordReader.chunks(chunks.map(\.reference))
        } catch {
            throw error.about(state.entry.name)
        }
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
        RecordReader(vault: id, catalog: catalog, packs: packs)
    }

    /// The nodes from the root to the one that names the chunk at `position`.
    private func descend(
        _ content: Content, to position: UInt64, along known: [PlacedNode]
    ) async throws(VaultError) -> [PlacedNode] {
        var path: [PlacedNode] = []
        var (digest, start, span) = (content.root, UInt64(0), content.size)
        for level in (1...content.depth).reversed() {
            let index = path.count
            let node: ListNode
            if index < known.count, known[index].digest == digest, known[index].position == start {
                node = known[index].node
            } else {
                node = try await recordReader.node(digest)
            }
            guard node.level == level, node.span == span else {
                throw VaultError(.integrity, "A list node does not fit the file that it is part of.")
            }
            path.append(PlacedNode(digest: digest, position: start, node: node))
            guard
                let next = node.references.first(where: { reference in
                    if start + reference.span > position { return true }
                    start += reference.span
                    return false
                })
            else {
                throw VaultError(.integrity, "A list node ends before its file does.")
            }
            (digest, span) = (next.digest, next.span)
        }
        return path
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
