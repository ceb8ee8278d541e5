package import VaultModel

/// Keeps chunks and list nodes near that are read often and kept far away.
package protocol ChunkCache: Sendable {
    /// The bytes under a digest, compared with it; nil for those that the cache does not have, or no longer has whole.
    func chunk(_ digest: Digest) -> BufferSlice?
    /// Is told of bytes that had to be fetched, and keeps them if they are worth it.
    func fetched(_ chunk: Chunk)
}
