import LuaEngine
import VaultModel

/// The scope of one call of `vault.timeout` or `vault.map`: it may have a deadline, and gives its tasks as they end.
///
/// Confined to the Lua thread.
final class CallScope: TaskScope {
    private let name: String
    private let owner: ScriptTask
    private var timer: TimerQueue.Timer?
    /// What stops the owner once the deadline has passed.
    private(set) var stop: Stop?
    private var ended: [ScriptTask] = []
    private var head = 0
    /// The owner's wait for the next end.
    private var waiting: PendingTasks?

    private var session: ScriptSession { owner.session }

    /// - Parameters:
    ///   - name: of the function that was called.
    ///   - seconds: after which the owner is stopped; nil for no limit.
    init(_ name: String, of owner: ScriptTask, seconds: Double?) {
        self.name = name
        self.owner = owner
        super.init(in: owner.innermostScope)
        owner.calls.append(self)
        guard let seconds else { return }
        timer = session.scheduler.after(seconds) { [weak self] in self?.expire(seconds) }
    }

    private func expire(_ seconds: Double) {
        let text = Int(exactly: seconds).map { "\($0)" } ?? "\(seconds)"
        stop = Stop(VaultError(.timeout, "The time limit of \(text) s is over."))
        owner.cancelWait()
    }

    override func remove(_ task: ScriptTask) {
        super.remove(task)
        ended.append(task)
        if let waiting { session.scheduler.finish(waiting) }
    }

    /// Takes the next task that has ended, waiting for it; nil where none is left.
    private func next(_ call: borrowing LuaCall) throws {
        if head < ended.count {
            call.returns(ScriptTask.type.userdata(ended[head]))
            head += 1
        } else if isEmpty {
            call.returnsNil()
        } else {
            let pending = PendingTasks([], session.scheduler)
            waiting = pending
            try CallSite(session, name).wait(for: pending, call) { [self] call in
                waiting = nil
                try next(call)
            }
        }
    }

    /// Ends the call's hold on its owner; the tasks that are left are asked to end.
    private func leave() {
        timer?.cancel()
        timer = nil
        stop = nil
        owner.calls.removeAll { $0 === self }
        cancelTasks()
        handOver()
    }

    static let type: LuaObjectType<CallScope> = LuaObjectType(
        "vault scope",
        methods: [
            "next": { scope, call in try scope.next(call) },
            "cancel": { scope, _ in scope.cancelTasks() },
        ],
        metamethods: [
            .close: { scope, _ in scope.leave() },
            // A coroutine that was dropped in the middle of the call never closes it.
            .collect: { scope, _ in scope.leave() },
        ])
}

/// The scope of one call of `vault.with`.
final class WithScope {
    let vault: VaultSource
    private weak var owner: ScriptTask?

    init(_ vault: VaultSource, of owner: ScriptTask) {
        self.vault = vault
        self.owner = owner
        owner.vaults.append(self)
    }

    private func leave() {
        owner?.vaults.removeAll { $0 === self }
    }

    static let type: LuaObjectType<WithScope> = LuaObjectType(
        "vault scope", metamethods: [.close: { scope, _ in scope.leave() }, .collect: { scope, _ in scope.leave() }])
}
