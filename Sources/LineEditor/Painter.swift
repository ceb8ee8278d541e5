/// Keeps a frame on a terminal: what must be written so that another one is seen in its place.
///
/// All moves are relative to where the frame began, whose row may have scrolled meanwhile. The terminal goes to the start of
/// a row at a line end, as its settings have it while keys are read.
struct Painter: Sendable {
    /// The frame that is seen; nil for none, with the cursor where the next one begins.
    private(set) var shown: Frame?

    /// Shows a frame in the place of the one before: rows from the first that differs on are written anew.
    mutating func draw(_ frame: Frame) -> [UInt8] {
        defer { shown = frame }
        guard let shown else {
            return Painter.rows(of: frame, from: 0) + Painter.move(from: frame.end, to: frame.cursor)
        }
        let first = frame.firstDifference(from: shown)
        if first == frame.rows.count, first == shown.rows.count {
            return frame.cursor == shown.cursor ? [] : Painter.move(from: shown.cursor, to: frame.cursor)
        }
        // A row that is not there yet comes about by the end of the one above it.
        let start = min(first, shown.rows.count - 1, frame.rows.count - 1)
        return Painter.move(from: shown.cursor, to: Frame.Place(row: start)) + Painter.clearing
            + Painter.rows(of: frame, from: start) + Painter.move(from: frame.end, to: frame.cursor)
    }

    /// Takes the frame away; the cursor is then where it began.
    mutating func clear() -> [UInt8] {
        guard let shown else { return [] }
        self.shown = nil
        return Painter.move(from: shown.cursor, to: Frame.Place()) + Painter.clearing
    }

    /// Leaves the frame where it is, with some text behind it, and goes to the row below.
    mutating func finish(with text: [UInt8] = []) -> [UInt8] {
        guard let shown else { return [] }
        self.shown = nil
        return Painter.move(from: shown.cursor, to: shown.end) + text + [0x0A]
    }

    /// Takes note that the terminal has another width and has laid out its rows anew, as the frame has them.
    mutating func reflow(to frame: Frame) {
        if shown != nil { shown = frame }
    }

    private static let clearing = Array("\u{1B}[J".utf8)

    private static func rows(of frame: Frame, from first: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for row in first..<frame.rows.count {
            bytes += frame.rows[row]
            if row + 1 == frame.rows.count { break }
            if !frame.isWrapped[row] {
                bytes.append(0x0A)
            } else if frame.rows[row + 1].isEmpty {
                // The terminal goes to the next row once something is written there.
                bytes += Array(" \r".utf8)
            }
        }
        return bytes
    }

    private static func move(from: Frame.Place, to: Frame.Place) -> [UInt8] {
        if from == to { return [] }
        var text = ""
        if to.row < from.row { text += "\u{1B}[\(from.row - to.row)A" }
        if to.row > from.row { text += "\u{1B}[\(to.row - from.row)B" }
        text += "\r"
        if to.column > 0 { text += "\u{1B}[\(to.column)C" }
        return Array(text.utf8)
    }
}

extension Frame {
    /// The first row that another frame does not have like this one; the count of rows where it has all.
    fileprivate func firstDifference(from other: Frame) -> Int {
        for row in 0..<rows.count {
            guard row < other.rows.count, rows[row] == other.rows[row], isWrapped[row] == other.isWrapped[row] else {
                return row
            }
        }
        return rows.count
    }
}
