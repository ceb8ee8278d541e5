/// An entry that is being typed: keys in, text and cursor out.
///
/// Keys are those of emacs, as at the prompts of shells.
struct Editing {
    /// The effect of a key beyond the text.
    enum Outcome: Equatable, Sendable {
        case goOn
        /// Nothing could be done.
        case refused
        /// The entry is to be run.
        case entered
        /// Ctrl-D where there is nothing.
        case end
        case complete
        case suspend
        case clearScreen
        case giveUp
    }

    private(set) var edited = EditedText()
    private(set) var search: HistorySearch?
    /// Older entries, the oldest first, and behind them the one that is typed; each as it has been changed meanwhile.
    private var entries: [[UInt8]]
    private var place: Int
    private var undone: [EditedText] = []
    private var killed: [[UInt8]] = []
    /// The work of the last key, on which the next one may build.
    private var last = Action.other
    private var isVerbatim = false
    /// Whether Ctrl-X has been typed, and what it begins is awaited.
    private var isPrefixed = false

    private enum Action {
        case insertion, kill
        case yank(Int, Int)
        case other
    }

    private static let undoMax = 1000
    private static let killsMax = 30

    init(history: [[UInt8]]) {
        entries = history + [[]]
        place = history.count
    }

    var text: [UInt8] { search?.found ?? edited.bytes }
    var cursor: Int { search?.cursor ?? edited.cursor }

    // MARK: Keys

    /// Does what a key means.
    ///
    /// - Parameter isUnfinished: whether a text goes on in another line.
    mutating func take(_ key: Key, isUnfinished: ([UInt8]) -> Bool) -> Outcome {
        if search != nil, let outcome = takeInSearch(key) { return outcome }
        let action = last
        last = .other
        if isVerbatim { return insertVerbatim(key) }
        if isPrefixed {
            isPrefixed = false
            return key == .control("u") ? undo() : .refused
        }
        switch key {
        case .text(let bytes):
            if case .insertion = action {} else { keep() }
            edited.insert(bytes)
            last = .insertion
            return .goOn
        case .paste(let bytes):
            keep()
            edited.insert(bytes)
            return .goOn
        case .enter:
            guard isUnfinished(edited.bytes) else { return .entered }
            return insert([0x0A])
        case .newLine: return insert([0x0A])
        case .tab: return .complete
        case .backspace: return remove(.before)
        case .delete: return remove(.after)
        case .left: return edited.move(.before) ? .goOn : .refused
        case .right: return edited.move(.after) ? .goOn : .refused
        case .wordLeft: return edited.move(.wordBefore) ? .goOn : .refused
        case .wordRight: return edited.move(.wordAfter) ? .goOn : .refused
        case .home: return go(.lineStart, or: .start)
        case .end: return go(.lineEnd, or: .end)
        case .up: return goUp()
        case .down: return goDown()
        case .control(let letter): return take(control: letter, after: action)
        case .meta(let letter): return take(meta: letter, after: action)
        case .escape, .unknown: return .goOn
        }
    }

    private mutating func take(control letter: Character, after action: Action) -> Outcome {
        switch letter {
        case "a": return go(.lineStart, or: .start)
        case "e": return go(.lineEnd, or: .end)
        case "b": return edited.move(.before) ? .goOn : .refused
        case "f": return edited.move(.after) ? .goOn : .refused
        case "p": return goUp()
        case "n": return goDown()
        case "d":
            if edited.bytes.isEmpty { return .end }
            // On an empty line at the end nothing more is coming, whether the text is complete or not.
            if edited.cursor == edited.bytes.count, edited.bytes.last == 0x0A { return .entered }
            return remove(.after)
        case "k": return kill(edited.line.upperBound == edited.cursor ? .after : .lineEnd, after: action)
        case "u": return kill(edited.line.lowerBound == edited.cursor ? .before : .lineStart, after: action)
        case "w": return kill(.blankBefore, after: action)
        case "y": return yank()
        case "t":
            keep()
            return edited.transpose() ? .goOn : .refused
        case "_": return undo()
        case "v":
            isVerbatim = true
            return .goOn
        case "x":
            isPrefixed = true
            return .goOn
        case "l": return .clearScreen
        case "z": return .suspend
        case "c": return .giveUp
        case "r", "s":
            search = HistorySearch(isBackwards: letter == "r", at: place, showing: edited)
            return .goOn
        case "g": return .goOn
        default: return .refused
        }
    }

