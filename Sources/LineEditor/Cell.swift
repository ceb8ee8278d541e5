import CTerminal

/// A character of a text as a terminal shows it: some of its bytes, and the columns that they take.
struct Cell: Equatable, Sendable {
    /// Its place in the text.
    var range: Range<Int>
    var look: Look

    enum Look: Equatable, Sendable {
        /// The bytes themselves, which take so many columns.
        case plain(Int)
        /// Other text for what a terminal must not get, such as a control character, one column a byte.
        case other([UInt8])
        /// Spaces up to the next tab stop.
        case tab
        case lineEnd
    }

    /// The cells of a text of any bytes.
    ///
    /// A letter and its accent, say, are one (Unicode Standard Annex 29).
    static func of(_ text: [UInt8]) -> [Cell] {
        var cells: [Cell] = []
        cells.reserveCapacity(text.count)
        var start = 0
        while start < text.count {
            let byte = text[start]
            // A letter of ASCII that another follows stands alone, and so does a line end.
            if byte == 0x0A || byte < 0x80 && (start + 1 == text.count || text[start + 1] < 0x80) {
                cells.append(Cell(range: start..<start + 1, look: look(ofASCII: byte)))
                start += 1
                continue
            }
            let end = text[start...].firstIndex(of: 0x0A) ?? text.count
            let run = wellFormed(text, from: start, to: end)
            if run == start {
                let digits = String(byte, radix: 16, uppercase: true)
                let shown = Array(("\\x" + (digits.count == 1 ? "0" : "") + digits).utf8)
                cells.append(Cell(range: start..<start + 1, look: .other(shown)))
                start += 1
                continue
            }
            for character in String(decoding: text[start..<run], as: UTF8.self) {
                let next = start + character.utf8.count
                cells.append(Cell(range: start..<next, look: look(of: character)))
                start = next
            }
        }
        return cells
    }

    /// The start of the cell that has a byte of a text.
    static func start(in text: [UInt8], at index: Int) -> Int { around(index, in: text)?.lowerBound ?? index }

    /// The end of the cell in which a place is, or the place itself where it is between two.
    static func end(in text: [UInt8], at index: Int) -> Int { around(index, in: text)?.upperBound ?? index }

    /// The cell that a place is within; nil for one between two.
    private static func around(_ index: Int, in text: [UInt8]) -> Range<Int>? {
        // No cell goes beyond a line.
        let start = text[..<index].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let end = text[index...].firstIndex(of: 0x0A) ?? text.count
        let cell = of(Array(text[start..<end])).first { $0.range.upperBound + start > index }
        guard let range = cell?.range, range.lowerBound + start < index else { return nil }
        return range.lowerBound + start..<range.upperBound + start
    }

    /// The end of the part of a text that is UTF-8.
    private static func wellFormed(_ text: [UInt8], from start: Int, to end: Int) -> Int {
        if String(validating: text[start..<end], as: UTF8.self) != nil { return end }
        var index = start
        while index < end {
            let length = text[index] < 0x80 ? 1 : text[index] < 0xE0 ? 2 : text[index] < 0xF0 ? 3 : 4
            guard index + length <= end, String(validating: text[index..<index + length], as: UTF8.self) != nil else {
                break
            }
            index += length
        }
        return index
    }

    private static func look(ofASCII byte: UInt8) -> Look {
        switch byte {
        case 0x0A: .lineEnd
        case 0x09: .tab
        case 0x20..<0x7F: .plain(1)
        default: .other([UInt8(ascii: "^"), byte ^ 0x40])
        }
    }

    private static func look(of character: Character) -> Look {
        let scalars = character.unicodeScalars
        if let first = scalars.first, first.isASCII, scalars.count == 1 { return look(ofASCII: UInt8(first.value)) }
        var columns = 0
        for scalar in scalars {
            let width = Int(cterminal_columns(scalar.value))
            // Controls, marks that reorder text, and what no terminal knows.
            if width < 0 || scalar.isMark || (width == 0 && scalars.count == 1) { return .other(escape(scalars)) }
            columns += width
        }
        return .plain(columns)
    }

    private static func escape(_ scalars: String.UnicodeScalarView) -> [UInt8] {
        Array(scalars.map { "\\u{" + String($0.value, radix: 16) + "}" }.joined().utf8)
    }
}

extension Unicode.Scalar {
    /// Whether it reorders the text around it (Unicode Standard Annex 9).
    fileprivate var isMark: Bool {
        switch value {
        case 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
