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
    }

    enum State {
        case ready, running, waiting
        case ended(Ending)
    }

    let number: Int
    /// Nil for the main chunk.
    let fiber: LuaFiber?
    var state = State.ready
    /// The calls with a scope that it is in, the innermost last.
    var calls: [CallScope] = []
    /// The calls of `vault.with` that it is in, the innermost last.
    var vaults: [WithScope] = []
    /// The waits for its end.
    var joiners: [PendingTasks] = []
    /// What it waits for.
    var waitsFor: Pending?
    private(set) var cancellation: Stop?
    /// Whether its coroutine is being closed.
    var isClosing = false
    /// Whether the script has asked how it ended.
    var isSeen = false
    unowned let session: ScriptSession

    init(_ number: Int, _ fiber: LuaFiber?, in scope: TaskScope?, _ session: ScriptSession) {
        self.number = number
        self.fiber = fiber
        self.session = session
        super.init(in: scope)
        scope?.add(self)
    }

    deinit {
        // The script has let go of the task, or has ended: it can ask no more.
        if case .ended(.failed(let error)) = state, !isSeen { session.tellFailure(of: self, error) }
    }

    var hasEnded: Bool {
        if case .ended = state { return true }
        return false
    }

    var statusText: String {
        switch state {
        case .ready: waitsFor == nil ? "ready" : "waiting"
        case .running: "running"
        case .waiting: "waiting"
        case .ended(.returned): "done"
        case .ended(.failed): "failed"
        case .ended(.cancelled): "cancelled"
        }
    }

    /// Where what it spawns belongs.
    var innermostScope: TaskScope { calls.last ?? self }

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
        stop.deliver()
        cancellation = stop
        session.scheduler.limitGrace(of: self, stop)
    }

    /// Ends the wait that the task is in, if it is in one.
    func cancelWait() {
        waitsFor?.cancel()
    }

    /// The error of the first reason to stop whose error has not been raised yet.
    func takeStop() -> VaultError? {
        let stops = (cancellation.map { [$0] } ?? []) + calls.compactMap(\.stop)
        guard let stop = stops.first(where: { $0.graceEnd == nil }) else { return nil }
        stop.deliver()
        session.scheduler.limitGrace(of: self, stop)
        return stop.error
    }

    /// The error of a reason to stop whose time to clean up is over.
    func expiredStop(_ now: Moment) -> VaultError? {
        if isClosing { return cancellation?.error }
        // A task whose time is over is closed; the main chunk's waits raise again and again.
        let stops = (fiber == nil ? cancellation.map { [$0] } ?? [] : []) + calls.compactMap(\.stop)
        return stops.first { $0.graceEnd.map { $0 <= now } ?? false }?.error
    }
}
