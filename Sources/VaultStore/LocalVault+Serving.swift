import Synchronization
package import VaultModel

extension LocalVault {
    /// See ``Vault/read(_:)``.
    ///
    /// - Parameter verifying: whether the bytes are compared with their digests here, and not by who receives them.
    package func read(
        _ reads: [SmallRead], verifying: Bool
    ) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
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

    /// The number of the last change.
    package func sequence() async throws(VaultError) -> UInt64 {
        try await catalog.journalHead().sequence
    }

    /// Whether chunks that an upload has offered before are still to be put: the answer to a repeated offer.
    package func awaits(_ chunks: [ChunkReference], of upload: UploadID) throws(VaultError) -> [Bool] {
        let awaited = try uploads.withLock { (uploads) throws(VaultError) in
            guard let state = uploads[upload] else { throw unknownUpload }
            return chunks.map { state.expected[$0.digest] != nil }
        }
        return awaited
    }
}
