/// What a file, link or directory holds, without where it is kept: the root of its chunk list.
///
/// Depth 0 means that the root is the one chunk itself; depth n that it is a list node of level n. No
/// content at all has depth 0 and the digest of no bytes as its root.
package struct Content: Hashable, Sendable {
    package var chunker: UInt32
    package var size: UInt64
    package var depth: UInt8
    package var root: Digest

    package init(chunker: UInt32 = Chunker.number, size: UInt64, depth: UInt8, root: Digest) {
        self.chunker = chunker
        self.size = size
        self.depth = depth
        self.root = root
    }

    /// No content has more bytes, so that a few sizes can be added.
    package static let sizeMax: UInt64 = 1 << 62

    package static let empty = Content(size: 0, depth: 0, root: Digest(of: []))

    /// The content that is one chunk.
    package init(_ chunk: ChunkReference) {
        self.init(size: chunk.span, depth: 0, root: chunk.digest)
    }

    /// The digest of the content: SHA-256 over the label `minivault file 1` and a NUL, the chunker's
    /// number (4 bytes), the size (8), the depth (1) and the root (32), numbers little-endian.
    package var digest: Digest {
        var bytes = ByteWriter(reserving: 64)
        bytes.write(Array("minivault file 1\0".utf8))
        bytes.write(chunker)
        bytes.write(size)
        bytes.write(depth)
        bytes.write(root)
        return Digest(of: bytes.bytes)
    }
}
