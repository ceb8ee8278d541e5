import CTerminal
import Glibc
import Synchronization

/// The terminal, on which a frame stands below whatever the program and its children write.
///
/// While a frame is shown, standard output and standard error lead to a terminal of their own, whose text is put above the
/// frame as it comes. Text that no line end ends goes on where it was left.
final class Screen: Sendable {
    private struct State {
        var painter = Painter()
        /// The frame of the entry; nil while none is edited.
        var frame: Frame?
        /// Of the text above the frame.
        var column = OutputColumn()
    }

    let terminal: Int32
    /// The two ends of the editor's own terminal.
    private let (reader, writer): (Int32, Int32)
    /// Standard output and standard error, as far as they are the terminal.
    private let streams: [Int32]
    private let state = Mutex(State())

    /// - Returns: nil where there is no terminal to be had.
    init?() {
        terminal = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        var ends: [Int32] = [-1, -1]
        guard terminal >= 0, cterminal_open(&ends) == 0 else { return nil }
        (reader, writer) = (ends[0], ends[1])
        streams = [STDOUT_FILENO, STDERR_FILENO].filter { isatty($0) == 1 }
        let context = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Screen>.fromOpaque(context).takeRetainedValue().relay()
                return nil
            }, context.toOpaque())
        if status != 0 { context.release() } else { pthread_detach(thread) }
    }

    /// Columns and rows of the terminal.
    var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(terminal, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    // MARK: The frame

    /// Begins a frame on a row of its own.
    func open() {
        fflush(nil)
        state.withLock { state in
            drain(&state)
            cterminal_copy_size(terminal, writer)
            for stream in streams { dup2(writer, stream) }
            state.painter = Painter()
            state.column.reset()
            // Text without a line end keeps its row: the blanks reach the next row where something stood in this one.
            write(Array(repeating: 0x20, count: size.columns) + Array("\r\u{1B}[J".utf8))
            state.frame = Frame(prompt: ([], []), text: [], cursor: 0, width: size.columns)
        }
    }

    func show(_ frame: Frame) {
        state.withLock { state in
            state.frame = frame
            write(state.painter.draw(frame))
        }
    }

    /// Takes note of another size of the terminal.
    ///
    /// - Parameter frame: the one that is shown, for that size.
    func resize(_ frame: Frame) {
        state.withLock { state in
            cterminal_copy_size(terminal, writer)
            state.painter.reflow(to: frame)
            state.frame = frame
            let clearing = state.painter.clear()
            write(clearing + state.painter.draw(frame))
        }
    }

    /// Puts text above a new frame, and leaves what has been typed so far above it.
    func interpose(_ text: [UInt8]) {
        state.withLock { state in
            write(state.painter.finish() + text)
            state.column.reset()
            if let frame = state.frame { write(state.painter.draw(frame)) }
        }
    }

    /// Empties the terminal above the frame.
    func clear() {
        state.withLock { state in
            _ = state.painter.clear()
            state.column.reset()
            write(Array("\u{1B}[H\u{1B}[2J".utf8))
            if let frame = state.frame { write(state.painter.draw(frame)) }
        }
    }

    func ring() { write([0x07]) }

    /// Ends the frame, which stays where it is.
    ///
    /// - Parameters:
    ///   - frame: as it is to stay; nil for as it is.
    ///   - text: is put behind it.
    func close(_ frame: Frame? = nil, with text: String = "") {
        fflush(nil)
        state.withLock { state in
            drain(&state)
            if let frame { write(state.painter.draw(frame)) }
            write(state.painter.finish(with: Array(text.utf8)))
            state.frame = nil
            for stream in streams { dup2(terminal, stream) }
        }
    }

    // MARK: The text above

    private func relay() {
        while true {
            var input = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            guard poll(&input, 1, -1) >= 0 || errno == EINTR else { return }
            state.withLock { drain(&$0) }
        }
    }

    /// Takes what has been written meanwhile to the terminal.
    private func drain(_ state: inout State) {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while text.count < 1 << 20 {
            let count = buffer.withUnsafeMutableBytes { read(reader, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            text += buffer[..<count]
        }
        if text.isEmpty { return }
        guard let frame = state.frame else { return write(text) }
        let width = size.columns
        var bytes = state.painter.clear()
        let column = state.column.column
        // Behind the last column the text goes on in the next row.
        if column > 0, column < width { bytes += Array("\u{1B}[A\r\u{1B}[\(column)C".utf8) }
        state.column.take(text, width: width)
        bytes += text
        if state.column.column > 0 { bytes.append(0x0A) }
        write(bytes + state.painter.draw(frame))
    }

    private func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(terminal, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR, errno != EAGAIN { return }
            if count < 0, errno == EAGAIN {
                var output = pollfd(fd: terminal, events: Int16(POLLOUT), revents: 0)
                _ = poll(&output, 1, 1000)
            }
            rest = rest.dropFirst(max(0, count))
        }
    }
}
