import LuaEngine
import VaultModel

/// Runs the tasks of one script: each until it waits, whenever the main chunk waits.
///
/// A wait in a task parks it. Where it cannot be parked, because Lua code that cannot yield stands between, the wait
/// holds up all tasks, and what it waits for must not be one of them. Confined to the Lua thread.
final class Scheduler {
    private let mailbox: Mailbox
    let main: ScriptTask
    /// The task whose code is running.
    private(set) var current: ScriptTask
    /// The calls with a scope, and those of `vault.with`, that coroutines are in.
    var calls = CoroutineScopes<CallScope>()
    var vaults = CoroutineScopes<WithScope>()
    private unowned let session: ScriptSession
    private var live: [ObjectIdentifier: ScriptTask] = [:]
    private var ready: [ScriptTask] = []
    private var head = 0
    private var timers = TimerQueue()
    /// How many operations will come to their end by the mailbox.
    private var operations = 0
    /// Operations that wait until one of those has.
    private var queued: [PendingOperation] = []
    private var queuedHead = 0
    /// What is waited for with a progress function.
    private var reporting: [Pending] = []
    /// What the program shows the progress of.
    private var transfers: [Pending] = []
    private var lastNumber = 0
    private var waitCount = 0
    private var isOutOfMemory = false

    /// Operations that run at once, since each has memory of its own, and some an open file.
    private static let operationsMax = 256
    /// Tasks that run before times and interrupts are looked at again.
    private static let roundMax = 1000
    /// How long each wait takes of what was stopped long ago and does not end.
    private static let overduePauseSeconds = 0.1
    /// How often an interrupt is looked for, and progress told.
    private static let pollSeconds = 0.05

    init(_ session: ScriptSession) {
        self.session = session
        mailbox = session.mailbox
        main = ScriptTask(0, nil, in: nil, session)
        main.state = .running
        current = main
    }

    // MARK: Tasks

    /// Whether the main chunk was asked to end.
    var isStopped: Bool { isOutOfMemory || main.cancellation != nil }

    /// How many tasks have not ended.
    var taskCount: Int { live.count }

    /// Makes a task that is ready.
    ///
    /// - Parameter scope: what it belongs to; nil for the innermost that the call is in.
    func spawn(_ fiber: LuaFiber, in scope: TaskScope? = nil, _ call: borrowing LuaCall) -> ScriptTask {
        lastNumber += 1
        // A finalizer runs in the middle of anything.
        let parent = call.isFinalizing ? main : scope ?? calls.innermost(of: call) ?? current
        let task = ScriptTask(
            lastNumber, fiber, in: parent, session, vault: call.isFinalizing ? nil : vault(of: call))
        live[ObjectIdentifier(task)] = task
        ready.append(task)
        return task
    }

    /// The vault that a call acts on which names none; nil for the script's.
    func vault(of call: borrowing LuaCall) -> VaultSource? {
        vaults.innermost(of: call)?.vault ?? current.inheritedVault
    }

    /// Lets each task that is ready now run until it waits; fewer where there are very many, or the script is stopped.
    private func runReady() {
        let isStopping = session.interrupt.isInterrupted
        for _ in 0..<min(ready.count - head, Scheduler.roundMax) {
            let task = ready[head]
            head += 1
            run(task)
            if !isStopping, session.interrupt.isInterrupted { break }
        }
        ready.removeFirst(head)
        head = 0
    }

    private func run(_ task: ScriptTask) {
        guard let fiber = task.fiber, case .ready = task.state else { return }
        let outer = current
        current = task
        task.state = .running
        let halt = fiber.resume()
        current = outer
        switch halt {
        case .parked:
            task.state = .waiting
            if task.isOverdue { return close(task) }
            // What ended between its beginning and here has woken nobody.
            if task.waitsFor?.isOver ?? true { wake(task) }
        case .ended: end(task, .returned)
        case .failed(let error):
            let isCancelled = task.cancellation != nil && ErrorValue.code(of: error, in: session.state) == .cancelled
            end(task, isCancelled ? .cancelled(error) : .failed(error))
        }
    }

    private func wake(_ task: ScriptTask) {
        guard case .waiting = task.state else { return }
        task.state = .ready
        ready.append(task)
    }

