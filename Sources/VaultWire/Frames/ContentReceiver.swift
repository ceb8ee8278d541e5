import Synchronization
package import VaultModel

/// Collects the content of one request or answer from data frames, chunk by chunk.
///
/// One side feeds it from the connection, in order; the other takes finished chunks, while more arrive.
package final class ContentReceiver: Sendable {
    fileprivate struct State {
        /// Bytes that have come.
        var filled = 0
        /// Chunks taken.
        var taken = 0
        var failure: VaultError?
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let buffer: Buffer
    /// Where each chunk ends.
    private let ends: [Int]
    private let state = Mutex(State())

    /// - Parameter lengths: of the chunks that come, in bytes.
    package init(lengths: [Int]) {
        var end = 0
        ends = lengths.map { length in
            end += length
            return end
        }
        // Buffers of the usual size are used again, since fresh memory costs more than to fill it.
        buffer =
            end >= Limits.bufferBytes / 8 && end <= Limits.bufferBytes
            ? BufferPool.transfers.take() : Buffer(byteCount: end)
    }

    /// Bytes in all.
    package var count: Int { ends.last ?? 0 }

    /// Takes the next bytes; called from one thread at a time.
    package func receive(_ bytes: UnsafeRawBufferPointer) {
        let start = state.withLock { $0.filled }
        precondition(start + bytes.count <= count, "More content than was announced.")
        UnsafeMutableRawBufferPointer(rebasing: buffer.memory[start...]).copyMemory(from: bytes)
        let waiting = state.withLock { state in
            state.filled = start + bytes.count
            return state.takeWaiting(ends)
        }
        waiting?.resume()
    }

    /// Ends the wait: the rest will not come.
    package func fail(_ error: VaultError) {
        let waiting = state.withLock { state in
            state.failure = state.failure ?? error
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// The next chunk, once it is complete; nil behind the last.
    package func next() async throws(VaultError) -> BufferSlice? {
        await withCheckedContinuation { continuation in
            let mustWait = state.withLock { state in
                if state.isReady(ends) { return false }
                state.waiting = continuation
                return true
            }
            if !mustWait { continuation.resume() }
        }
        return try state.withLock { (state) throws(VaultError) in
            guard state.taken < ends.count else { return nil }
            let start = state.taken == 0 ? 0 : ends[state.taken - 1]
            guard state.filled >= ends[state.taken] else { throw state.failure ?? .cancelled }
            defer { state.taken += 1 }
            return BufferSlice(buffer, start..<ends[state.taken])
        }
    }
}

extension ContentReceiver.State {
    fileprivate func isReady(_ ends: [Int]) -> Bool {
        failure != nil || taken == ends.count || filled >= ends[taken]
    }

    fileprivate mutating func takeWaiting(_ ends: [Int]) -> CheckedContinuation<Void, Never>? {
        guard isReady(ends) else { return nil }
        defer { waiting = nil }
        return waiting
    }
}