    private mutating func take(meta letter: Character, after action: Action) -> Outcome {
        switch letter {
        case "b": return edited.move(.wordBefore) ? .goOn : .refused
        case "f": return edited.move(.wordAfter) ? .goOn : .refused
        case "d": return kill(.wordAfter, after: action)
        case "\u{7F}": return kill(.wordBefore, after: action)
        case "<": return show(0)
        case ">": return show(entries.count - 1)
        case "y": return rotate(after: action)
        case "u": return change { $0.uppercased() }
        case "l": return change { $0.lowercased() }
        case "c":
            return change { text in
                let blanks = text.prefix { !$0.isLetter }
                let word = text.dropFirst(blanks.count)
                return blanks + word.prefix(1).uppercased() + word.dropFirst().lowercased()
            }
        default: return .refused
        }
    }

    // MARK: Changes

    /// Inserts what completes a word.
    mutating func complete(with bytes: [UInt8]) { _ = insert(bytes) }

    private mutating func keep() {
        if undone.last == edited { return }
        undone.append(edited)
        if undone.count > Editing.undoMax { undone.removeFirst() }
    }

    private mutating func undo() -> Outcome {
        while let before = undone.popLast() {
            if before.bytes == edited.bytes { continue }
            edited = before
            return .goOn
        }
        return .refused
    }

    private mutating func insert(_ bytes: [UInt8]) -> Outcome {
        keep()
        edited.insert(bytes)
        return .goOn
    }

    private mutating func insertVerbatim(_ key: Key) -> Outcome {
        isVerbatim = false
        switch key {
        case .text(let bytes), .paste(let bytes): return insert(bytes)
        case .control(let letter): return insert([(letter.asciiValue ?? 0) & 0x1F])
        case .enter: return insert([0x0D])
        case .tab: return insert([0x09])
        case .escape: return insert([0x1B])
        case .backspace: return insert([0x7F])
        default: return .refused
        }
    }

    private mutating func remove(_ place: EditedText.Place) -> Outcome {
        keep()
        return edited.remove(to: place).isEmpty ? .refused : .goOn
    }

    private mutating func change(_ change: (String) -> String) -> Outcome {
        keep()
        edited.changeWord(change)
        return .goOn
    }

    /// Removes some text that can be inserted again; what is removed at once is one piece.
    private mutating func kill(_ place: EditedText.Place, after action: Action) -> Outcome {
        keep()
        let cursor = edited.cursor
        let removed = edited.remove(to: place)
        if removed.isEmpty { return .refused }
        last = .kill
        if case .kill = action, let before = killed.popLast() {
            killed.append(edited.cursor < cursor ? removed + before : before + removed)
        } else {
            killed.append(removed)
            if killed.count > Editing.killsMax { killed.removeFirst() }
        }
        return .goOn
    }

    private mutating func yank() -> Outcome {
        guard let bytes = killed.last else { return .refused }
        let start = edited.cursor
        _ = insert(bytes)
        last = .yank(start, killed.count - 1)
        return .goOn
    }

    /// Puts an older removed text in the place of the one that has just been inserted.
    private mutating func rotate(after action: Action) -> Outcome {
        guard case .yank(let start, let index) = action, killed.count > 1, let before = undone.popLast() else {
            return .refused
        }
        let older = (index + killed.count - 1) % killed.count
        edited = before
        _ = insert(killed[older])
        last = .yank(start, older)
        return .goOn
    }

    // MARK: Moves

    private mutating func go(_ place: EditedText.Place, or further: EditedText.Place) -> Outcome {
        edited.move(place) || edited.move(further) ? .goOn : .refused
    }

    private mutating func goUp() -> Outcome {
        if edited.isOnFirstLine { return show(place - 1) }
        edited.moveLine(by: -1)
        return .goOn
    }

    private mutating func goDown() -> Outcome {
        if edited.isOnLastLine { return show(place + 1) }
        edited.moveLine(by: 1)
        return .goOn
    }

    /// Goes to another entry of the history; what was changed here stays until the entry is run.
    private mutating func show(_ other: Int) -> Outcome {
        guard entries.indices.contains(other), other != place else { return .refused }
        entries[place] = edited.bytes
        place = other
        edited = EditedText(entries[other])
        undone = []
        return .goOn
    }

    // MARK: Searching

    /// - Returns: nil where the search is over and the key is for the text that it has found.
    private mutating func takeInSearch(_ key: Key) -> Outcome? {
        switch key {
        case .text(let bytes): search?.extend(by: bytes, in: entries)
        case .paste(let bytes): search?.extend(by: bytes, in: entries)
        case .backspace: search?.shorten(in: entries)
        case .control("r"): search?.goOn(isBackwards: true, in: entries)
        case .control("s"): search?.goOn(isBackwards: false, in: entries)
        case .control("g"), .escape:
            search = nil
            return .goOn
        case .control("c"): return .giveUp
        case .unknown: return .goOn
        default:
            if let search, search.place != place {
                entries[place] = edited.bytes
                place = search.place
                edited = EditedText(search.found, cursor: search.cursor)
                undone = []
            }
            search = nil
            return nil
        }
        return .goOn
    }
}
