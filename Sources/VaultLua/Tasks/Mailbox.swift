import Glibc
import VaultModel

/// Where a Lua thread learns what other threads have done for it, and an executor that uses the thread while it waits.
///
/// `@unchecked Sendable`: `jobs`, `head` and `arrived` are only touched with `lock` held.
final class Mailbox: TaskExecutor, @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let isNews: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [UnownedJob] = []
    private var head = 0
    private var arrived: [Pending] = []
    /// Whether the Lua thread looks no more.
    private var isClosed = false

    init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        isNews = .allocate(capacity: 1)
        isNews.initialize(to: pthread_cond_t())
        pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(isNews, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(isNews)
        pthread_mutex_destroy(lock)
        isNews.deallocate()
        lock.deallocate()
    }

    /// Hands over what has come to its end.
    func post(_ pending: sending Pending) {
        pthread_mutex_lock(lock)
        arrived.append(pending)
        pthread_mutex_unlock(lock)
        // After the lock, which the woken thread would only wait for.
        pthread_cond_signal(isNews)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(lock)
        let isLate = isClosed
        if !isLate { jobs.append(job) }
        pthread_mutex_unlock(lock)
        if isLate { BlockingExecutor.shared.enqueue(ExecutorJob(job)) } else { pthread_cond_signal(isNews) }
    }

    /// Leaves what is still to be done to other threads.
    func close() {
        pthread_mutex_lock(lock)
        isClosed = true
        let left = jobs[head...]
        (jobs, head) = ([], 0)
        pthread_mutex_unlock(lock)
        for job in left { BlockingExecutor.shared.enqueue(ExecutorJob(job)) }
    }

    /// Runs the jobs that come until something has arrived, and takes that; nothing at the deadline.
    ///
    /// - Parameter deadline: nil for what is there already.
    func receive(until deadline: Moment?) -> [Pending] {
        let waits = deadline != nil
        var end = (deadline ?? .distantFuture).timespec
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while arrived.isEmpty {
            if head < jobs.count {
                let job = jobs[head]
                head += 1
                if head == jobs.count {
                    jobs.removeAll(keepingCapacity: head <= 1024)
                    head = 0
                }
                pthread_mutex_unlock(lock)
                job.runSynchronously(on: asUnownedTaskExecutor())
                pthread_mutex_lock(lock)
            } else if !waits || pthread_cond_timedwait(isNews, lock, &end) == ETIMEDOUT {
                break
            }
        }
        if arrived.isEmpty { return [] }
        defer { arrived.removeAll(keepingCapacity: arrived.count <= 1024) }
        return arrived
    }
}
