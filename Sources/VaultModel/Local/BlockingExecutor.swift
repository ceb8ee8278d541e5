import Glibc
import Synchronization

/// Runs tasks on a few threads of its own, which may block in system calls.
///
/// Swift's shared executor has one thread a core and none to spare for waiting on a disk. A task that
/// prefers this executor takes its children along.
package final class BlockingExecutor: TaskExecutor {
    /// The executor of transfers and of a vault in a directory.
    package static let shared = BlockingExecutor(threads: 4)

    private let queue = JobQueue()

    /// Makes an executor whose threads live as long as the process, so it is for a static property.
    package init(threads: Int) {
        for _ in 0..<threads { queue.startThread(of: self) }
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        queue.append(UnownedJob(job))
    }

    /// Runs `body` with this executor preferred by it and its children.
    package static func run<Result: Sendable>(
        _ body: @escaping @Sendable () async throws(VaultError) -> Result
    ) async throws(VaultError) -> Result {
        try await mappingErrors {
            try await withTaskExecutorPreference(shared) { try await body() }
        }
    }

    fileprivate func runNext() {
        queue.next().runSynchronously(on: asUnownedTaskExecutor())
    }
}

/// A queue of jobs under a lock, since Swift's mutex has no condition to wait on.
///
/// `@unchecked Sendable`: `jobs` and `head` are only touched with `lock` held.
private final class JobQueue: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let isFilled: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [UnownedJob] = []
    private var head = 0

    init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        isFilled = .allocate(capacity: 1)
        isFilled.initialize(to: pthread_cond_t())
        pthread_mutex_init(lock, nil)
        pthread_cond_init(isFilled, nil)
    }

    func append(_ job: UnownedJob) {
        pthread_mutex_lock(lock)
        jobs.append(job)
        pthread_mutex_unlock(lock)
        // After the lock, which the woken thread would only wait for.
        pthread_cond_signal(isFilled)
    }

    func next() -> UnownedJob {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while head == jobs.count { pthread_cond_wait(isFilled, lock) }
        let job = jobs[head]
        head += 1
        // What is done is dropped now and then, also while there is always more to do.
        if head == jobs.count || head >= 4096 {
            jobs.removeFirst(head)
            head = 0
        }
        return job
    }

    func startThread(of executor: BlockingExecutor) {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(executor).toOpaque()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let executor = Unmanaged<BlockingExecutor>.fromOpaque(argument).takeRetainedValue()
                while true { executor.runNext() }
            }, argument)
        precondition(status == 0, "the system has no thread left")
        pthread_detach(thread)
    }
}
