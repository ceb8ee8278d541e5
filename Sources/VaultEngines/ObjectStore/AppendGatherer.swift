import Synchronization
import VaultModel
import VaultStore

/// Stores what is appended while a few objects are on their way together with what comes meanwhile.
///
/// One way to an object store and back takes the same time for little as for much, so that who waits for a free place
/// goes with the others who wait.
final class AppendGatherer: Sendable {
    private struct Pending: Sendable {
        var records: [PackRecord]
        var continuation: CheckedContinuation<Result<[PackLocation], VaultError>, Never>
        var bytes: Int { records.reduce(0) { $0 + Int($1.storedBytes) } }
    }

    private struct State {
        var pending: [Pending] = []
        var underWay = 0
    }

    private let store: @Sendable ([PackRecord]) async throws(VaultError) -> [PackLocation]
    private let state = Mutex(State())

    /// - Parameter store: stores records as one object, and returns where they are.
    init(_ store: @escaping @Sendable ([PackRecord]) async throws(VaultError) -> [PackLocation]) {
        self.store = store
    }

    func append(_ records: [PackRecord]) async throws(VaultError) -> [PackLocation] {
        let result = await withCheckedContinuation { continuation in
            let mustWork = state.withLock { state in
                state.pending.append(Pending(records: records, continuation: continuation))
                guard state.underWay < EngineLimits.objectsUnderWay else { return false }
                state.underWay += 1
                return true
            }
            // A task of its own: the caller's may be cancelled while others rely on the work.
            if mustWork { Task(executorPreference: BlockingExecutor.shared) { await self.work() } }
        }
        return try result.get()
    }

    private func work() async {
        while let batch = takeBatch() {
            do throws(VaultError) {
                var locations = try await store(batch.flatMap(\.records))[...]
                for pending in batch {
                    pending.continuation.resume(returning: .success(Array(locations.prefix(pending.records.count))))
                    locations = locations.dropFirst(pending.records.count)
                }
            } catch {
                for pending in batch { pending.continuation.resume(returning: .failure(error)) }
            }
        }
    }

    /// What goes into the next object; nil where nobody waits.
    private func takeBatch() -> [Pending]? {
        state.withLock { state in
            var bytes = 0
            let count = state.pending.prefix { pending in
                defer { bytes += pending.bytes }
                return bytes == 0 || bytes + pending.bytes <= EngineLimits.gatheredBytesMax
            }.count
            if count == 0 {
                state.underWay -= 1
                return nil
            }
            defer { state.pending.removeFirst(count) }
            return Array(state.pending.prefix(count))
        }
    }
}
