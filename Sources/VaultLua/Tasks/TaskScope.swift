/// What tasks belong to: the script, another task, or a call that does not outlive its tasks.
///
/// Confined to the Lua thread.
class TaskScope {
    private var children: [ObjectIdentifier: ScriptTask] = [:]
    /// What it is part of, and what takes over the tasks that are left at the end; nil for the script.
    var scope: TaskScope?
    /// Whether what is left is handed over only to be ended.
    var isCancelled: Bool { false }

    init(in scope: TaskScope?) {
        self.scope = scope
    }

    var isEmpty: Bool { children.isEmpty }
    var tasks: Dictionary<ObjectIdentifier, ScriptTask>.Values { children.values }

    func add(_ task: ScriptTask) {
        children[ObjectIdentifier(task)] = task
    }

    /// Lets go of a task that has ended.
    func remove(_ task: ScriptTask) {
        children[ObjectIdentifier(task)] = nil
    }

    /// Asks all tasks to end, in the order in which they were made.
    func cancelTasks() {
        for task in children.values.sorted(by: { $0.number < $1.number }) { task.cancel() }
    }

    /// Leaves the tasks to what this scope is in, which ends them if it has been cancelled itself.
    func handOver() {
        guard let scope else { return }
        let tasks = children.values.sorted { $0.number < $1.number }
        children.removeAll()
        for task in tasks {
            task.scope = scope
            scope.add(task)
            if scope.isCancelled { task.cancel() }
        }
    }
}
