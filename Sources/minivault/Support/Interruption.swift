import Glibc
import Synchronization

/// Turns SIGINT and SIGTERM into a request to stop; the second one ends the process at once.
///
/// The handler only writes a byte to a pipe; a thread reads it and calls what is to be done. Signals are
/// handled, never blocked or ignored, since child processes would inherit that.
enum Interruption {
    private static let action = Mutex<(@Sendable () -> Void)?>(nil)
    private static let isLasting = Atomic<Bool>(false)
    private static let pipeBreaking = Mutex<(@Sendable () -> Void)?>(nil)
    private static let reloading = Mutex<(@Sendable () -> Void)?>(nil)

    /// Calls `body` from now on at SIGHUP, which is a request to stop otherwise.
    static func whenAskedToReload(_ body: @escaping @Sendable () -> Void) {
        reloading.withLock { $0 = body }
    }

    /// Calls `body` from now on when the process is asked to stop.
    ///
    /// - Parameter isLasting: whether SIGINT only ever calls it, since it ends what is under way and not the program.
    static func whenAsked(isLasting: Bool = false, _ body: @escaping @Sendable () -> Void) {
        self.isLasting.store(isLasting, ordering: .relaxed)
        let isFirst = action.withLock { action in
            defer { action = body }
            return action == nil
        }
        if isFirst { install() }
    }

    /// Calls `body` when something writes to a pipe that nobody reads, as long as no other handler takes this one's place.
    static func whenPipeBreaks(_ body: @escaping @Sendable () -> Void) {
        pipeBreaking.withLock { $0 = body }
        var handler = handlerOfSignals
        sigaction(SIGPIPE, &handler, nil)
    }

    private static func install() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        signalPipe.store(ends[1], ordering: .releasing)
        startReader(ends[0])
        var handler = handlerOfSignals
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaction(signal, &handler, nil) }
    }

    private static var handlerOfSignals: sigaction {
        var handler = sigaction()
        handler.__sigaction_handler.sa_handler = { signal in
            var byte = UInt8(truncatingIfNeeded: signal)
            let saved = errno
            _ = write(signalPipe.load(ordering: .acquiring), &byte, 1)
            errno = saved
        }
        handler.sa_flags = SA_RESTART
        return handler
    }

    private static func startReader(_ descriptor: Int32) {
        var thread = pthread_t()
        let argument = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
        argument.initialize(to: descriptor)
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let descriptor = argument?.assumingMemoryBound(to: Int32.self).pointee else { return nil }
                argument?.deallocate()
                Interruption.readRequests(descriptor)
                return nil
            }, argument)
        if status == 0 { pthread_detach(thread) }
    }

    private static func readRequests(_ descriptor: Int32) {
        var count = 0
        var byte: UInt8 = 0
        while true {
            let got = read(descriptor, &byte, 1)
            if got < 0, errno == EINTR { continue }
            if got <= 0 { return }
            if byte == UInt8(SIGHUP), let reload = reloading.withLock({ $0 }) {
                reload()
                continue
            }
            if byte == UInt8(SIGPIPE) {
                pipeBreaking.withLock { $0 }?()
                continue
            }
            if byte != UInt8(SIGINT) || !isLasting.load(ordering: .relaxed) { count += 1 }
            if count > 1 || (count == 1 && isLasting.load(ordering: .relaxed)) {
                _exit(ExitStatus.interrupted.rawValue)
            }
            action.withLock { $0 }?()
        }
    }
}

/// The writing end of the pipe, which the signal handler can reach.
private let signalPipe = Atomic<Int32>(-1)
