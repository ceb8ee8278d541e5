/// A text of any bytes with a cursor, and the changes that keys make to it.
struct EditedText: Equatable, Sendable {
    private(set) var bytes: [UInt8] = []
    /// The byte before which the cursor stands, always the first one of a cell or the end.
    private(set) var cursor = 0

    /// - Parameter cursor: the start of a cell; nil for the end.
    init(_ bytes: [UInt8] = [], cursor: Int? = nil) {
        self.bytes = bytes
        self.cursor = cursor ?? bytes.count
    }

    // MARK: Places

    /// The line of the cursor, without its end.
    var line: Range<Int> {
        let start = bytes[..<cursor].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return start..<(bytes[cursor...].firstIndex(of: 0x0A) ?? bytes.count)
    }

    var isOnFirstLine: Bool { line.lowerBound == 0 }
    var isOnLastLine: Bool { line.upperBound == bytes.count }

    /// The cells of the cursor's line.
    private func cells(of line: Range<Int>) -> [Cell] {
        Cell.of(Array(bytes[line])).map { cell in
            Cell(
                range: cell.range.lowerBound + line.lowerBound..<cell.range.upperBound + line.lowerBound,
                look: cell.look)
        }
    }

    /// The start of the cell before the cursor.
    private var before: Int {
        let line = line
        if cursor == line.lowerBound { return max(0, cursor - 1) }
        return cells(of: line.lowerBound..<cursor).last?.range.lowerBound ?? cursor
    }

    /// The end of the cell behind the cursor.
    private var after: Int {
        let line = line
        if cursor == line.upperBound { return min(bytes.count, cursor + 1) }
        return cells(of: cursor..<line.upperBound).first?.range.upperBound ?? cursor
    }

    private func isOfWord(_ index: Int) -> Bool {
        let byte = bytes[index]
        return byte >= 0x80 || byte == UInt8(ascii: "_") || Character(Unicode.Scalar(byte)).isLetter
            || Character(Unicode.Scalar(byte)).isNumber
    }

    private var wordBefore: Int {
        var index = cursor
        while index > 0, !isOfWord(index - 1) { index -= 1 }
        while index > 0, isOfWord(index - 1) { index -= 1 }
        return index
    }

    private var wordAfter: Int {
        var index = cursor
        while index < bytes.count, !isOfWord(index) { index += 1 }
        while index < bytes.count, isOfWord(index) { index += 1 }
        return index
    }

    /// The start of the word between blanks before the cursor.
    private var blankBefore: Int {
        var index = cursor
        func isBlank(_ index: Int) -> Bool { [0x20, 0x09, 0x0A].contains(bytes[index]) }
        while index > 0, isBlank(index - 1) { index -= 1 }
        while index > 0, !isBlank(index - 1) { index -= 1 }
        return index
    }

    /// Somewhere that keys go to.
    enum Place {
        case before, after, lineStart, lineEnd, start, end, wordBefore, wordAfter, blankBefore
    }

    private func index(of place: Place) -> Int {
        switch place {
        case .before: before
        case .after: after
        case .lineStart: line.lowerBound
        case .lineEnd: line.upperBound
        case .start: 0
        case .end: bytes.count
        case .wordBefore: Cell.start(in: bytes, at: wordBefore)
        case .wordAfter: Cell.end(in: bytes, at: wordAfter)
        case .blankBefore: Cell.start(in: bytes, at: blankBefore)
        }
    }

    // MARK: Moves

    /// - Returns: whether the cursor has moved.
    mutating func move(_ place: Place) -> Bool {
        let index = index(of: place)
        defer { cursor = index }
        return index != cursor
    }

    /// Goes to the line above or below, to the same cell of it as far as it has so many.
    mutating func moveLine(by step: Int) {
        let line = line
        let column = cells(of: line.lowerBound..<cursor).count
        if step < 0, line.lowerBound > 0 {
            cursor = line.lowerBound - 1
        } else if step > 0, line.upperBound < bytes.count {
            cursor = line.upperBound + 1
        } else {
            return
        }
        let other = self.line
        let cells = cells(of: other)
        cursor = column < cells.count ? cells[column].range.lowerBound : other.upperBound
    }

    // MARK: Changes

    mutating func insert(_ added: [UInt8]) {
        bytes.insert(contentsOf: added, at: cursor)
        cursor += added.count
        align()
    }

    /// Removes what is between the cursor and a place, and returns it.
    mutating func remove(to place: Place) -> [UInt8] {
        let index = index(of: place)
        let range = min(index, cursor)..<max(index, cursor)
        let removed = Array(bytes[range])
        bytes.removeSubrange(range)
        cursor = range.lowerBound
        align()
        return removed
    }

    /// Exchanges the two cells around the cursor, or the last two of its line.
    mutating func transpose() -> Bool {
        let line = line
        if cursor == line.upperBound, cursor > line.lowerBound { cursor = before }
        guard cursor > line.lowerBound, cursor < line.upperBound else { return false }
        let (start, end) = (before, after)
        let (left, right) = (Array(bytes[start..<cursor]), Array(bytes[cursor..<end]))
        bytes.replaceSubrange(start..<end, with: right + left)
        cursor = end
        align()
        return true
    }

    /// Writes the word behind the cursor anew.
    mutating func changeWord(_ change: (String) -> String) {
        let end = index(of: .wordAfter)
        guard let text = String(validating: bytes[cursor..<end], as: UTF8.self) else { return }
        let changed = Array(change(text).utf8)
        bytes.replaceSubrange(cursor..<end, with: changed)
        cursor += changed.count
    }

    /// Moves the cursor behind a cell that what was put beside it has become a part of.
    private mutating func align() {
        let line = line
        guard cursor > line.lowerBound, cursor < line.upperBound, bytes[cursor] >= 0x80 else { return }
        cursor = Cell.end(in: bytes, at: cursor)
    }
}
