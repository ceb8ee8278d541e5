import Glibc
package import VaultLua

/// Entries that somebody edits at a terminal, with a history.
package final class LineEditor: LineSource {
    private let file: LineHistory
    private var history: [[UInt8]]
    private let screen: Screen
    private let signals: Int32
    private var keys = KeyReader()
    /// Bytes of a paste that were read along with its end.
    private var ahead: [UInt8] = []
    /// The first row of the entry that is shown, where it has more than the terminal.
    private var top = 0

    private static let idleMilliseconds: Int32 = 50
    private static let busyMilliseconds: Int32 = 5
    /// For which the rest of a key may be on its way.
    private static let keyMilliseconds: Int32 = 50

    /// - Parameter history: what was entered before.
    /// - Returns: nil where there is no terminal to be had.
    package init?(history: LineHistory) {
        guard let screen = Screen() else { return nil }
        self.screen = screen
        file = history
        self.history = history.load()
        signals = TerminalSignals.listen()
    }

    /// Gives the terminal its settings back, whatever the editor is doing; for a process that ends at once.
    package static func restoreTerminal() { TerminalMode.leave() }

    package func remember(_ entry: [UInt8]) {
        if history.last == entry { return }
        history.append(entry)
        if history.count > LineHistory.entriesMax { history.removeFirst() }
        file.append(entry)
    }

    package func read(_ prompt: LinePrompt, for client: any LineClient) -> LineInput {
        guard TerminalMode.enter(output: screen.terminal) else { return .end }
        defer { TerminalMode.leave() }
        screen.open()
        var editing = Editing(history: history)
        top = 0
        while true {
            show(editing, prompt)
            var taken: [Key] = []
            switch next(for: client) {
            case .keys(let keys): taken = keys
            case .resized: screen.resize(frame(editing, prompt))
            case .resumed:
                guard TerminalMode.enter(output: screen.terminal) else {
                    screen.close()
                    return .end
                }
                screen.open()
            case .interrupted:
                screen.close(with: "^C")
                return .interrupted
            case .end:
                screen.close()
                return .end
            }
            for key in taken {
                switch editing.take(key, isUnfinished: client.isUnfinished) {
                case .goOn: continue
                case .refused: screen.ring()
                case .complete: complete(&editing, prompt, client)
                case .clearScreen: screen.clear()
                case .suspend:
                    show(editing, prompt)
                    suspend()
                case .giveUp:
                    screen.close(with: "^C")
                    return .interrupted
                case .end:
                    screen.close()
                    return .end
                case .entered: return leave(editing, prompt)
                }
            }
        }
    }

    // MARK: The screen

    private func frame(_ editing: Editing, _ prompt: LinePrompt) -> Frame {
        let size = screen.size
        var frame = Frame(
            prompt: (editing.search?.prompt ?? prompt.first, prompt.next), text: editing.text, cursor: editing.cursor,
            width: size.columns)
        frame.crop(to: size.rows, top: &top)
        return frame
    }

    private func show(_ editing: Editing, _ prompt: LinePrompt) { screen.show(frame(editing, prompt)) }

    /// Leaves the whole entry on the terminal.
    private func leave(_ editing: Editing, _ prompt: LinePrompt) -> LineInput {
        screen.close(
            Frame(
                prompt: (prompt.first, prompt.next), text: editing.text, cursor: editing.text.count,
                width: screen.size.columns))
        return .entry(editing.text)
    }

    /// Stops the program, as the shell's jobs are stopped, until the shell lets it go on.
    private func suspend() {
        screen.close()
        TerminalMode.leave()
        // All that belongs to the job stops with it.
        kill(0, SIGTSTP)
        _ = TerminalMode.enter(output: screen.terminal)
        _ = TerminalSignals.take()
        screen.open()
    }

    private func complete(_ editing: inout Editing, _ prompt: LinePrompt, _ client: any LineClient) {
        let completions = client.completions(of: Array(editing.text[..<editing.cursor]))
        if !completions.insertion.isEmpty { return editing.complete(with: completions.insertion) }
        guard completions.candidates.count > 1 else { return screen.ring() }
        show(editing, prompt)
        let size = screen.size
        screen.interpose(Columns.text(completions.candidates, width: size.columns, rowsMax: size.rows - 2))
    }

    // MARK: Input

    private enum Event {
        case keys([Key])
        case resized
        /// The program goes on after it was stopped.
        case resumed
        case interrupted
        case end
    }

    /// Waits for something to do, while the client's tasks go on.
    private func next(for client: any LineClient) -> Event {
        while true {
            if client.isInterrupted { return .interrupted }
            if !ahead.isEmpty {
                let keys = ahead.flatMap { self.keys.take($0) }
                ahead = []
                if !keys.isEmpty { return .keys(keys) }
            }
            let isBusy = client.idle()
            fflush(nil)
            let wait =
                keys.isWaiting
                ? LineEditor.keyMilliseconds : isBusy ? LineEditor.busyMilliseconds : LineEditor.idleMilliseconds
            var inputs = [STDIN_FILENO, signals].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let ready = poll(&inputs, 2, wait)
            if ready == 0, keys.isWaiting { return .keys(keys.flush()) }
            if ready <= 0 { continue }
            if inputs[1].revents != 0 {
                let told = TerminalSignals.take()
                if told.contains(SIGCONT) { return .resumed }
                if told.contains(SIGWINCH) { return .resized }
            }
            if inputs[0].revents != 0 {
                guard let keys = take() else { return .end }
                if !keys.isEmpty { return .keys(keys) }
            }
        }
    }

    /// Takes what has come, up to the first key that has an effect beyond the entry.
    ///
    /// The keys behind that stay where they are, since they may be for what the entry runs.
    ///
    /// - Returns: nil at the end of the input.
    private func take() -> [Key]? {
        var taken: [Key] = []
        repeat {
            // A paste has an end of its own.
            var bytes = [UInt8](repeating: 0, count: keys.isInPaste ? 4096 : 1)
            let count = bytes.withUnsafeMutableBytes { Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { return taken.isEmpty ? nil : taken }
            for (index, byte) in bytes[..<count].enumerated() {
                let keys = keys.take(byte)
                taken += keys
                if keys.contains(where: \.mayEnd) {
                    ahead = Array(bytes[(index + 1)..<count])
                    return taken
                }
            }
        } while hasMore
        return taken
    }

    private var hasMore: Bool {
        var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        return poll(&input, 1, 0) > 0
    }
}

extension Key {
    /// Whether the key may end the entry, or stop the program.
    fileprivate var mayEnd: Bool {
        switch self {
        case .enter, .control("d"), .control("z"), .control("c"), .paste: true
        default: false
        }
    }
}

/// Words in columns, as `ls` shows names.
enum Columns {
    /// - Parameter rowsMax: of words; what is beyond is counted.
    static func text(_ words: [[UInt8]], width: Int, rowsMax: Int) -> [UInt8] {
        let all = words.map { word in
            Cell.of(word).reduce(into: (text: [UInt8](), columns: 0)) { shown, cell in
                switch cell.look {
                case .plain(let columns):
                    shown.text += word[cell.range]
                    shown.columns += columns
                case .other(let other):
                    shown.text += other
                    shown.columns += other.count
                case .tab, .lineEnd:
                    shown.text.append(0x20)
                    shown.columns += 1
                }
            }
        }
        let column = (all.map(\.columns).max() ?? 0) + 2
        let columns = max(1, width / column)
        let shown = all.prefix(columns * max(1, rowsMax))
        let rows = (shown.count + columns - 1) / columns
        var text: [UInt8] = []
        for row in 0..<rows {
            var blanks = 0
            for index in stride(from: row, to: shown.count, by: rows) {
                text += Array(repeating: 0x20, count: blanks)
                text += shown[index].text
                blanks = column - shown[index].columns
            }
            text.append(0x0A)
        }
        if all.count > shown.count { text += Array("… and \(all.count - shown.count) more\n".utf8) }
        return text
    }
}
