import LuaEngine
import VaultModel

/// The scope of one call of `vault.timeout` or `vault.map`: it may have a deadline, and gives its tasks as they end.
///
/// It belongs to the coroutine that made the call, whichever task that runs in: what another one does while that is
/// suspended is not within it. Confined to the Lua thread.
final class CallScope: TaskScope {
    private let name: String
    let owner: ScriptTask
    let coroutine: LuaCoroutineID
    private var timer: TimerQueue.Timer?
    /// What stops the call once the deadline has passed.
    private(set) var stop: Stop?
    /// The tasks that have ended, from `head` on, for who asks for them one by one.
    private var ended: [ScriptTask] = []
    private var head = 0
    private let givesEnds: Bool
    private var isFinished = false
    /// What is waited for within the call.
    weak var wait: Pending?
    /// The owner's wait for the next end.
    var waiting: PendingScope?

    private var session: ScriptSession { owner.session }

    /// - Parameters:
    ///   - name: of the function that was called.
    ///   - seconds: after which what is waited for within the call is stopped; nil for no limit.
    init(_ name: String, of owner: ScriptTask, _ call: borrowing LuaCall, seconds: Double?) {
        self.name = name
        self.owner = owner
        coroutine = call.coroutine
        givesEnds = seconds == nil
        super.init(in: owner.session.scheduler.calls.innermost(of: call) ?? owner)
        owner.calls[ObjectIdentifier(self)] = self
        owner.session.scheduler.calls.enter(self, coroutine)
        guard let seconds else { return }
        timer = session.scheduler.after(seconds) { [weak self] in self?.expire(seconds) }
    }

    private func expire(_ seconds: Double) {
        let text = Int(exactly: seconds).map { "\($0)" } ?? "\(seconds)"
        stop = Stop(VaultError(.timeout, "The time limit of \(text) s is over."))
        if let wait, wait.calls.contains(where: { $0 === self }) { wait.cancel() }
    }

    override var isCancelled: Bool { isFinished }

    override func remove(_ task: ScriptTask) {
        super.remove(task)
        if givesEnds { ended.append(task) }
        if let waiting { session.scheduler.finish(waiting) }
    }

    /// Takes the next task that has ended and its number, waiting for it; nil where none is left.
    private func next(_ call: borrowing LuaCall) throws {
        if head < ended.count {
            call.returns(ScriptTask.type.userdata(ended[head]))
            call.returns(ended[head].number)
            head += 1
            if head >= 64, 2 * head >= ended.count {
                ended.removeFirst(head)
                head = 0
            }
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
        isFinished = true
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
        owner.calls[ObjectIdentifier(self)] = nil
        session.scheduler.calls.leave(self, coroutine)
        handOver()
    }

    static let type: LuaObjectType<CallScope> = LuaObjectType(
        "vault scope",
        methods: [
            "spawn": { scope, call in
                call.returns(scope.session.scheduler.spawn(try call.fiber(2), in: scope, call).number)
            },
            "next": { scope, call in try scope.next(call) },
            // Returns whether there was any.
            "cancel": { scope, call in
                call.returns(!scope.isEmpty)
                scope.finish()
            },
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
    private let coroutine: LuaCoroutineID
    private weak var scheduler: Scheduler?

    init(_ vault: VaultSource, _ scheduler: Scheduler, _ call: borrowing LuaCall) {
        self.vault = vault
        self.scheduler = scheduler
        coroutine = call.coroutine
        scheduler.vaults.enter(self, coroutine)
    }

    private func leave() {
        scheduler?.vaults.leave(self, coroutine)
    }

    static let type = LuaObjectType<WithScope>(
        "vault scope", metamethods: [.close: { scope, _ in scope.leave() }, .collect: { scope, _ in scope.leave() }])
}
