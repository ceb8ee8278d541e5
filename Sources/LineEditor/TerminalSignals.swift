import Glibc
import Synchronization

/// The system's signals about the terminal: that it has another size, or that the program goes on after it was stopped.
enum TerminalSignals {
    private static let reader = Mutex<Int32>(-1)

    /// Begins to listen, once for the process.
    ///
    /// - Returns: what can be read from after a signal; negative where no pipe can be had.
    static func listen() -> Int32 {
        reader.withLock { reader in
            if reader >= 0 { return reader }
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { return -1 }
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
            }
            signalPipe.store(ends[1], ordering: .releasing)
            reader = ends[0]
            var handler = sigaction()
            handler.__sigaction_handler.sa_handler = { signal in
                var byte = UInt8(truncatingIfNeeded: signal)
                let saved = errno
                _ = write(signalPipe.load(ordering: .acquiring), &byte, 1)
                errno = saved
            }
            handler.sa_flags = SA_RESTART
            for signal in [SIGWINCH, SIGCONT] { sigaction(signal, &handler, nil) }
            return reader
        }
    }

    /// The signals that have come since this was called last.
    static func take() -> Set<Int32> {
        let descriptor = reader.withLock { $0 }
        var signals: Set<Int32> = []
        var byte: UInt8 = 0
        while descriptor >= 0, read(descriptor, &byte, 1) == 1 { signals.insert(Int32(byte)) }
        return signals
    }
}

/// The writing end of the pipe, which the signal handler can reach.
private let signalPipe = Atomic<Int32>(-1)
