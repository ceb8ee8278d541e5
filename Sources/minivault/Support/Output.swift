import Glibc
import Synchronization
import VaultModel

/// Standard output, gathered into large writes, and standard error.
enum Output {
    private struct State {
        var pending: [UInt8] = []
        var isFirst = true
        var progress = ""
    }

    private static let gatherBytes = 64 << 10
    private static let state = Mutex(State())

    static let isTerminal = isatty(STDOUT_FILENO) == 1
    /// Whether nobody can read standard output any more.
    static var isBroken: Bool {
        var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return poll(&output, 1, 0) > 0 && output.revents & Int16(POLLERR) != 0
    }

    /// Whether text on standard output may be coloured (no-color.org).
    static var hasColors: Bool {
        let isRefused = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        let isDumb = getenv("TERM").map { strcmp($0, "dumb") == 0 } ?? true
        return isTerminal && !isRefused && !isDumb
    }

    static let showsProgress = isatty(STDERR_FILENO) == 1

    /// Writes a result. The first line goes out at once, so that who waits for it sees it.
    static func line(_ text: String) {
        line(text, isUrgent: false)
    }

    /// Writes at once what has just been done: who reads it may act on it, or count on it after a crash.
    static func event(_ text: String) {
        line(text, isUrgent: true)
    }

    private static func line(_ text: String, isUrgent: Bool) {
        state.withLock { state in
            clearProgress(&state)
            state.pending.append(contentsOf: text.utf8)
            state.pending.append(UInt8(ascii: "\n"))
            if isUrgent || state.isFirst || isTerminal || state.pending.count >= gatherBytes { flush(&state) }
            state.isFirst = false
        }
    }

    /// Writes bytes that are a result themselves.
    static func write(_ bytes: UnsafeRawBufferPointer) throws(VaultError) {
        let isWhole = state.withLock { state in
            flush(&state)
            return writeAll(bytes, to: STDOUT_FILENO)
        }
        if !isWhole {
            throw VaultError(system: errno, "write to", LocalPath("standard output"))
        }
    }

    /// Writes a line that is no result.
    static func note(_ text: String) {
        state.withLock { state in
            clearProgress(&state)
            flush(&state)
            put(text + "\n")
        }
    }

    static func report(_ error: VaultError) {
        note("minivault: \(error)")
    }

    /// Draws the line that tells how far a transfer is; nil takes it away.
    static func draw(progress text: String?) {
        state.withLock { state in
            if text == state.progress { return }
            clearProgress(&state)
            guard let text, !text.isEmpty else { return }
            put(text)
            state.progress = text
        }
    }

    static func finish(_ status: ExitStatus) -> Never {
        state.withLock { state in
            clearProgress(&state)
            flush(&state)
        }
        exit(status.rawValue)
    }

    private static func clearProgress(_ state: inout State) {
        if state.progress.isEmpty { return }
        put("\r\u{1B}[K")
        state.progress = ""
    }

    private static func put(_ text: String) {
        var text = text
        text.withUTF8 { _ = writeAll(UnsafeRawBufferPointer($0), to: STDERR_FILENO) }
    }

    private static func flush(_ state: inout State) {
        let isWhole = state.pending.withUnsafeBytes { writeAll($0, to: STDOUT_FILENO) }
        state.pending.removeAll(keepingCapacity: true)
        guard !isWhole else { return }
        // Results that nobody can read make going on pointless.
        put("minivault: cannot write to standard output: \(String(cString: strerror(errno))).\n")
        _exit(ExitStatus.failed.rawValue)
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return true
    }
}
