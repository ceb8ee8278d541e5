import Synchronization
package import VaultModel

extension LocalVault {
    /// The number of the last change.
    package func sequence() async throws(VaultError) -> UInt64 {
        try await catalog.journalHead().sequence
    }

    /// Whether chunks that an upload has offered before are still to be put: the answer to a repeated offer.
    package func awaits(_ chunks: [ChunkReference], of upload: UploadID) throws(VaultError) -> [Bool] {
        let awaited = try uploads.withLock { (uploads) throws(VaultError) in
            guard let state = uploads[upload] else { throw unknownUpload }
            return chunks.map { state.expected.contains($0.digest) }
        }
        return awaited
    }
}
