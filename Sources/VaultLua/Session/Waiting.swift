import Glibc
import LuaEngine
import VaultModel

/// The result of an operation that a Lua thread waits for, and an executor that uses this thread meanwhile.
///
/// `@unchecked Sendable`: `result` and `jobs` are only touched with `lock` held.
private final class Completion<Value: Sendable>: TaskExecutor, @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    /// There is a result or a job.
    private let isNews: UnsafeMutablePointer<pthread_cond_t>
    private var result: Result<Value, VaultError>?
    private var jobs: [UnownedJob] = []

    init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        isNews = .allocate(capacity: 1)
        isNews.initialize(to: pthread_cond_t())
        pthread_mutex_init(lock, nil)
        pthread_cond_init(isNews, nil)
    }

    deinit {
        pthread_cond_destroy(isNews)
        pthread_mutex_destroy(lock)
        isNews.deallocate()
        lock.deallocate()
    }

    func finish(_ value: Result<Value, VaultError>) {
        pthread_mutex_lock(lock)
        result = value
        pthread_mutex_unlock(lock)
        // After the lock, which the woken thread would only wait for.
        pthread_cond_signal(isNews)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(lock)
        jobs.append(job)
        pthread_mutex_unlock(lock)
        // After the lock, which the woken thread would only wait for.
        pthread_cond_signal(isNews)
    }

    /// Runs the jobs that come, until there is a result; nil when it is not there after `milliseconds`.
    func wait(milliseconds: Int) -> Result<Value, VaultError>? {
        var end = timespec()
        clock_gettime(CLOCK_REALTIME, &end)
        end.tv_nsec += milliseconds * 1_000_000
        end.tv_sec += end.tv_nsec / 1_000_000_000
        end.tv_nsec %= 1_000_000_000
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while result == nil {
            if !jobs.isEmpty {
                let job = jobs.removeFirst()
                pthread_mutex_unlock(lock)
                job.runSynchronously(on: asUnownedTaskExecutor())
                pthread_mutex_lock(lock)
            } else if pthread_cond_timedwait(isNews, lock, &end) == ETIMEDOUT {
                break
            }
        }
        return result
    }
}

extension ScriptSession {
    private static let pollMilliseconds = 50

    /// Runs an operation of the vault to its end while the Lua thread waits.
    ///
    /// An interrupt of the state cancels the operation; so does an error in the progress function, which is
    /// then raised.
    ///
    /// - Parameters:
    ///   - progress: is told about the operation now and then, and once at its end.
    ///   - isBrief: whether the operation does nothing side by side: it runs on the waiting thread, since each other
    ///     thread on its way costs a wake-up, of which a question to a server has few others.
    func wait<Value: Sendable>(
        _ progress: ProgressReporter? = nil, isBrief: Bool = false,
        _ operation: @escaping @Sendable () async throws(VaultError) -> Value
    ) throws -> Value {
        guard !isReporting else { throw LuaError.message("a progress function cannot wait for the vault") }
        let completion = Completion<Value>()
        let executor: any TaskExecutor = isBrief ? completion : BlockingExecutor.shared
        let task = Task(executorPreference: executor) {
            do throws(VaultError) {
                completion.finish(.success(try await operation()))
            } catch {
                completion.finish(.failure(error))
            }
        }
        var failure: (any Error)?
        while true {
            if let result = completion.wait(milliseconds: ScriptSession.pollMilliseconds) {
                if failure == nil, case .success = result { try progress?.report(self, isLast: true) }
                if let failure { throw failure }
                return try result.get()
            }
            if interrupt.isInterrupted { task.cancel() }
            guard failure == nil else { continue }
            do {
                try progress?.report(self, isLast: false)
            } catch {
                failure = error
                task.cancel()
            }
        }
    }
}

/// Tells a script's progress function how far a transfer has come, at most ten times a second.
final class ProgressReporter {
    let meter = TransferMeter()
    private let function: LuaReference
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var last: ContinuousClock.Instant?

    init(_ function: LuaReference) {
        self.function = function
        start = clock.now
    }

    /// Calls the function, on a coroutine of its own.
    ///
    /// - Throws: what it raises; `cancelled` when it returns false.
    func report(_ session: ScriptSession, isLast: Bool) throws {
        let now = clock.now
        if !isLast, let last, now - last < .milliseconds(100) { return }
        last = now
        let reading = meter.reading
        let seconds = (now - start) / .seconds(1)
        let table = LuaTable(fields: [
            "name": reading.name?.bytes,
            "done": Int(clamping: reading.done),
            "total": reading.total > 0 ? Int(clamping: reading.total) : nil,
            "rate": seconds > 0 ? Double(reading.done) / seconds : 0,
            "reused": Int(clamping: reading.reused),
        ])
        session.isReporting = true
        defer { session.isReporting = false }
        if try session.state.call(function, table, on: .own).first == .boolean(false) {
            throw VaultError(.cancelled, "The progress function cancelled the operation.")
        }
    }
}
