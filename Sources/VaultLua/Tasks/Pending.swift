import VaultModel

/// Something that a script waits for, which comes to its end once.
///
/// Confined to the Lua thread, but for how `PendingResult` gets its result.
class Pending {
    /// The how-manieth wait of the script it is.
    var number = 0
    /// The task that is parked until the end.
    var waiter: ScriptTask?
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
}

/// Who may use something that one operation at a time can use, such as an open file.
final class Turn {
    private var isTaken = false

    /// - Throws: `invalid` while another task is using it.
    func check() throws(VaultError) {
        if isTaken { throw VaultError(.invalid, "Another task is using this just now; give each task one of its own.") }
    }

    func take() throws(VaultError) {
        try check()
        isTaken = true
    }

    func give() {
        isTaken = false
    }
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

    private var operation: Operation?
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
        guard let operation else { return mailbox.post(self) }
        self.operation = nil
        let executor: any TaskExecutor = isBrief ? mailbox : BlockingExecutor.shared
        task = Task(executorPreference: executor) {
            do throws(VaultError) {
                self.result = .success(try await operation())
            } catch {
                self.result = .failure(error)
            }
            mailbox.post(self)
        }
    }

    override func cancel() {
        if let task { return task.cancel() }
        guard operation != nil else { return }
        // It waits for its turn, and need not any more.
        operation = nil
        result = .failure(.cancelled)
        scheduler.finish(self)
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
    private unowned let scheduler: Scheduler
    /// Why it was ended early.
    private(set) var failure: VaultError?

    init(_ scheduler: Scheduler) {
        self.scheduler = scheduler
    }

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
    var timer: TimerQueue.Timer?

    override func dispose() {
        timer?.cancel()
        timer = nil
    }
}

/// The end of one of some tasks, or of one of a scope's.
final class PendingTasks: PendingEvent {
    private let tasks: [ScriptTask]

    init(_ tasks: [ScriptTask], _ scheduler: Scheduler) {
        self.tasks = tasks
        super.init(scheduler)
        for task in tasks { task.joiners.append(self) }
    }

    /// The only task that is waited for.
    var target: ScriptTask? { tasks.count == 1 ? tasks[0] : nil }

    override func dispose() {
        for task in tasks { task.joiners.removeAll { $0 === self } }
    }
}

/// The end of all tasks of a script.
final class PendingRest: Pending {}
