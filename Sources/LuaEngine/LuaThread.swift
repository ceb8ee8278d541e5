import Glibc

/// Threads for Lua states: with a stack that is deep enough for Lua's own limits on nesting.
package enum LuaThread {
    /// 200 nested C calls (LUAI_MAXCCALLS of 5.4.4) with Swift callbacks between them use less than a tenth of this.
    package static let stackSizeBytes = 16 << 20

    /// Runs `body` on a new thread, which ends with it, and returns what it returns or throws.
    ///
    /// The body makes, uses and closes its state there. When the waiting task is cancelled, `interrupt` (the one in the
    /// state's options) is raised; the call still waits for the body to end.
    ///
    /// - Throws: what `body` throws; `LuaError` of code `memory` when no thread can be made.
    package static func run<Result: Sendable>(
        interrupt: LuaInterrupt? = nil, _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let work = Work { continuation.resume(with: Swift.Result { try body() }) }
                if !start(work) { continuation.resume(throwing: LuaError.outOfMemory) }
            }
        } onCancel: {
            interrupt?.interrupt()
        }
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    private static func start(_ work: Work) -> Bool {
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return false }
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSizeBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let context = Unmanaged.passRetained(work)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                // Whoever starts the thread may have blocked signals, which programs that scripts start would inherit.
                var none = sigset_t()
                sigemptyset(&none)
                pthread_sigmask(SIG_SETMASK, &none, nil)
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, context.toOpaque())
        if status != 0 { context.release() }
        return status == 0
    }
}
