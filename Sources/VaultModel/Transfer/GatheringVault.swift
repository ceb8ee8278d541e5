import Synchronization

/// A vault to which many tasks turn with one small file each: what they ask for at about the same time goes as one
/// request.
package final class GatheringVault: ForwardingVault {
    package let other: any Vault
    private let saves: Gathering<SmallSave, SaveOutcome>
    private let reads: Gathering<SmallRead, SmallContent>

    /// - Parameter executor: what the tasks run on; a request is made behind what it has to do already.
    package init(_ vault: any Vault, on executor: any TaskExecutor) {
        other = vault
        // What a vault on a disk waits for is not for the threads of the tasks.
        saves = Gathering(executor) { (items) throws(VaultError) in
            try await BlockingExecutor.run { () async throws(VaultError) in try await vault.save(items) }
        }
        reads = Gathering(executor) { (items) throws(VaultError) in try await vault.read(items) }
    }

    package func save(_ saves: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        guard saves.count == 1 else { return try await other.save(saves) }
        if Task.isCancelled { throw .cancelled }
        do throws(VaultError) {
            return [try await self.saves.answer(to: saves[0])]
        } catch {
            var error = error.about(saves[0].intent.name)
            // The save is on its way with those of others, whatever becomes of this task.
            if error.code == .cancelled { error.isUncertain = true }
            throw error
        }
    }

    package func read(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        guard reads.count == 1 else { return try await other.read(reads) }
        return [try await self.reads.answer(to: reads[0])]
    }
}

/// Joins the questions of many tasks.
private final class Gathering<Item: Sendable, Answer: Sendable>: Sendable {
    typealias Perform = @Sendable ([Item]) async throws(VaultError) -> [Result<Answer, VaultError>]

    private struct State {
        var waiting: [(item: Item, answer: Awaited<Answer>)] = []
        /// Whether a request will take those that wait.
        var isBegun = false
    }

    private let executor: any TaskExecutor
    private let perform: Perform
    private let state = Mutex(State())

    init(_ executor: any TaskExecutor, _ perform: @escaping Perform) {
        self.executor = executor
        self.perform = perform
    }

    /// - Throws: what the whole request throws; `cancelled`, though the request goes on.
    func answer(to item: Item) async throws(VaultError) -> Result<Answer, VaultError> {
        let answer = Awaited<Answer>()
        let isFirst = state.withLock { state in
            state.waiting.append((item, answer))
            defer { state.isBegun = true }
            return !state.isBegun
        }
        if isFirst { begin() }
        return try await answer.value()
    }

    private func begin() {
        Task(executorPreference: executor) { await self.ask() }
    }

    private func ask() async {
        let taken = state.withLock { state in
            let taken = state.waiting.prefix(Limits.gatheredMax)
            state.waiting.removeFirst(taken.count)
            state.isBegun = taken.count == Limits.gatheredMax
            return Array(taken)
        }
        // What is left keeps its order, and the memory of what goes on at once within bounds.
        let isMore = taken.count == Limits.gatheredMax
        defer { if isMore { begin() } }
        if taken.isEmpty { return }
        do throws(VaultError) {
            let results = try await perform(taken.map(\.item))
            guard results.count == taken.count else { throw .unanswered }
            for (waiting, result) in zip(taken, results) { waiting.answer.finish(.success(result)) }
        } catch {
            for waiting in taken { waiting.answer.finish(.failure(error)) }
        }
    }
}

/// An answer that one task waits for.
private final class Awaited<Answer: Sendable>: Sendable {
    typealias Value = Result<Result<Answer, VaultError>, VaultError>

    private struct State {
        var value: Value?
        var continuation: CheckedContinuation<Value, Never>?
    }

    private let state = Mutex(State())

    /// Only the first call counts.
    func finish(_ value: Value) {
        let continuation = state.withLock { state in
            if state.value == nil { state.value = value }
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(returning: value)
    }

    /// - Throws: `cancelled`.
    func value() async throws(VaultError) -> Result<Answer, VaultError> {
        let value = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let value = state.withLock { state in
                    if state.value == nil { state.continuation = continuation }
                    return state.value
                }
                if let value { continuation.resume(returning: value) }
            }
        } onCancel: {
            finish(.failure(.cancelled))
        }
        return try value.get()
    }
}
