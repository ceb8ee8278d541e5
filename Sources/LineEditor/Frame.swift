/// A prompt and the entry behind it as rows of a terminal.
struct Frame: Equatable, Sendable {
    /// A place on the terminal, from the first row of the frame and from its first column on.
    struct Place: Equatable, Sendable {
        var row = 0
        var column = 0
    }

    /// The bytes of each row.
    private(set) var rows: [[UInt8]] = [[]]
    /// Whether the row goes on in the next one, without a line end between.
    private(set) var isWrapped: [Bool] = [false]
    private(set) var cursor = Place()
    private let width: Int
    private var column = 0
    /// Behind the last character.
    private(set) var end = Place()

    /// - Parameters:
    ///   - prompt: what stands before the first line, and before each other one; sequences for colours take no columns.
    ///   - cursor: of the text's bytes.
    ///   - width: columns of the terminal.
    init(prompt: (first: [UInt8], next: [UInt8]), text: [UInt8], cursor: Int, width: Int) {
        self.width = max(2, width)
        add(prompt: prompt.first)
        for cell in Cell.of(text) {
            if cell.range.lowerBound == cursor { markCursor(before: cell) }
            add(cell, text, prompt.next)
        }
        if cursor >= text.count { markCursor(before: nil) }
        end = Place(row: rows.count - 1, column: column)
    }

    private mutating func add(_ cell: Cell, _ text: [UInt8], _ next: [UInt8]) {
        switch cell.look {
        case .plain(let columns): add(text[cell.range], columns: columns)
        case .other(let shown): for byte in shown { add(CollectionOfOne(byte), columns: 1) }
        case .tab: repeat { add(CollectionOfOne(0x20), columns: 1) } while column % 8 != 0 && column < width
        case .lineEnd:
            begin(isWrapped: false)
            add(prompt: next)
        }
    }

    private mutating func add(_ bytes: some Collection<UInt8>, columns: Int) {
        if column + columns > width { begin(isWrapped: true) }
        rows[rows.count - 1] += bytes
        column += columns
    }

    private mutating func add(prompt: [UInt8]) {
        for piece in Style.pieces(prompt) {
            switch piece {
            case .sequence(let bytes): rows[rows.count - 1] += bytes
            case .text(let bytes):
                for cell in Cell.of(bytes) { add(cell, bytes, []) }
            }
        }
    }

    private mutating func begin(isWrapped wraps: Bool) {
        isWrapped[isWrapped.count - 1] = wraps
        rows.append([])
        isWrapped.append(false)
        column = 0
    }

    private mutating func markCursor(before cell: Cell?) {
        var width = 1
        if case .plain(let columns)? = cell?.look { width = max(1, columns) }
        // The cursor cannot stand behind the last column.
        if column + width > self.width { begin(isWrapped: true) }
        cursor = Place(row: rows.count - 1, column: column)
    }

    /// The rows around the cursor, where there are more than fit on a terminal.
    ///
    /// - Parameter top: the first row that was shown last; it stays where the cursor allows that.
    mutating func crop(to height: Int, top: inout Int) {
        let height = max(1, height)
        top = min(max(top, cursor.row - height + 1), cursor.row, max(0, rows.count - height))
        let shown = top..<min(rows.count, top + height)
        let count = rows.count
        rows = Array(rows[shown])
        isWrapped = Array(isWrapped[shown])
        cursor.row -= top
        // A row above the last one ends at the edge or before.
        if shown.upperBound < count { end.column = width }
        end.row = rows.count - 1
    }
}

/// Text with sequences that set its colours.
enum Style {
    enum Piece: Equatable {
        case text([UInt8])
        case sequence([UInt8])
    }

    /// The text and the sequences (`ESC [ … m`) of a prompt.
    static func pieces(_ text: [UInt8]) -> [Piece] {
        var pieces: [Piece] = []
        var rest = text[...]
        while let start = rest.firstIndex(of: 0x1B) {
            if start > rest.startIndex { pieces.append(.text(Array(rest[..<start]))) }
            let end = rest[start...].firstIndex(of: UInt8(ascii: "m")) ?? rest.endIndex - 1
            pieces.append(.sequence(Array(rest[start...end])))
            rest = rest[(end + 1)...]
        }
        if !rest.isEmpty { pieces.append(.text(Array(rest))) }
        return pieces
    }
}
