import Synchronization
package import VaultModel

extension StoredVault {
    package func layout(
        _ read: ReadID, from position: UInt64, count: Int
    ) async throws(VaultError) -> [PlacedChunk] {
        let state = try await state(of: read)
        let content = state.entry.content
        guard position < content.size else { return [] }
        do {
            let leaf = try await leaf(of: content, at: position, along: state.path)
            remember(leaf.path, of: read)
            var chunks: [PlacedChunk] = []
            var start = leaf.position
            for reference in leaf.references {
                if start + reference.span > position, chunks.count < count {
                    chunks.append(PlacedChunk(position: start, reference: reference))
                }
                start += reference.span
            }
            return chunks
        } catch {
            throw error.about(state.entry)
        }
    }

    package func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        try await fetch(chunks, of: read, verifying: true)
    }

    /// See ``Vault/fetch(_:of:)``.
    ///
    /// - Parameter verifying: whether the bytes are compared with their digests here, and not by who
    ///   receives them.
    package func fetch(
        _ chunks: [PlacedChunk], of read: ReadID, verifying: Bool
    ) async throws(VaultError) -> [Chunk] {
        let state = try await state(of: read)
        do {
            return try await recordReader.chunks(chunks.map(\.reference), verifying: verifying)
        } catch {
            throw error.about(state.entry)
        }
    }

    /// The chunks of an open read that start at `positions`, in that order: who may read a file names
    /// no digests, so that a digest gives nobody a chunk of another file.
    ///
    /// - Parameter positions: 256 at most, of 16 MiB together; ascending ones are found fastest.
    /// - Throws: `invalid` for too many, and where no chunk starts at one of them.
    package func fetch(
        positions: [UInt64], of read: ReadID, verifying: Bool
    ) async throws(VaultError) -> [Chunk] {
        let state = try await state(of: read)
        do {
            let (references, next) = try await references(at: positions, of: read, state)
            guard isShared, !verifying else { return try await recordReader.chunks(references, verifying: verifying) }
            let reader = recordReader
            ahead.begin(next) { (next) throws(VaultError) in try await reader.chunks(next, verifying: false) }
            return try await taking(references)
        } catch {
            throw error.about(state.entry)
        }
    }

    /// Chunks of which some are on their way already.
    private func taking(_ references: [ChunkReference]) async throws(VaultError) -> [Chunk] {
        var found: [Digest: Chunk] = [:]
        for reference in references { found[reference.digest] = await ahead.take(reference) }
        let missing = references.filter { found[$0.digest] == nil }
        if !missing.isEmpty {
            for chunk in try await recordReader.chunks(missing, verifying: false) { found[chunk.digest] = chunk }
        }
        return references.compactMap { found[$0.digest] }
    }

    /// - Returns: the chunks that start there, and those that follow in the same list node.
    private func references(
        at positions: [UInt64], of read: ReadID, _ state: ReadState
    ) async throws(VaultError) -> (asked: [ChunkReference], next: [ChunkReference]) {
        guard positions.count <= StoreLimits.fetchPositionsMax else {
            throw VaultError(
                .invalid,
                "\(positions.count) chunks are fetched at once: \(StoreLimits.fetchPositionsMax) are allowed.")
        }
        var references: [ChunkReference] = []
        var bytes: UInt64 = 0
        var leaf = Leaf(path: state.path, position: 0, references: [])
        for position in positions {
            if !leaf.advance(to: position) {
                guard position < state.entry.size else { throw noChunk(at: position) }
                leaf = try await self.leaf(of: state.entry.content, at: position, along: leaf.path)
                _ = leaf.advance(to: position)
            }
            guard let reference = leaf.references.first, leaf.position == position else {
                throw noChunk(at: position)
            }
            bytes += reference.span
            guard bytes <= StoreLimits.fetchBytesMax else {
                throw VaultError(
                    .invalid, "More than \(StoreLimits.fetchBytesMax) bytes are fetched at once.")
            }
            references.append(reference)
        }
        remember(leaf.path, of: read)
        var following: UInt64 = 0
        let next = leaf.references.dropFirst().prefix { reference in
            following += reference.span
            return following <= StoreLimits.readAheadBytes
        }
        return (references, Array(next))
    }

    private func noChunk(at position: UInt64) -> VaultError {
        VaultError(.invalid, "No chunk of the open read starts at \(position).")
    }

    // MARK: Parts

    private func state(of read: ReadID) async throws(VaultError) -> ReadState {
        guard let state = reads.withLock({ $0[read] }) else {
            throw VaultError(.notFound, "There is no such open read.")
        }
        try await renewLease(state.lease)
        return state
    }

    private func remember(_ path: [PlacedNode], of read: ReadID) {
        reads.withLock { reads in
            // Who opens very many reads at once reads their nodes again, and does not fill the memory with them.
            if reads.values.count(where: { !$0.path.isEmpty }) >= StoreLimits.rememberedPathsMax {
                for id in reads.keys { reads[id]?.path = [] }
            }
            reads[read]?.path = path
        }
    }

    /// The chunks that one list node names, from some position on.
    private struct Leaf {
        /// The nodes from the root to the one that names the chunks; none where the file is one chunk.
        var path: [PlacedNode]
        /// Where the first of `references` starts.
        var position: UInt64
        var references: ArraySlice<ChunkReference>

        /// Moves on to the chunk that covers `target`.
        ///
        /// - Returns: false where that is in another node, or behind.
        mutating func advance(to target: UInt64) -> Bool {
            guard target >= position else { return false }
            while let first = references.first {
                if position + first.span > target { return true }
                position += first.span
                references.removeFirst()
            }
            return false
        }
    }

    private func leaf(
        of content: Content, at position: UInt64, along known: [PlacedNode]
    ) async throws(VaultError) -> Leaf {
        if content.depth == 0 {
            let reference = ChunkReference(digest: content.root, span: content.size)
            return Leaf(path: [], position: 0, references: [reference])
        }
        let path = try await descend(content, to: position, along: known)
        guard let last = path.last else { return Leaf(path: [], position: 0, references: []) }
        return Leaf(path: path, position: last.position, references: last.node.references[...])
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

extension VaultError {
    /// The same error with the name that it is about; damage with the version that has it, and with what heals it.
    fileprivate func about(_ entry: Entry) -> VaultError {
        guard code == .integrity else { return about(entry.name) }
        return VaultError(
            .integrity,
            "Version \(entry.version) of '\(entry.name)' is damaged: run 'minivault verify', then push or save the file "
                + "again from where it is whole.",
            name: entry.name, cause: cause.map { "\(message) \($0)" } ?? message)
    }
}
