import Synchronization

/// Runs `body` in a task of its own; what `body` is given cancels that task.
package func cancelling<Result: Sendable>(
    _ body: @escaping @Sendable (_ cancel: @escaping @Sendable () -> Void) async -> Result
) async -> Result {
    let handle = TaskHandle<Result>()
    let (started, start) = AsyncStream<Void>.makeStream()
    let task = Task {
        // The body starts once the task is known by which it is cancelled.
        for await _ in started {}
        return await body { handle.cancel() }
    }
    handle.set(task)
    start.finish()
    return await task.value
}

private final class TaskHandle<Result: Sendable>: Sendable {
    private let task = Mutex<Task<Result, Never>?>(nil)

    func set(_ new: Task<Result, Never>) { task.withLock { $0 = new } }

    func cancel() { task.withLock { $0 }?.cancel() }
}