    /// Ends a task, whose own tasks end before it unless it has come to its end by itself.
    private func end(_ task: ScriptTask, _ ending: ScriptTask.Ending) {
        task.waitsFor?.dispose()
        task.waitsFor = nil
        task.cancellation?.timer?.cancel()
        switch ending {
        // What it had begun was to end with it, however it took that itself.
        case .returned: if task.isCancelled { task.cancelTasks() }
        case .failed(let error):
            session.noteFailure(of: task.number, error)
            task.cancelTasks()
            // Raised by a callback, it is an error like others.
            if error.code == .memory || error.message.hasSuffix("not enough memory") { stopForMemory() }
        case .cancelled, .unbegun: task.cancelTasks()
        }
        task.state = .ending(ending)
        // Whether it is the last that another one waits for.
        var next: ScriptTask? = task
        while let task = next, case .ending(let ending) = task.state {
            if task.hasTasks, !ending.isReturn || task.isCancelled { return }
            next = finishEnd(of: task, ending)
        }
    }

    /// - Returns: the task that it belongs to.
    private func finishEnd(of task: ScriptTask, _ ending: ScriptTask.Ending) -> ScriptTask? {
        task.state = .ended(ending)
        live[ObjectIdentifier(task)] = nil
        task.handOver()
        let scope = task.scope
        scope?.remove(task)
        task.scope = nil
        let joiners = task.joiners
        task.joiners = []
        for joiner in joiners { finish(joiner) }
        if live.isEmpty, let rest = main.waitsFor as? PendingRest { finish(rest) }
        return scope as? ScriptTask ?? (scope as? CallScope)?.owner
    }

    /// Stops the script, whose tasks would fail one by one, each after a search for garbage.
    private func stopForMemory() {
        if isOutOfMemory { return }
        isOutOfMemory = true
        session.state.memoryLimitBytes = session.state.memoryLimitBytes.map { 2 * $0 }
        let error = VaultError(.internal, "The script is at its end: not enough memory.")
        main.stop(error)
        // Those that have not begun end without any.
        for task in ready[head...] { task.stop(error) }
        main.cancelTasks()
    }

    /// Ends a task that was cancelled before it began.
    func endUnbegun(_ task: ScriptTask, _ error: VaultError) {
        end(task, .unbegun(error))
    }

    /// Sees to it that what was stopped comes to an end when its time to clean up is over: a task is closed as soon as it
    /// waits, and other waits end.
    func limitGrace(of task: ScriptTask, _ stop: Stop) {
        guard let end = stop.graceEnd else { return }
        stop.timer = timers.add(end) { [weak self, weak task, weak stop] in
            guard let self, let task, let stop, !task.hasEnded else { return }
            if task.cancellation === stop, case .waiting = task.state { return close(task) }
            guard let wait = task.waitsFor else { return }
            if task.cancellation === stop || wait.calls.contains(where: { $0.stop === stop }) { wait.cancel() }
        }
    }

    private func close(_ task: ScriptTask) {
        let pending = task.waitsFor
        task.waitsFor = nil
        pending?.waiter = nil
        pending?.cancel()
        let outer = current
        task.isClosing = true
        current = task
        task.fiber?.close()
        current = outer
        let error = VaultError(
            .cancelled, "The task was cancelled and had not ended \(Int(Stop.graceSeconds)) s later: it was closed.")
        end(task, .cancelled(ErrorValue.luaError(error, operation: "cancel", session)))
    }

    // MARK: The end of the script

    /// Runs what is left to its end, which a failed script's tasks are asked for.
    func finish(isFailed: Bool) {
        if isFailed { main.cancelTasks() }
        if live.isEmpty { return }
        let rest = PendingRest()
        main.waitsFor = rest
        defer { main.waitsFor = nil }
        wait(for: rest, alone: false)
    }

    /// Gives up what is left: the program that made the state closes it, and nothing can run any more.
    func abandon() {
        for task in live.values { task.waitsFor?.waiter = nil }
        cancelWaits()
        guard !live.isEmpty else { return }
        let tasks = live.count == 1 ? "1 task" : "\(live.count) tasks"
        session.tell("\(tasks) had not ended when the script did; vault.wait_all waits for them.")
    }

    // MARK: Waiting

