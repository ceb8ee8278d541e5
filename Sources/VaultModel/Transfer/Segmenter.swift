/// Cuts a stream of bytes into segments of whole chunks, each in one transfer buffer.
///
/// The caller fills ``space`` and says so by ``fill(_:)``, or by ``finish()`` at the end of the stream.
/// A chunk that a buffer's end cuts short moves to the start of the next one.
package struct Segmenter {
    private var buffer: Buffer
    /// Bytes at the start of the buffer that belong to no segment yet.
    private var filled = 0

    /// - Parameter expected: the size of the stream in bytes, if it is known: a short one then takes no
    ///   more memory than it needs.
    package init(expecting expected: UInt64? = nil) {
        // One byte more tells a stream that has grown.
        let isShort = expected.map { $0 <= Limits.pipelineBytesMin } ?? false
        buffer = isShort ? Buffer(byteCount: Int(expected ?? 0) + 1) : BufferPool.transfers.take()
    }

    /// The rest of the buffer, for the next bytes of the stream; never empty.
    package var space: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: buffer.memory[filled...])
    }

    /// Counts `count` bytes of ``space`` as filled.
    ///
    /// - Returns: a segment once the buffer is full.
    package mutating func fill(_ count: Int) -> Segment? {
        filled += count
        return filled == buffer.capacity ? cut(isEnd: false) : nil
    }

    /// Takes bytes that are at hand, from `position` on, until the buffer is full or they are taken.
    ///
    /// - Returns: a segment once the buffer is full; there may be more to take then.
    package mutating func fill(from bytes: [UInt8], at position: inout Int) -> Segment? {
        let count = min(space.count, bytes.count - position)
        bytes.withUnsafeBytes {
            space.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[position..<position + count]))
        }
        position += count
        return fill(count)
    }

    /// Ends the stream.
    ///
    /// - Returns: the last segment; nil where nothing is left.
    package mutating func finish() -> Segment? {
        filled == 0 ? nil : cut(isEnd: true)
    }

    private mutating func cut(isEnd: Bool) -> Segment {
        var chunks: [Range<Int>] = []
        var start = 0
        let bytes = UnsafeRawBufferPointer(rebasing: buffer.memory[..<filled])
        while start < filled,
            let length = Chunker.cut(UnsafeRawBufferPointer(rebasing: bytes[start...]), isEnd: isEnd)
        {
            chunks.append(start..<start + length)
            start += length
        }
        let segment = Segment(buffer: buffer, chunks: chunks)
        let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
        buffer = isEnd ? Buffer(byteCount: 0) : BufferPool.transfers.take()
        buffer.memory.copyMemory(from: rest)
        filled = rest.count
        return segment
    }
}

/// A buffer with the ranges of the chunks in it.
package struct Segment: Sendable {
    package let buffer: Buffer
    package let chunks: [Range<Int>]

    /// The chunks with their digests.
    package func hashed() -> [Chunk] {
        chunks.map { range in
            let slice = BufferSlice(buffer, range)
            return Chunk(digest: slice.withUnsafeBytes { Digest(of: $0) }, bytes: slice)
        }
    }
}
