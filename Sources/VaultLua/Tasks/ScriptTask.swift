import LuaEngine
import VaultModel

/// A function of a script that runs beside others, or the script's main chunk.
///
/// Confined to the Lua thread.
final class ScriptTask: TaskScope {
    enum Ending {
        case returned
        case failed(LuaError)
        /// With the error that cancelling it raised.
        case cancelled(LuaError)
        /// Cancelled before it ran; what that would have raised is made when somebody asks.
        case unbegun(VaultError)

        var isReturn: Bool {
            if case .returned = self { return true }
            return false
        }
    }

    enum State {
        case ready, running, waiting
        /// Its function is over, and its own tasks are to end.
        case ending(Ending)
        case ended(Ending)
    }

    let number: Int
    /// Nil for the main chunk.
    let fiber: LuaFiber?
    var state = State.ready
    /// The calls with a scope that it has begun and that have not ended.
    var calls: [ObjectIdentifier: CallScope] = [:]
    /// The vault that was the default one where it was spawned; nil for the script's.
    let inheritedVault: VaultSource?
    /// The waits for its end.
    var joiners: [PendingTasks] = []
    /// What it waits for.
    var waitsFor: Pending?
    private(set) var cancellation: Stop?
    /// Whether its coroutine is being closed.
    var isClosing = false
    unowned let session: ScriptSession

    init(
        _ number: Int, _ fiber: LuaFiber?, in scope: TaskScope?, _ session: ScriptSession, vault: VaultSource? = nil
    ) {
        self.number = number
        self.fiber = fiber
        self.session = session
        inheritedVault = vault
        super.init(in: scope)
        scope?.add(self)
    }

    deinit {
        // The script has let go of the task, and can ask no more how it ended.
        if case .ended(.failed) = state { session.tellFailure(of: number) }
    }

    var hasEnded: Bool {
        if case .ended = state { return true }
        return false
    }

    /// What joining the ended task raises; nil for nothing.
    var error: LuaError? {
        switch state {
        case .ended(.failed(let error)), .ended(.cancelled(let error)): error
        case .ended(.unbegun(let error)): ErrorValue.luaError(error, operation: "spawn", session)
        case .ended(.returned), .ready, .running, .waiting, .ending: nil
        }
    }

    var statusText: String {
        switch state {
        case .ready: waitsFor == nil ? "ready" : "waiting"
        case .running: "running"
        case .waiting, .ending: "waiting"
        case .ended(.returned): "done"
        case .ended(.failed): "failed"
        case .ended(.cancelled), .ended(.unbegun): "cancelled"
        }
    }

    // MARK: Stopping

    override var isCancelled: Bool { cancellation != nil }

    /// Also those of calls that its coroutines are in.
    override func cancelTasks() {
        super.cancelTasks()
        for scope in calls.values { scope.cancelTasks() }
    }

    /// Whether it has tasks that have not ended, those of its calls included.
    var hasTasks: Bool { !isEmpty || calls.values.contains { !$0.isEmpty } }

    /// Leaves tasks and calls, which other coroutines may be in, to what the task was in.
    override func handOver() {
        for scope in calls.values where scope.scope === self { scope.scope = self.scope }
        calls.removeAll()
        super.handOver()
    }

    /// Asks the task to end: its wait, or its next one, raises an error.
    func cancel() {
        guard fiber != nil, !hasEnded else { return }
        stop(VaultError(.cancelled, "The task was cancelled."))
    }

    /// Has the next wait raise `error`; only the first error counts.
    func stop(_ error: VaultError) {
        guard cancellation == nil else { return }
        cancellation = Stop(error)
        if case .ready = state, waitsFor == nil { return session.scheduler.endUnbegun(self, error) }
        cancelWait()
    }

    /// The same where the error has been raised already.
    func noteStop(_ error: VaultError) {
        guard cancellation == nil else { return }
        let stop = Stop(error)
        cancellation = stop
        deliver(stop)
    }

    /// Ends the wait that the task is in, if it is in one.
    func cancelWait() {
        waitsFor?.cancel()
    }

    /// The error of the first reason to stop whose error has not been raised yet.
    ///
    /// - Parameter calls: those that the wait is in.
    func takeStop(in calls: [CallScope]) -> VaultError? {
        let stops = (cancellation.map { [$0] } ?? []) + calls.compactMap(\.stop)
        guard let stop = stops.first(where: { $0.graceEnd == nil }) else { return nil }
        deliver(stop)
        return stop.error
    }

    private func deliver(_ stop: Stop) {
        stop.deliver()
        session.scheduler.limitGrace(of: self, stop)
    }

    /// The error of a reason to stop whose time to clean up is over.
    func overdueStop(in calls: [CallScope]) -> VaultError? {
        if isClosing { return cancellation?.error }
        if cancellation == nil, calls.isEmpty { return nil }
        let now = Moment.now
        if let cancellation, cancellation.isOverdue(now) { return cancellation.error }
        return calls.compactMap(\.stop).first { $0.isOverdue(now) }?.error
    }

    /// Whether it was cancelled, and its time to clean up is over.
    var isOverdue: Bool { cancellation?.isOverdue(.now) ?? false }

    // MARK: Waits without end

    private static let tasksLookedAt = 1000

    /// Whether the task can still go on by itself, while `waiting` do not. Where there is too much to look at it can: what
    /// cannot is found when nothing else is left.
    func canGoOn(without waiting: inout Set<ObjectIdentifier>) -> Bool {
        guard !hasEnded, waiting.count < ScriptTask.tasksLookedAt else { return true }
        guard !waiting.contains(ObjectIdentifier(self)) else { return false }
        guard let waitsFor, !waitsFor.isOver else { return true }
        waiting.insert(ObjectIdentifier(self))
        return waitsFor.canEnd(without: &waiting)
    }
}
