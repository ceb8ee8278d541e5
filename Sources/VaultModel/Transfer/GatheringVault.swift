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
        // What a vault on a disk waits for is not for the threads of the tasks. There a request is made behind the
        // reading of the files that tasks are about to save.
        saves = Gathering(behind: executor, on: BlockingExecutor.shared, isChange: true) {
            (items) throws(VaultError) in try await vault.save(items)
        }
        reads = Gathering(behind: executor, on: executor, isChange: false) {
            (items) throws(VaultError) in try await vault.read(items)
        }
    }

    package func save(_ saves: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        guard saves.count == 1 else { return try await other.save(saves) }
        do throws(VaultError) {
            return [try await self.saves.answer(to: saves[0])]
        } catch {
            throw error.about(saves[0].intent.name)
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

    private let first: any TaskExecutor
    private let executor: any TaskExecutor
    private let isChange: Bool
    private let perform: Perform
    private let state = Mutex(State())

    /// - Parameters:
    ///   - first: behind whose jobs of now a request is made.
    ///   - executor: on which it is made, again behind what it has to do by then.
    ///   - isChange: whether a request that is given up may have taken effect.
    init(
        behind first: any TaskExecutor, on executor: any TaskExecutor, isChange: Bool, _ perform: @escaping Perform
    ) {
        self.first = first
        self.executor = executor
        self.isChange = isChange
        self.perform = perform
    }

    /// - Throws: what the whole request throws; `cancelled`, though the request goes on for others.
    func answer(to item: Item) async throws(VaultError) -> Result<Answer, VaultError> {
        if Task.isCancelled { throw .cancelled }
        let answer = Awaited<Answer>()
        let isFirst = state.withLock { state in
            state.waiting.append((item, answer))
            defer { state.isBegun = true }
            return !state.isBegun
        }
        if isFirst { begin() }
        return try await withTaskCancellationHandler {
            await answer.value()
        } onCancel: {
            giveUp(answer)
        }.get()
    }

    private func giveUp(_ answer: Awaited<Answer>) {
        let isUnsent = state.withLock { state in
            let index = state.waiting.firstIndex { $0.answer === answer }
            if let index { state.waiting.remove(at: index) }
            return index != nil
        }
        var error = VaultError.cancelled
        error.isUncertain = isChange && !isUnsent
        answer.finish(.failure(error))
        if !isUnsent { answer.request?.leave() }
    }

    private func begin() {
        Task(executorPreference: first) { await self.begin(on: self.executor) }
    }

    private func begin(on executor: any TaskExecutor) async {
        if executor === first { return await ask() }
        await withTaskExecutorPreference(executor) { await self.ask() }
    }

    private func ask() async {
        let (taken, request) = state.withLock { state in
            let taken = Array(state.waiting.prefix(Limits.gatheredMax))
            state.waiting.removeFirst(taken.count)
            state.isBegun = taken.count == Limits.gatheredMax
            let request = GatheredRequest(taken.count)
            for waiting in taken { waiting.answer.request = request }
            return (taken, request)
        }
        // What is left keeps its order, and the memory of what goes on at once within bounds.
        let isMore = taken.count == Limits.gatheredMax
        defer { if isMore { begin() } }
        if taken.isEmpty { return }
        let task = Task(executorPreference: executor) {
            do throws(VaultError) {
                let results = try await self.perform(taken.map(\.item))
                guard results.count == taken.count else { throw .unanswered }
                for (waiting, result) in zip(taken, results) { waiting.answer.finish(.success(result)) }
            } catch {
                for waiting in taken { waiting.answer.finish(.failure(error)) }
            }
        }
        request.began(task)
        await task.value
    }
}

/// One request for several: it is given up when none of them wants its answer any more.
private final class GatheredRequest: Sendable {
    private let left: Atomic<Int>
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ count: Int) {
        left = Atomic(count)
    }

    func began(_ task: Task<Void, Never>) {
        self.task.withLock { $0 = task }
        if left.load(ordering: .acquiring) == 0 { task.cancel() }
    }

    func leave() {
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { task.withLock { $0 }?.cancel() }
    }
}

/// An answer that one task waits for.
private final class Awaited<Answer: Sendable>: Sendable {
    typealias Value = Result<Result<Answer, VaultError>, VaultError>

    private struct State {
        var value: Value?
        var continuation: CheckedContinuation<Value, Never>?
        var request: GatheredRequest?
    }

    private let state = Mutex(State())

    /// What will bring the answer; nil before it has been sent.
    var request: GatheredRequest? {
        get { state.withLock { $0.request } }
        set { state.withLock { $0.request = newValue } }
    }

    /// Only the first call counts.
    func finish(_ value: Value) {
        let continuation = state.withLock { state in
            if state.value == nil { state.value = value }
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(returning: value)
    }

    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state in
                if state.value == nil { state.continuation = continuation }
                return state.value
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}
