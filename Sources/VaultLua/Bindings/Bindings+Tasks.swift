import LuaEngine
import VaultModel

extension VaultLibrary {
    static let tasks: [Binding] = [
        Binding(
            "spawn", "spawn(f, ...) -> task",
            "Begins a task that calls f(...): it runs while the script and its other tasks wait. A script ends when its "
                + "tasks have.",
            actsOnVault: false
        ) { invocation, call in
            let task = invocation.session.scheduler.spawn(try call.fiber(invocation.first), call)
            call.returns(ScriptTask.type.userdata(task))
        },
        Binding(
            "wait_all", "wait_all(tasks) -> results",
            "Waits for all tasks of an array. Returns the first result of each; when all have ended, raises "
                + "the first failure.",
            actsOnVault: false, body: nil),
        Binding(
            "wait_any", "wait_any(tasks) -> task",
            "Waits for the first task of an array to end, and returns it.", actsOnVault: false, body: nil),
        Binding(
            "map", "map(list|iterator, f [, options]) -> results",
            "Calls f for every element in a task of its own, 'concurrency' (8) at once, and returns the first result of "
                + "each, with their number in 'n'. Raises the first failure, unless on_error(element, err) returns true.",
            options: ["concurrency", "on_error"], actsOnVault: false, body: nil),
        Binding(
            "sleep", "sleep(seconds)", "Waits; other tasks run meanwhile.", actsOnVault: false
        ) { invocation, call in
            let seconds = try call[invocation.first].seconds()
            guard seconds >= 0, seconds <= 1e9 else {
                throw LuaError.argument(invocation.first, "a time of 0 or more seconds expected")
            }
            try invocation.site.wait(for: PendingTimer(seconds, invocation.session.scheduler), call) { _ in }
        },
        Binding(
            "timeout", "timeout(seconds, f, ...) -> results of f",
            "Calls f(...). When it is not over in time, what it waits for is cancelled, and raises an error of the code "
                + "'timeout'. Tasks that it has begun do not outlive it.",
            actsOnVault: false, body: nil),
    ]
}

extension ScriptTask {
    static let type: LuaObjectType<ScriptTask> = LuaObjectType(
        "vault task",
        methods: [
            "join": { task, call in
                try task.join("join", call) { call in
                    if let error = task.error {
                        task.session.keepOrigin(message: error.message, error.traceback, task: task.number)
                        throw error
                    }
                    if let fiber = task.fiber { call.returns(resultsOf: fiber) }
                }
            },
            "result": { task, call in
                try task.join("result", call) { call in
                    call.returns(task.error == nil)
                    if let error = task.error {
                        error.raised.write(to: call.results)
                    } else if let fiber = task.fiber {
                        call.returns(resultsOf: fiber)
                    }
                }
            },
            "cancel": { task, _ in task.cancel() },
            "status": { task, call in call.returns(task.statusText) },
        ],
        metamethods: [
            .string: { task, call in call.returns("vault task \(task.number): \(task.statusText)") },
            .equal: { task, call in call.returns(try call.object(2, ScriptTask.type) === task) },
            .close: { task, _ in task.cancel() },
        ])

    /// Goes on once the task has ended.
    private func join(_ name: String, _ call: borrowing LuaCall, then body: @escaping LuaFunction.Body) throws {
        let see: LuaFunction.Body = { [self] call in
            session.seeEnd(of: number)
            try body(call)
        }
        if hasEnded { return try see(call) }
        try CallSite(session, name).wait(for: PendingTasks([self], session.scheduler), call, then: see)
    }
}