    /// Begins to wait for `pending`: parks the running task, or stays here until the end.
    ///
    /// - Parameters:
    ///   - calls: the calls with a scope that the wait is in.
    ///   - body: goes on with the call when it is over.
    func await(
        _ pending: Pending, in calls: [CallScope], _ call: borrowing LuaCall, _ body: @escaping LuaFunction.Body
    ) throws {
        let task = current
        waitCount += 1
        pending.number = waitCount
        (pending.owner, pending.calls) = (task, calls)
        task.waitsFor = pending
        for scope in calls { scope.wait = pending }
        if pending.progress != nil { reporting.append(pending) }
        if pending.meter != nil, session.host.draw != nil { transfers.append(pending) }
        if task.fiber != nil, call.canPark {
            pending.waiter = task
            call.park { [self] call in try goOn(task, calls, call, body) }
        } else {
            wait(for: pending, alone: task !== main)
            try goOn(task, calls, call, body)
        }
    }

    private func goOn(
        _ task: ScriptTask, _ calls: [CallScope], _ call: borrowing LuaCall, _ body: LuaFunction.Body
    ) throws {
        task.waitsFor = nil
        do {
            try body(call)
        } catch let error as LuaError {
            // A task that was stopped may learn it from one that it waits for.
            if ErrorValue.code(of: error, in: session.state) == .cancelled { _ = task.takeStop(in: calls) }
            throw error
        }
    }

    /// Throws what keeps the running task from waiting at all.
    ///
    /// - Returns: the calls with a scope that the wait is in; nil where another wait has been begun instead, of a task
    ///   that should have ended long ago.
    func checkWait(_ call: borrowing LuaCall, _ site: CallSite) throws -> [CallScope]? {
        if session.isReporting { throw LuaError.message("a progress function cannot wait for the vault") }
        if call.isFinalizing { throw LuaError.message("a finalizer cannot wait for the vault") }
        if handOnInterrupt(isAboutToWait: true) { throw VaultError.cancelled }
        let calls = self.calls.all(of: call)
        if let error = current.takeStop(in: calls) { throw error }
        if current.fiber != nil, current.isOverdue, !current.isClosing, call.canPark {
            // It is closed as soon as it is parked.
            call.park { _ in }
            return nil
        }
        guard let error = current.overdueStop(in: calls) else { return calls }
        if current.isClosing { throw error }
        // It goes on trying, and is not to keep others from their work.
        let pause = PendingTimer(Scheduler.overduePauseSeconds, self)
        pause.begin()
        try self.await(pause, in: [], call) { _ in try site.perform { throw error } }
        return nil
    }

    /// Throws `invalid` where waiting for tasks could never end.
    func checkWait(for pending: PendingEvent, _ call: borrowing LuaCall) throws(VaultError) {
        guard pending is PendingTasks else { return }
        if !canWaitForTasks(call) {
            throw VaultError(
                .invalid,
                "A task cannot be waited for here: Lua code that cannot yield stands between, so that no other runs.")
        }
        var waiting: Set = [ObjectIdentifier(current)]
        if !pending.canEnd(without: &waiting) { throw .endlessWait }
    }

    /// Whether tasks can run while the running one waits.
    func canWaitForTasks(_ call: borrowing LuaCall) -> Bool {
        current === main || call.canPark
    }

    /// What a wait that was cancelled throws in the running task: why, and what is known of the operation.
    func cancelled(_ error: VaultError, in calls: [CallScope]) -> VaultError {
        guard error.code == .cancelled, var stop = current.takeStop(in: calls) ?? current.overdueStop(in: calls) else {
            return error
        }
        (stop.name, stop.path, stop.cause, stop.isUncertain) = (error.name, error.path, error.cause, error.isUncertain)
        return stop
    }

    /// Begins an operation, now or when there is room for it.
    func begin(_ operation: PendingOperation) {
        queued.append(operation)
        beginQueued()
    }

    private func beginQueued() {
        while operations < Scheduler.operationsMax, queuedHead < queued.count {
            let operation = queued[queuedHead]
            queuedHead += 1
            if operation.isOver { continue }
            operations += 1
            operation.begin(mailbox)
        }
        if queuedHead == queued.count || queuedHead >= 1024 {
            queued.removeFirst(queuedHead)
            queuedHead = 0
        }
    }

    /// Calls `action` after some time, while something is waited for.
    func after(_ seconds: Double, _ action: @escaping () -> Void) -> TimerQueue.Timer {
        timers.add(.now + seconds, action)
    }

    /// Notes that something has come to its end.
    func finish(_ pending: Pending) {
        guard !pending.isOver else { return }
        pending.isOver = true
        pending.turn?.give()
        pending.dispose()
        let waiter = pending.waiter
        (pending.waiter, pending.turn, pending.calls) = (nil, nil, [])
        if let waiter { wake(waiter) }
    }

