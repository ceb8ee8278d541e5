import Glibc
import VaultModel

/// Lets many use what one closes: the closing waits for those inside, and who comes later is refused.
///
/// `@unchecked Sendable`: `isClosed` is only touched with `lock` held.
final class ClosingGate: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_rwlock_t>
    private var isClosed = false

    init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_rwlock_t())
        pthread_rwlock_init(lock, nil)
    }

    deinit {
        pthread_rwlock_destroy(lock)
        lock.deallocate()
    }

    /// - Throws: `unavailable` once it is closed, and what `body` throws.
    func enter<Value>(_ body: () throws -> Value) throws -> Value {
        pthread_rwlock_rdlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        if isClosed { throw VaultError(.unavailable, "The vault has been closed.") }
        return try body()
    }

    func close(_ body: () -> Void) {
        pthread_rwlock_wrlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        if isClosed { return }
        isClosed = true
        body()
    }
}
