import CTerminal

/// The column in which a program's output leaves the cursor of a terminal.
struct OutputColumn: Sendable {
    private(set) var column = 0
    /// A sequence or a character of which not all has come.
    private var pending: [UInt8] = []

    /// - Parameter width: columns of the terminal; output that reaches the last one goes on in the next row.
    mutating func take(_ bytes: some Sequence<UInt8>, width: Int) {
        for byte in bytes { take(byte, max(1, width)) }
    }

    mutating func reset() { self = OutputColumn() }

    private mutating func take(_ byte: UInt8, _ width: Int) {
        if !pending.isEmpty {
            pending.append(byte)
            if let columns = OutputColumn.columns(of: pending) {
                pending = []
                advance(by: columns, width)
            }
            return
        }
        switch byte {
        case 0x0A, 0x0D: column = 0
        case 0x08: column = max(0, column - 1)
        case 0x09: column = min((column / 8 + 1) * 8, width - 1)
        case 0x1B, 0xC2...0xF4: pending = [byte]
        case 0x20..<0x7F: advance(by: 1, width)
        default: break
        }
    }

    private mutating func advance(by columns: Int, _ width: Int) {
        column += columns
        if column > width { column = columns }
    }

    /// The columns of a whole sequence or character; nil where more bytes belong to it.
    private static func columns(of bytes: [UInt8]) -> Int? {
        if bytes[0] != 0x1B {
            let length = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2
            if bytes.count < length, 0x80..<0xC0 ~= bytes[bytes.count - 1] { return nil }
            let scalar = String(validating: bytes, as: UTF8.self)?.unicodeScalars.first
            return max(0, scalar.map { Int(cterminal_columns($0.value)) } ?? 0)
        }
        if bytes.count < 2 { return nil }
        let last = bytes[bytes.count - 1]
        switch bytes[1] {
        case UInt8(ascii: "["): return bytes.count > 2 && 0x40..<0x7F ~= last ? 0 : nil
        // A title, say, up to BEL or ESC \.
        case UInt8(ascii: "]"):
            return last == 0x07 || (last == UInt8(ascii: "\\") && bytes[bytes.count - 2] == 0x1B) ? 0 : nil
        case 0x20..<0x30: return 0x30..<0x7F ~= last ? 0 : nil
        default: return 0
        }
    }
}
