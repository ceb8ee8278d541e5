import LuaEngine
import VaultModel

/// Where in a script something is done: by which function. Makes Lua errors of the vault's errors.
struct CallSite {
    unowned let session: ScriptSession
    /// What `err.operation` says.
    let name: String

    init(_ session: ScriptSession, _ name: String) {
        self.session = session
        self.name = name
    }

    func luaError(_ error: VaultError, report: (any LuaWritable)? = nil) -> LuaError {
        ErrorValue.luaError(error, operation: name, report: report, session)
    }

    /// Runs `body`, and makes Lua errors of the vault's.
    func perform(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as VaultError {
            throw luaError(error)
        }
    }

    /// Runs an operation beside the script while the running task waits, and goes on with its result.
    ///
    /// An interrupt of the state, and cancelling the task, cancels the operation; so does an error in the progress
    /// function, which is then raised. The last statement of a callback: see `LuaCall.park`.
    ///
    /// - Parameters:
    ///   - progress: is told about the operation now and then, and once at its end.
    ///   - meter: counts the operation, for the program to show where the script does not watch.
    ///   - turn: of what the operation uses alone.
    ///   - isBrief: see `PendingResult`.
    func wait<Value: Sendable>(
        _ call: borrowing LuaCall, _ progress: ProgressReporter? = nil, meter: TransferMeter? = nil, turn: Turn? = nil,
        isBrief: Bool = false,
        _ operation: @escaping @Sendable () async throws(VaultError) -> Value,
        then body: @escaping (Value, borrowing LuaCall) throws -> Void
    ) throws {
        try perform {
            let scheduler = session.scheduler
            guard let calls = try scheduler.checkWait(call, self) else { return }
            let pending = PendingResult(scheduler, isBrief: isBrief, operation)
            pending.progress = progress
            pending.meter = progress == nil ? meter : nil
            try turn?.take()
            pending.turn = turn
            scheduler.begin(pending)
            try scheduler.await(pending, in: calls, call) { call in
                try perform {
                    try scheduler.finishReports(of: pending, isSuccess: pending.isSuccess)
                    let value: Value
                    do throws(VaultError) {
                        value = try pending.value()
                    } catch {
                        throw scheduler.cancelled(error, in: calls)
                    }
                    try body(value, call)
                }
            }
        }
    }

    /// The same for what the scheduler itself ends.
    func wait(for pending: PendingEvent, _ call: borrowing LuaCall, then body: @escaping LuaFunction.Body) throws {
        try perform {
            let scheduler = session.scheduler
            guard let calls = try scheduler.checkWait(call, self) else { return }
            try scheduler.checkWait(for: pending, call)
            pending.begin()
            try scheduler.await(pending, in: calls, call) { call in
                try perform {
                    if let failure = pending.failure { throw scheduler.cancelled(failure, in: calls) }
                    try body(call)
                }
            }
        }
    }
}
