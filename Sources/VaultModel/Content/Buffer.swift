import Glibc
import Synchronization

/// Memory for file content, owned by whoever holds a slice of it and given back to its pool after.
///
/// `@unchecked Sendable`: written by one task before it is shared, only read after.
package final class Buffer: @unchecked Sendable {
    package let memory: UnsafeMutableRawBufferPointer
    private let pool: BufferPool?

    fileprivate init(memory: UnsafeMutableRawBufferPointer, pool: BufferPool?) {
        self.memory = memory
        self.pool = pool
    }

    /// A buffer outside any pool.
    package convenience init(byteCount: Int) {
        self.init(memory: BufferMemory.allocate(byteCount), pool: nil)
    }

    /// A buffer outside any pool, with a copy of `bytes`.
    package convenience init(copying bytes: UnsafeRawBufferPointer) {
        self.init(byteCount: bytes.count)
        memory.copyMemory(from: bytes)
    }

    deinit {
        guard let pool else { return BufferMemory.free(memory) }
        pool.recycle(memory)
    }

    package var capacity: Int { memory.count }
}

/// A range of a buffer's bytes, which keeps the buffer alive.
package struct BufferSlice: Sendable {
    package let buffer: Buffer
    package let range: Range<Int>

    package init(_ buffer: Buffer, _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= buffer.capacity)
        self.buffer = buffer
        self.range = range
    }

    package init(copying bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { BufferSlice(Buffer(copying: $0), 0..<bytes.count) }
    }

    /// A copy of `parts`, one behind the other.
    package init(joining parts: [[UInt8]]) {
        let count = parts.reduce(0) { $0 + $1.count }
        let buffer = Buffer(byteCount: count)
        var start = 0
        for part in parts {
            UnsafeMutableRawBufferPointer(rebasing: buffer.memory[start...]).copyBytes(from: part)
            start += part.count
        }
        self.init(buffer, 0..<count)
    }

    package var count: Int { range.count }

    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(buffer) {} }
        return try body(UnsafeRawBufferPointer(rebasing: buffer.memory[range]))
    }

    package var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}

/// Keeps a few buffers of one size, since memory fresh from the system costs more than to fill it.
///
/// The pool never refuses: what is in use is bounded by the transfers' own limits.
package final class BufferPool: Sendable {
    private struct Memory: @unchecked Sendable {
        // Owned by the pool while it is listed here.
        var bytes: UnsafeMutableRawBufferPointer
    }

    private let size: Int
    private let spareMax: Int
    private let spare = Mutex<[Memory]>([])

    /// The pool of transfer buffers, each of `Limits.bufferBytes`.
    package static let transfers = BufferPool(size: Limits.bufferBytes, spareMax: Limits.buffersMax)

    package init(size: Int, spareMax: Int) {
        self.size = size
        self.spareMax = spareMax
    }

    package func take() -> Buffer {
        let memory = spare.withLock { $0.popLast() }
        return Buffer(
            memory: memory?.bytes ?? BufferMemory.allocate(size),
            pool: self
        )
    }

    fileprivate func recycle(_ memory: UnsafeMutableRawBufferPointer) {
        let memory = Memory(bytes: memory)
        let isKept = spare.withLock { spare in
            guard spare.count < spareMax else { return false }
            spare.append(memory)
            return true
        }
        if !isKept { BufferMemory.free(memory.bytes) }
    }
}

/// Memory from the allocator, or straight from the system where it is much: what an allocator keeps of
/// large blocks that were freed would count against a transfer's bound.
private enum BufferMemory {
    private static let mappedBytesMin = 1 << 20

    static func allocate(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        if byteCount >= mappedBytesMin {
            let mapped = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            precondition(mapped != MAP_FAILED, "the system has no memory left")
            return UnsafeMutableRawBufferPointer(start: mapped, count: byteCount)
        }
        return .allocate(byteCount: byteCount, alignment: 16)
    }

    static func free(_ memory: UnsafeMutableRawBufferPointer) {
        if memory.count >= mappedBytesMin {
            munmap(memory.baseAddress, memory.count)
        } else {
            memory.deallocate()
        }
    }
}
