import Synchronization
package import VaultModel

extension StoredVault {
    /// See ``Vault/read(_:)``.
    ///
    /// - Parameter verifying: whether the bytes are compared with their digests here, and not by who receives them.
    package func read(
        _ reads: [SmallRead], verifying: Bool
    ) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        if Task.isCancelled { throw .cancelled }
        // Whose fault it is that together they cannot be read is found out one by one.
        if let contents = try? await readTogether(reads, verifying: verifying) { return contents }
        var results: [Result<SmallContent, VaultError>] = []
        results.reserveCapacity(reads.count)
        for read in reads {
            if Task.isCancelled { throw .cancelled }
            do throws(VaultError) {
                let content = try await readAlone(read) { (chunk, id) throws(VaultError) in
                    try await self.fetch([chunk], of: id, verifying: verifying)
                }
                results.append(.success(content))
            } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    /// Reads with one look into the catalog for all names, one for all chunks, and one read of neighbouring records.
    private func readTogether(
        _ reads: [SmallRead], verifying: Bool
    ) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        let lease = try await holdLease()
        do throws(VaultError) {
            var results: [Result<SmallContent, VaultError>] = []
            var references: [ChunkReference] = []
            var asked: [(Name, Selector)] = []
            var places: [Selector: Selector] = [:]
            for read in reads {
                let place: Selector
                if let known = places[read.selector] {
                    place = known
                } else {
                    place = try await placed(read.selector)
                    places[read.selector] = place
                }
                asked.append((read.name, place))
            }
            for (read, entry) in zip(reads, try await catalog.stat(asked)) {
                guard let entry else {
                    results.append(.failure(.absent(read.name, read.selector)))
                    continue
                }
                guard entry.isSmall, entry.size <= UInt64(read.length) else {
                    results.append(.failure(.grown(read.name)))
                    continue
                }
                if entry.size > 0 { references.append(ChunkReference(digest: entry.content.root, span: entry.size)) }
                results.append(.success(SmallContent(entry: entry, chunk: nil)))
            }
            var chunks = try await recordReader.chunks(references, verifying: verifying)[...]
            for (index, result) in results.enumerated() {
                guard case .success(var content) = result, content.entry.size > 0 else { continue }
                content.chunk = chunks.removeFirst()
                results[index] = .success(content)
            }
            await releaseLease(lease)
            return results
        } catch {
            await releaseLease(lease)
            throw error
        }
    }

    /// The number of the last change.
    package func sequence() async throws(VaultError) -> UInt64 {
        try await catalog.journalHead().sequence
    }

    /// Whether chunks that an upload has offered before are still to be put: the answer to a repeated offer.
    package func awaits(
        _ chunks: [ChunkReference], of upload: UploadID
    ) async throws(VaultError) -> [Bool] {
        try await takeWhatCameElsewhere(for: upload)
        let awaited: [Bool] = try uploads.withLock { (uploads) throws(VaultError) in
            guard let state = uploads[upload] else { throw unknownUpload }
            return chunks.map { state.expected[$0.digest] != nil }
        }
        return awaited
    }
}
