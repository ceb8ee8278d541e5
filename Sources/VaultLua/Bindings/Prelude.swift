import LuaEngine
import VaultModel

/// What of the module is written in Lua: functions that call functions of scripts, which may wait.
///
/// A frame of Lua can be parked wherever a callback of Swift cannot, and `<close>` ends a scope however it is left.
enum Prelude {
    /// Adds the functions to the module.
    static func install(_ module: LuaReference, _ session: ScriptSession) throws {
        let state = session.state
        let with = LuaFunction { call in
            guard let connection = try? call.object(1, Connection.type) else { return call.returnsNil() }
            let scope = WithScope(connection.vault, session.scheduler, call)
            call.returns(WithScope.type.userdata(scope))
        }
        let scopeOf = LuaFunction { call in
            let seconds = try call[2].ifPresent?.number()
            let scope = CallScope(try call.string(1), of: session.scheduler.current, call, seconds: seconds)
            call.returns(CallScope.type.userdata(scope))
        }
        let canWait = LuaFunction { call in call.returns(session.scheduler.canWaitForTasks(call)) }
        let secondsOf = LuaFunction { call in call.returns(try? call[1].seconds()) }
        let chunk = try state.load(String(decoding: PackageResources.prelude_lua, as: UTF8.self), name: "=vault")
        let hasHandles = LuaFunction { call in call.returns(session.openReads + session.openWrites > 0) }
        let keepTrace = LuaFunction { call in
            let isText = call[1].type != .table
            guard let message = isText ? try? call.string(1) : try? call.table(1).field("message").string() else {
                return
            }
            let task = try call[3].ifPresent?.integer()
            session.keepOrigin(message: message, String(decoding: try call.bytes(2), as: UTF8.self), task: task)
        }
        _ = try state.call(
            chunk, module, with, scopeOf, anyOf(session), canWait, secondsOf, hasHandles, keepTrace)
    }

    /// Waits for the first of an array of tasks, and returns its index; the text of what is wrong with the array.
    ///
    /// With `true` as the second argument it only looks at the array.
    private static func anyOf(_ session: ScriptSession) -> LuaFunction {
        LuaFunction { call in
            var tasks: [ScriptTask] = []
            var problem: String?
            try call.table(1).visitElements { element in
                guard problem == nil else { return }
                if let task = try? element.object(ScriptTask.type) {
                    tasks.append(task)
                } else {
                    problem = "element \(tasks.count + 1) is no task, but a \(element.typeName)"
                }
            }
            if let problem { return call.returns(problem) }
            if try call.boolean(2) { return }
            if tasks.isEmpty { return call.returns("it has no tasks") }
            func returnFirst(_ call: borrowing LuaCall) -> Bool {
                guard let index = tasks.firstIndex(where: \.hasEnded) else { return false }
                call.returns(index + 1)
                return true
            }
            if returnFirst(call) { return }
            try CallSite(session, "wait_any").wait(for: PendingTasks(tasks, session.scheduler), call) { call in
                _ = returnFirst(call)
            }
        }
    }
}