    /// Lets things happen until `pending` is over.
    ///
    /// - Parameter alone: whether the tasks stand still meanwhile.
    private func wait(for pending: Pending, alone: Bool) {
        while true {
            advance(for: alone ? pending : nil)
            draw()
            if pending.isOver { return }
            let isIdle = alone || head == ready.count
            let next = timers.next()
            if isIdle, operations == 0, next == nil {
                breakDeadlock()
                continue
            }
            receive(until: isIdle ? min(next ?? .distantFuture, .now + Scheduler.pollSeconds) : nil)
            if alone, pending.isOver { return draw() }
        }
    }

    /// Waits for an operation of the program itself, outside of the script's code.
    @discardableResult
    func result<Value: Sendable>(of operation: @escaping PendingResult<Value>.Operation) throws(VaultError) -> Value {
        let pending = PendingResult(self, isBrief: true, operation)
        begin(pending)
        wait(for: pending, alone: false)
        return try pending.value()
    }

    /// Lets the tasks go on while the script waits for nothing.
    ///
    /// - Returns: whether there are any.
    func runBriefly() -> Bool {
        if live.isEmpty { return false }
        receive(until: nil)
        advance(for: nil)
        return !live.isEmpty
    }

    /// Does what there is to be done now.
    ///
    /// - Parameter alone: what is waited for while the tasks stand still.
    private func advance(for alone: Pending?) {
        if alone == nil { runReady() }
        for action in timers.takeDue(.now) { action() }
        if handOnInterrupt(isAboutToWait: false) { cancelWaits() }
        reporting.removeAll { $0.owner?.hasEnded ?? true }
        for watched in reporting where alone == nil || watched === alone { report(watched) }
    }

    /// Has the program show the transfer that began first of those under way.
    private func draw() {
        guard let draw = session.host.draw, !transfers.isEmpty else { return }
        transfers.removeAll { $0.isOver }
        draw(transfers.first?.meter)
    }

    private func receive(until deadline: Moment?) {
        for arrived in mailbox.receive(until: deadline) {
            operations -= 1
            finish(arrived)
        }
        beginQueued()
    }

    /// Hands on what the script is asked for: to its main chunk, and to all its tasks.
    ///
    /// - Returns: whether the script is interrupted for good.
    private func handOnInterrupt(isAboutToWait: Bool) -> Bool {
        // Looked at first: one that comes from here on is for the next time.
        let isInterrupted = session.interrupt.isInterrupted
        stopIfAsked(isAboutToWait: isAboutToWait)
        return isInterrupted && session.interrupt.isInterrupted
    }

    private func stopIfAsked(isAboutToWait: Bool) {
        guard let stop = session.stop, main.cancellation == nil, let reason = stop.reason else { return }
        let isUntold = stop.interrupt.takeOnce()
        // Code of the main chunk that runs has had its error, or takes it here; when it waits, tasks run.
        if isAboutToWait, current === main, !isUntold { main.noteStop(reason) } else { main.stop(reason) }
        main.cancelTasks()
    }

    private func cancelWaits() {
        main.cancelWait()
        for task in live.values { task.cancelWait() }
    }

    /// Fails the youngest of the waits for tasks, where all that is left waits for each other.
    private func breakDeadlock() {
        let waits = live.values.compactMap { $0.waitsFor as? PendingTasks }
        guard let youngest = waits.max(by: { $0.number < $1.number }) else {
            preconditionFailure("a task waits for nothing")
        }
        youngest.fail(.endlessWait)
    }

    private func report(_ pending: Pending) {
        guard let progress = pending.progress, !pending.isOver, pending.progressFailure == nil,
            let owner = pending.owner
        else { return }
        let outer = current
        current = owner
        defer { current = outer }
        do {
            try progress.report(session, isLast: false)
        } catch {
            pending.progressFailure = error
            pending.cancel()
        }
    }

    /// Tells the last of the progress of what is over, and throws what a progress function has raised.
    func finishReports(of pending: Pending, isSuccess: Bool) throws {
        guard let progress = pending.progress else { return }
        reporting.removeAll { $0 === pending }
        if let failure = pending.progressFailure { throw failure }
        if isSuccess { try progress.report(session, isLast: true) }
    }
}

extension VaultError {
    static let endlessWait = VaultError(.invalid, "This wait could never end: what it waits for waits for it.")
}
