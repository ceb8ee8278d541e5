/// The name of a chunk or list node, and how many bytes of the file it stands for.
package struct ChunkReference: Hashable, Sendable {
    package var digest: Digest
    /// Bytes of file content: a chunk's own length, or the sum below a list node.
    package var span: UInt64

    package init(digest: Digest, span: UInt64) {
        self.digest = digest
        self.span = span
    }
}

/// A chunk at its place in a file.
package struct PlacedChunk: Hashable, Sendable {
    /// The offset in the file, in bytes.
    package var position: UInt64
    package var reference: ChunkReference

    package init(position: UInt64, reference: ChunkReference) {
        self.position = position
        self.reference = reference
    }

    package var length: Int { Int(reference.span) }
    package var end: UInt64 { position + reference.span }
}

/// A chunk with its bytes.
package struct Chunk: Sendable {
    package var digest: Digest
    package var bytes: BufferSlice

    package init(digest: Digest, bytes: BufferSlice) {
        self.digest = digest
        self.bytes = bytes
    }

    package var reference: ChunkReference {
        ChunkReference(digest: digest, span: UInt64(bytes.count))
    }
}
