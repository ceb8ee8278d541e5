import Synchronization
import VaultModel

/// Something that a script waits for, which comes to its end once.
///
/// Confined to the Lua thread, but for how `PendingResult` gets its result.
class Pending {
    /// The how-manieth wait of the script it is.
    var number = 0
    /// The task that is parked until the end. Let go of there, since whoever ends an operation holds this a while longer,
    /// on another thread.
    var waiter: ScriptTask?
    /// Whose wait it is, parked or not.
    weak var owner: ScriptTask?
    /// The calls with a scope that the wait is in, the innermost last.
    var calls: [CallScope] = []
    var isOver = false
    /// What nothing else may use before the end.
    var turn: Turn?
    /// What tells the script how far it is.
    var progress: ProgressReporter?
    /// What the program shows of it.
    var meter: TransferMeter?
    /// What the script's progress function raised, by which it has cancelled what it watches.
    var progressFailure: (any Error)?

    /// Asks for an early end.
    func cancel() {}

    /// Is told of the end, to let go of what would tell it.
    func dispose() {}

    /// Whether something can still bring about the end while `waiting` do not go on.
    func canEnd(without waiting: inout Set<ObjectIdentifier>) -> Bool { true }
}

/// An operation that runs beside the script.
class PendingOperation: Pending {
    /// Begins it: from then on the mailbox tells of its end.
    func begin(_ mailbox: Mailbox) {}
}

/// An operation of a vault, or another one, and its result.
///
/// `@unchecked Sendable`: `result` is written before the mailbox's lock is taken to post this, and read after.
final class PendingResult<Value: Sendable>: PendingOperation, @unchecked Sendable {
    typealias Operation = @Sendable () async throws(VaultError) -> Value

    private enum Stage: UInt8, AtomicRepresentable {
        /// Neither begun nor cancelled.
        case waiting
        case running
        /// Cancelled before it ran.
        case abandoned
    }

    private let operation: Operation
    private let stage = Atomic<Stage>(.waiting)
    private let isBrief: Bool
    private var result: Result<Value, VaultError>?
    private var task: Task<Void, Never>?
    private unowned let scheduler: Scheduler

    /// - Parameter isBrief: whether the operation does nothing side by side: it runs on the waiting thread, since each
    ///   other thread on its way costs a wake-up, of which a question to a server has few others.
    init(_ scheduler: Scheduler, isBrief: Bool, _ operation: @escaping Operation) {
        self.scheduler = scheduler
        self.isBrief = isBrief
        self.operation = operation
    }

    override func begin(_ mailbox: Mailbox) {
        let executor: any TaskExecutor = isBrief ? mailbox : BlockingExecutor.shared
        task = Task(executorPreference: executor) { [self] in
            if stage.compareExchange(expected: .waiting, desired: .running, ordering: .acquiringAndReleasing).exchanged
            {
                do throws(VaultError) {
                    result = .success(try await operation())
                } catch {
                    result = .failure(error)
                }
            }
            mailbox.post(self)
        }
    }

    override func cancel() {
        if isOver { return }
        // What waits for a thread need not any more.
        if stage.compareExchange(expected: .waiting, desired: .abandoned, ordering: .acquiringAndReleasing).exchanged {
            result = .failure(.cancelled)
            scheduler.finish(self)
        } else {
            task?.cancel()
        }
    }

    var isSuccess: Bool {
        if case .success? = result { return true }
        return false
    }

    func value() throws(VaultError) -> Value {
        guard let result else { throw .cancelled }
        return try result.get()
    }
}

/// A wait that the scheduler itself ends.
class PendingEvent: Pending {
    fileprivate unowned let scheduler: Scheduler
    /// Why it was ended early.
    private(set) var failure: VaultError?

    init(_ scheduler: Scheduler) {
        self.scheduler = scheduler
    }

    /// Begins to look for the end.
    func begin() {}

    override func cancel() {
        fail(.cancelled)
    }

    func fail(_ error: VaultError) {
        guard !isOver else { return }
        failure = error
        scheduler.finish(self)
    }
}

/// The end of a time.
final class PendingTimer: PendingEvent {
    private let seconds: Double
    private var timer: TimerQueue.Timer?

    init(_ seconds: Double, _ scheduler: Scheduler) {
        self.seconds = seconds
        super.init(scheduler)
    }

    override func begin() {
        timer = scheduler.after(seconds) { [self] in scheduler.finish(self) }
    }

    override func dispose() {
        timer?.cancel()
        timer = nil
    }
}

/// The end of one of some tasks.
class PendingTasks: PendingEvent {
    fileprivate var tasks: [ScriptTask]

    init(_ tasks: [ScriptTask], _ scheduler: Scheduler) {
        self.tasks = tasks
        super.init(scheduler)
    }

    override func begin() {
        for task in tasks { task.joiners.append(self) }
    }

    override func dispose() {
        for task in tasks { task.joiners.removeAll { $0 === self } }
        tasks = []
    }

    override func canEnd(without waiting: inout Set<ObjectIdentifier>) -> Bool {
        for task in tasks where task.canGoOn(without: &waiting) { return true }
        return false
    }
}

/// The next end of a task in a scope.
final class PendingScope: PendingTasks {
    private let scope: CallScope

    init(_ scope: CallScope, _ scheduler: Scheduler) {
        self.scope = scope
        super.init([], scheduler)
    }

    override func begin() {
        scope.waiting = self
    }

    override func dispose() {
        scope.waiting = nil
    }

    override func canEnd(without waiting: inout Set<ObjectIdentifier>) -> Bool {
        for task in scope.tasks where task.canGoOn(without: &waiting) { return true }
        return false
    }
}

/// The end of all tasks of a script.
final class PendingRest: Pending {}
