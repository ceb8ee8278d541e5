import Glibc
import Synchronization
import VaultModel

/// Writes the lines of a log, so that a reader who stands still costs lines and nobody's time.
///
/// What can be written without waiting is written at once, the rest on a thread of its own. Up to 1 MiB waits for the reader.
/// What comes beyond that is lost, and counted in a line of its own once the reader goes on.
package final class LogWriter: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var lost = 0
        var isWriting = false
    }

    private static let waitingBytesMax = 1 << 20

    /// What of a file can be written to without waiting.
    private enum Kind {
        case file, pipe, socket, other
    }

    private let descriptor: Int32
    private let kind: Kind
    private let lossLine: @Sendable (Int) -> String
    private let state = Mutex(State())

    /// - Parameters:
    ///   - descriptor: where the lines go.
    ///   - lossLine: the line, with its end, that tells how many were lost.
    package init(_ descriptor: Int32 = STDERR_FILENO, lossLine: @escaping @Sendable (Int) -> String) {
        self.descriptor = descriptor
        self.lossLine = lossLine
        var status = stat()
        switch fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : 0 {
        case S_IFREG: kind = .file
        case S_IFIFO: kind = .pipe
        case S_IFSOCK: kind = .socket
        default: kind = .other
        }
    }

    /// Takes a line, with its end.
    package func write(_ line: String) {
        let begins = state.withLock { state in
            var line = Array(line.utf8)[...]
            if !state.isWriting, state.lost == 0 { line = line.dropFirst(writeWithoutWaiting(line)) }
            if line.isEmpty { return false }
            guard state.waiting.count + line.count <= LogWriter.waitingBytesMax else {
                state.lost += 1
                return false
            }
            state.waiting += line
            if state.isWriting { return false }
            state.isWriting = true
            return true
        }
        // A thread lives as long as there is something to write: most lines come alone.
        if begins, !BlockingThread({ self.writeAll() }).isStarted { writeAll() }
    }

    /// - Returns: how many bytes were written.
    private func writeWithoutWaiting(_ line: ArraySlice<UInt8>) -> Int {
        let count = line.withUnsafeBytes { bytes in
            switch kind {
            case .file: return Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            case .pipe:
                // A pipe that can be written to has room for so much (pipe(7)).
                var output = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard bytes.count <= Int(PIPE_BUF), poll(&output, 1, 0) == 1, output.revents == Int16(POLLOUT) else {
                    return 0
                }
                return Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            case .socket:
                return send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            case .other: return 0
            }
        }
        return max(0, count)
    }

    /// Waits until all that was taken is written, for so long at most.
    package func flush(milliseconds: Int) {
        for _ in 0..<milliseconds where state.withLock({ $0.isWriting }) { usleep(1000) }
    }

    private func writeAll() {
        while let bytes = next() {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN {
                    var output = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&output, 1, -1)
                } else if errno != EINTR {
                    // Nobody can read it any more.
                    break
                }
            }
        }
    }

    private func next() -> [UInt8]? {
        state.withLock { state in
            if state.lost > 0 {
                state.waiting += lossLine(state.lost).utf8
                state.lost = 0
            }
            state.isWriting = !state.waiting.isEmpty
            if state.waiting.isEmpty { return nil }
            defer { state.waiting = [] }
            return state.waiting
        }
    }
}
