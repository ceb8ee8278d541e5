import CEdit
import Glibc
package import VaultLua

/// Lines that somebody edits at a terminal, with a history, by libedit.
package final class LineEditor: LineSource {
    private let history: LineHistory
    private var edit: OpaquePointer?
    private weak var client: (any LineClient)?
    /// Whether the line has been taken away for other text.
    private var isCleared = false

    private static let idleMilliseconds: Int32 = 50
    private static let busyMilliseconds: Int32 = 5

    /// - Parameter history: what was entered before.
    package init(program: String, history: LineHistory) {
        self.history = history
        let host = CEditHost(
            context: Unmanaged.passUnretained(self).toOpaque(),
            read_byte: { context, byte in
                guard let context, let byte else { return 0 }
                return Unmanaged<LineEditor>.fromOpaque(context).takeUnretainedValue().readByte(byte)
            },
            complete: { context, line, length, cursor, hasWritten in
                guard let context, let line, let hasWritten else { return nil }
                let text = UnsafeRawBufferPointer(start: line, count: min(cursor, length))
                return Unmanaged<LineEditor>.fromOpaque(context).takeUnretainedValue()
                    .complete(Array(text), &hasWritten.pointee)
            })
        edit = cedit_open(program, host, Int32(LineHistory.entriesMax))
        for entry in history.load() { cedit_remember(edit, entry) }
    }

    deinit {
        if let edit { cedit_close(edit) }
    }

    package func read(_ prompt: String, for client: any LineClient) -> LineInput {
        guard let edit else { return .end }
        self.client = client
        defer { self.client = nil }
        fflush(nil)
        var line: UnsafePointer<CChar>?
        var length = 0
        let status = prompt.withCString { cedit_read(edit, $0, &line, &length) }
        switch status {
        case CEDIT_LINE:
            return .line(String(decoding: UnsafeRawBufferPointer(start: line, count: length), as: UTF8.self))
        // A search through the history that is given up looks like an end.
        default: return client.isInterrupted ? .interrupted : .end
        }
    }

    package func makeRoom() {
        guard let edit, client != nil, !isCleared else { return }
        isCleared = true
        cedit_clear(edit)
    }

    package func remember(_ entry: String) {
        guard let edit else { return }
        cedit_remember(edit, entry)
        history.append(entry)
    }

    /// Waits for a byte while the client's tasks go on.
    private func readByte(_ byte: UnsafeMutablePointer<UInt8>) -> Int32 {
        while true {
            guard let client, !client.isInterrupted else { return -1 }
            var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            let isBusy = client.idle()
            if isCleared {
                isCleared = false
                cedit_redraw(edit)
            }
            let ready = poll(&input, 1, isBusy ? LineEditor.busyMilliseconds : LineEditor.idleMilliseconds)
            guard ready > 0 else { continue }
            let count = Glibc.read(STDIN_FILENO, byte, 1)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            return count == 1 ? 1 : 0
        }
    }

    private func complete(_ line: [UInt8], _ hasWritten: inout Bool) -> UnsafeMutablePointer<CChar>? {
        guard let completions = client?.completions(of: line) else { return nil }
        if completions.insertion.isEmpty, completions.candidates.count > 1 {
            print("\n" + Columns.text(completions.candidates, width: Columns.terminalWidth), terminator: "")
            fflush(nil)
            hasWritten = true
        }
        return strdup(completions.insertion)
    }
}

/// Words in columns, as `ls` shows names.
enum Columns {
    private static let wordsMax = 200

    static func text(_ words: [String], width: Int) -> String {
        let shown = words.prefix(wordsMax)
        let column = (shown.map(\.count).max() ?? 0) + 2
        let columns = max(1, width / column)
        let rows = (shown.count + columns - 1) / columns
        var text = ""
        for row in 0..<rows {
            let line = stride(from: row, to: shown.count, by: rows).map { index in
                shown[index] + String(repeating: " ", count: column - shown[index].count)
            }
            text += line.joined().reversed().drop { $0 == " " }.reversed() + "\n"
        }
        if words.count > shown.count { text += "… and \(words.count - shown.count) more\n" }
        return text
    }

    static var terminalWidth: Int {
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 80
    }
}
