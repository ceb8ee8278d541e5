import Synchronization
import VaultModel

/// Gathers the commits that are ready at the same time into one transaction with one sync.
///
/// The first caller that finds nobody at work does the work, for itself and for all who come meanwhile. Users take turns:
/// the commit of one who asks for little is in the next transaction, whatever another has asked for before.
final class Committer: Sendable {
    private struct Pending: Sendable {
        var call: CommitCall
        var continuation: CheckedContinuation<Result<[Result<CommitResult, VaultError>], VaultError>, Never>
    }

    private struct State {
        var pending = FairQueue<String, Pending>()
        var isWorking = false
    }

    private let catalog: any Catalog
    private let packs: any PackStore
    private let clock: @Sendable () -> Int64
    private let state = Mutex(State())

    init(catalog: any Catalog, packs: any PackStore, clock: @escaping @Sendable () -> Int64) {
        self.catalog = catalog
        self.packs = packs
        self.clock = clock
    }

    /// Carries out the requests of a call in their order, durably; see ``Catalog/commit(_:at:into:)``.
    func commit(_ call: CommitCall) async throws(VaultError) -> [Result<CommitResult, VaultError>] {
        if call.requests.isEmpty { return [] }
        let result = await withCheckedContinuation { continuation in
            let mustWork = state.withLock { state in
                state.pending.append(Pending(call: call, continuation: continuation), of: call.by.user)
                defer { state.isWorking = true }
                return !state.isWorking
            }
            // A task of its own: the caller's may be cancelled while others rely on the work.
            if mustWork { Task(executorPreference: BlockingExecutor.shared) { await self.work() } }
        }
        return try result.get()
    }

    private func work() async {
        while true {
            let batch = state.withLock { state in
                let batch = Committer.takeBatch(&state.pending)
                if batch.isEmpty { state.isWorking = false }
                return batch
            }
            if batch.isEmpty { return }
            await commit(batch)
        }
    }

    private func commit(_ batch: [Pending]) async {
        let batch = endAbandoned(batch)
        if batch.isEmpty { return }
        do throws(VaultError) {
            let results = try await catalog.commit(batch.map(\.call), at: clock(), into: packs)
            for (pending, results) in zip(batch, results) {
                pending.continuation.resume(returning: .success(results))
            }
            putBack(batch.dropFirst(results.count))
        } catch {
            let left = error.code == .cancelled ? endAbandoned(batch) : batch
            if left.count < batch.count { return putBack(left[...]) }
            for pending in batch { pending.continuation.resume(returning: .failure(error)) }
        }
    }

    /// Answers the calls for which nobody waits any more.
    ///
    /// - Returns: the others.
    private func endAbandoned(_ batch: [Pending]) -> [Pending] {
        batch.filter { pending in
            guard pending.call.presence?.isOver == true else { return true }
            pending.continuation.resume(returning: .failure(.cancelled))
            return false
        }
    }

    /// Lets calls be the next ones of their users.
    private func putBack(_ batch: ArraySlice<Pending>) {
        state.withLock { state in
            for pending in batch.reversed() { state.pending.putBack(pending, of: pending.call.by.user) }
        }
    }

    /// The commits whose turn it is and that fit one transaction; one at least.
    private static func takeBatch(_ pending: inout FairQueue<String, Pending>) -> [Pending] {
        var batch: [Pending] = []
        var requests = 0
        var bytes = 0
        while requests < StoreLimits.commitRequestsMax, bytes < StoreLimits.commitBytesMax, let next = pending.first {
            pending.removeFirst()
            batch.append(next)
            requests += next.call.requests.count
            bytes += next.call.requests.reduce(0) { $0 + $1.contentBytes }
        }
        return batch
    }
}

extension CommitRequest {
    fileprivate var contentBytes: Int {
        switch self {
        case .save(let save): save.chunk?.bytes.count ?? 0
        case .change, .drop: 0
        }
    }
}
