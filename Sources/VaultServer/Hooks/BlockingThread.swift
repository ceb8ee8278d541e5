import Glibc

/// A thread for one piece of work that may block for long.
package struct BlockingThread {
    /// False where the system has no thread left.
    package let isStarted: Bool

    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    package init(_ body: @escaping @Sendable () -> Void) {
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        isStarted = status == 0
        if isStarted { pthread_detach(thread) } else { work.release() }
    }
}
