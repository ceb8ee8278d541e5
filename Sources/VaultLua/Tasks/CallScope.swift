import LuaEngine
import VaultModel

/// The scope of one call of `vault.timeout` or `vault.map`: it may have a deadline, and gives its tasks as they end.
///
/// It belongs to the coroutine that made the call: what another one does while that is suspended is not within it.
/// Confined to the Lua thread.
final class CallScope: TaskScope {
    private let name: String
    private let owner: ScriptTask
    let coroutine: LuaCoroutineID
    private var timer: TimerQueue.Timer?
    /// What stops the owner once the deadline has passed.
    private(set) var stop: Stop?
    private var ended: [ScriptTask] = []
    private var head = 0
    /// The owner's wait for the next end.
    var waiting: PendingScope?

    private var session: ScriptSession { owner.session }

    /// - Parameters:
    ///   - name: of the function that was called.
    ///   - seconds: after which the owner is stopped; nil for no limit.
    init(_ name: String, of owner: ScriptTask, _ call: borrowing LuaCall, seconds: Double?) {
        self.name = name
        self.owner = owner
        coroutine = call.coroutine
        super.init(in: owner.innermostScope(of: call))
        owner.calls.append(self)
        guard let seconds else { return }
        timer = session.scheduler.after(seconds) { [weak self] in self?.expire(seconds) }
    }

    private func expire(_ seconds: Double) {
        let text = Int(exactly: seconds).map { "\($0)" } ?? "\(seconds)"
        stop = Stop(VaultError(.timeout, "The time limit of \(text) s is over."))
        if let wait = owner.waitsFor, wait.calls.contains(where: { $0 === self }) { wait.cancel() }
    }

    override func remove(_ task: ScriptTask) {
        super.remove(task)
        ended.append(task)
        if let waiting { session.scheduler.finish(waiting) }
    }

    /// Takes the next task that has ended and its number, waiting for it; nil where none is left.
    private func next(_ call: borrowing LuaCall) throws {
        if head < ended.count {
            call.returns(ScriptTask.type.userdata(ended[head]))
            call.returns(ended[head].number)
            head += 1
        } else if isEmpty {
            call.returnsNil()
        } else {
            try CallSite(session, name).wait(for: PendingScope(self, session.scheduler), call) { [self] call in
                try next(call)
            }
        }
    }

    /// Waits until no task is left. How they ended is for others to ask.
    private func drain(_ call: borrowing LuaCall) throws {
        // Where tasks cannot run while this waits, they end when they can.
        if isEmpty || !session.scheduler.canWaitForTasks(call) { return }
        try CallSite(session, name).wait(for: PendingScope(self, session.scheduler), call) { [self] call in
            try drain(call)
        }
    }

    /// Ends the deadline, and asks all tasks to end.
    private func finish() {
        endDeadline()
        cancelTasks()
    }

    private func endDeadline() {
        timer?.cancel()
        stop?.timer?.cancel()
        (timer, stop) = (nil, nil)
    }

    /// Ends the call's hold on its owner. What is left is asked to end, unless it was let go before.
    private func leave() {
        finish()
        owner.calls.removeAll { $0 === self }
        handOver()
    }

    static let type: LuaObjectType<CallScope> = LuaObjectType(
        "vault scope",
        methods: [
            "spawn": { scope, call in
                call.returns(scope.session.scheduler.spawn(try call.fiber(2), in: scope, call).number)
            },
            "next": { scope, call in try scope.next(call) },
            "cancel": { scope, _ in scope.finish() },
            "drain": { scope, call in try scope.drain(call) },
            // Leaves the tasks that are left to what the call is in.
            "release": { scope, _ in
                scope.endDeadline()
                scope.handOver()
            },
        ],
        metamethods: [
            .close: { scope, _ in scope.leave() },
            // A coroutine that was dropped in the middle of the call never closes it.
            .collect: { scope, _ in scope.leave() },
        ])
}

/// The scope of one call of `vault.with`, by the coroutine that made it.
final class WithScope {
    let vault: VaultSource
    let coroutine: LuaCoroutineID
    private weak var owner: ScriptTask?

    init(_ vault: VaultSource, of owner: ScriptTask, _ call: borrowing LuaCall) {
        self.vault = vault
        self.owner = owner
        coroutine = call.coroutine
        owner.vaults.append(self)
    }

    private func leave() {
        owner?.vaults.removeAll { $0 === self }
    }

    static let type = LuaObjectType<WithScope>(
        "vault scope", metamethods: [.close: { scope, _ in scope.leave() }, .collect: { scope, _ in scope.leave() }])
}
