import Testing

@testable import LineEditor

/// The screen of a terminal that knows the sequences of the editor, and no others.
private struct ShownTerminal {
    let width: Int
    private(set) var rows: [[String]] = [[]]
    private(set) var (row, column) = (0, 0)
    private var isAtEdge = false

    init(width: Int) { self.width = width }

    /// The rows as text, without blanks at their ends.
    var text: [String] {
        let lines = rows.map { String($0.joined().reversed().drop { $0 == " " }.reversed()) }
        return Array(lines.reversed().drop { $0.isEmpty }.reversed())
    }

    mutating func take(_ bytes: [UInt8]) {
        var rest = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\r": (column, isAtEdge) = (0, false)
            case "\n":
                (column, isAtEdge) = (0, false)
                goDown()
            case "\u{1B}":
                rest.removeFirst()
                let digits = rest.prefix { ("0"..."9").contains($0) }
                rest.removeFirst(digits.count)
                move(rest.removeFirst(), Int(String(String.UnicodeScalarView(digits))) ?? 1)
            default: put(scalar)
            }
        }
    }

    private mutating func goDown() {
        row += 1
        if row == rows.count { rows.append([]) }
    }

    private mutating func move(_ final: Unicode.Scalar, _ count: Int) {
        isAtEdge = false
        switch final {
        case "A": row = max(0, row - count)
        case "B": row = min(rows.count - 1, row + count)
        case "C": column = min(width - 1, column + count)
        case "J":
            rows[row] = Array(rows[row].prefix(column))
            rows.removeSubrange((row + 1)...)
        case "m": break
        default: Issue.record("the sequence \(final) is not known")
        }
    }

    private mutating func put(_ scalar: Unicode.Scalar) {
        let columns = max(
            0,
            Cell.of(Array(String(scalar).utf8)).first.map { cell in
                if case .plain(let columns) = cell.look { columns } else { 0 }
            } ?? 0)
        if columns == 0 {
            if column > 0 { rows[row][column - 1] += String(scalar) }
            return
        }
        if isAtEdge || column + columns > width {
            column = 0
            goDown()
            isAtEdge = false
        }
        while rows[row].count < column + columns { rows[row].append(" ") }
        rows[row][column] = String(scalar)
        if columns == 2 { rows[row][column + 1] = "" }
        column += columns
        if column == width { (column, isAtEdge) = (width - 1, true) }
    }
}

@Suite struct PainterTests {
    private static func frame(_ text: String, _ cursor: Int? = nil, width: Int = 10) -> Frame {
        let bytes = Array(text.utf8)
        return Frame(
            prompt: (Array("\u{1B}[1m> \u{1B}[0m".utf8), Array(". ".utf8)), text: bytes, cursor: cursor ?? bytes.count,
            width: width)
    }

    @Test func linesThatAreTooLongGoOnInTheNextRow() {
        #expect(PainterTests.frame("12345678").rows.count == 2)
        #expect(PainterTests.frame("12345678", 0).rows.count == 1)
        #expect(PainterTests.frame("1234567日").isWrapped == [true, false])
        #expect(PainterTests.frame("a\nb").rows.map { $0.last } == [0x61, 0x62])
    }

    @Test func whatIsShownIsWhatTheFrameSaysWhateverWasShownBefore() {
        var generator = SystemRandomNumberGenerator()
        let parts = ["a", "b", "日", "e\u{301}", "\n", "\t", "12345678", " "]
        var painter = Painter()
        var terminal = ShownTerminal(width: 10)
        for _ in 0..<2000 {
            let text = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                parts.randomElement(using: &generator) ?? ""
            }.joined()
            let cells = Cell.of(Array(text.utf8)).map(\.range.lowerBound) + [text.utf8.count]
            let frame = PainterTests.frame(text, cells.randomElement(using: &generator))
            terminal.take(painter.draw(frame))
            var fresh = ShownTerminal(width: 10)
            var other = Painter()
            fresh.take(other.draw(frame))
            #expect(terminal.text == fresh.text, "\(text.debugDescription)")
            #expect(
                (terminal.row, terminal.column) == (frame.cursor.row, frame.cursor.column), "\(text.debugDescription)")
        }
    }

    @Test func aFrameLeavesNothingBehindWhenItIsTakenAway() {
        var painter = Painter()
        var terminal = ShownTerminal(width: 10)
        terminal.take(Array("before\r\n".utf8))
        terminal.take(painter.draw(PainterTests.frame("some text\nand more of it", 3)))
        terminal.take(painter.clear() + Array("output\r\n".utf8) + painter.draw(PainterTests.frame("x")))
        #expect(terminal.text == ["before", "output", "> x"])
    }

    @Test func aFinishedFrameStaysAboveWhatFollows() {
        var painter = Painter()
        var terminal = ShownTerminal(width: 10)
        terminal.take(painter.draw(PainterTests.frame("a\nb", 0)) + painter.finish(with: Array("^C".utf8)))
        terminal.take(Array("next".utf8))
        #expect(terminal.text == ["> a", ". b^C", "next"])
    }

    @Test func rowsAroundTheCursorAreShownWhereThereAreTooMany() {
        var top = 0
        var frame = PainterTests.frame((0..<9).map(String.init).joined(separator: "\n"))
        frame.crop(to: 4, top: &top)
        #expect(frame.rows.count == 4 && frame.cursor.row == 3 && top == 5)
        frame = PainterTests.frame((0..<9).map(String.init).joined(separator: "\n"), 2)
        frame.crop(to: 4, top: &top)
        #expect(frame.cursor.row == 0 && top == 1)
    }
}

@Suite struct OutputColumnTests {
    private func column(_ text: String, width: Int = 10) -> Int {
        var column = OutputColumn()
        column.take(text.utf8, width: width)
        return column.column
    }

    @Test func theColumnIsThatOfTheCursor() {
        #expect(column("abc") == 3 && column("abc\n") == 0 && column("ab\rc") == 1 && column("a\tb") == 9)
        #expect(column("日e\u{301}") == 3 && column("123456789012") == 2 && column("1234567890") == 10)
    }

    @Test func sequencesTakeNoColumn() {
        #expect(column("\u{1B}[31mred\u{1B}[0m") == 3 && column("\u{1B}]0;title\u{7}x") == 1)
        #expect(column("\u{1B}]0;title\u{1B}\\x") == 1 && column("\u{1B}(Bx") == 1)
    }
}

@Suite struct ColumnsTests {
    @Test func wordsThatDoNotFitAreCounted() {
        let words = (0..<50).map { Array("word\($0)".utf8) }
        let text = String(decoding: Columns.text(words, width: 20, rowsMax: 3), as: UTF8.self)
        #expect(text == "word0   word3\nword1   word4\nword2   word5\n… and 44 more\n")
    }

    @Test func controlCharactersNeverReachTheTerminal() {
        #expect(!Columns.text([[0x1B, 0x5D, 0x07]], width: 80, rowsMax: 5).contains(0x1B))
    }
}
