import Synchronization
import VaultModel

/// Chunks that are being fetched before anybody asks for them, since whoever reads on will.
///
/// For packs that are far away: who waits for one way there and back meanwhile has the next bytes coming. The bytes that
/// are held so are bounded over all reads; a fetch that fails is simply made again by who needs it.
final class ReadAhead: Sendable {
    fileprivate struct State {
        var fetches: [Digest: Task<Chunk?, Never>] = [:]
        var bytes = 0
        /// Oldest first.
        var order: [(digest: Digest, bytes: Int)] = []
    }

    private let state = Mutex(State())

    /// Begins to fetch chunks that are not on their way.
    func begin(
        _ references: [ChunkReference],
        _ fetch: @escaping @Sendable ([ChunkReference]) async throws(VaultError) -> [Chunk]
    ) {
        state.withLock { state in
            let new = references.filter { state.fetches[$0.digest] == nil }
            if new.isEmpty { return }
            let all = Task(executorPreference: BlockingExecutor.shared) { () -> [Chunk] in
                do throws(VaultError) { return try await fetch(new) } catch { return [] }
            }
            for (index, reference) in new.enumerated() where state.fetches[reference.digest] == nil {
                state.fetches[reference.digest] = Task {
                    let chunks = await all.value
                    return index < chunks.count ? chunks[index] : nil
                }
                state.bytes += Int(reference.span)
                state.order.append((reference.digest, Int(reference.span)))
            }
            // What nobody has come for is let go.
            while state.bytes > StoreLimits.readAheadBytesMax, let oldest = state.order.first {
                state.remove(oldest.digest)
            }
        }
    }

    /// A chunk that is on its way or there; nil where none is, or its fetch failed.
    func take(_ reference: ChunkReference) async -> Chunk? {
        let task = state.withLock { state in state.remove(reference.digest) }
        guard let chunk = await task?.value, chunk.bytes.count == Int(reference.span) else { return nil }
        return chunk
    }
}

extension ReadAhead.State {
    @discardableResult
    fileprivate mutating func remove(_ digest: Digest) -> Task<Chunk?, Never>? {
        guard let task = fetches.removeValue(forKey: digest),
            let index = order.firstIndex(where: { $0.digest == digest })
        else { return nil }
        bytes -= order.remove(at: index).bytes
        return task
    }
}
