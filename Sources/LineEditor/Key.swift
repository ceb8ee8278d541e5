/// One key, as a terminal sends it, or a paste.
enum Key: Equatable, Sendable {
    /// A character's bytes; one byte that is no character of UTF-8.
    case text([UInt8])
    /// A pasted text, as one piece.
    case paste([UInt8])
    /// A letter with Ctrl, in lower case, or one of `@[\]^_`.
    case control(Character)
    /// A character behind Escape, or typed with Alt.
    case meta(Character)
    case enter, tab, backspace, escape
    case up, down, left, right, home, end, delete
    case wordLeft, wordRight
    /// Enter with Alt: a new line, whether the entry is complete or not.
    case newLine
    /// A sequence that means nothing here.
    case unknown
}

/// Takes a terminal's bytes apart into keys.
///
/// Sequences are those of ECMA-48 as xterm sends them; what stands between the marks of a bracketed paste is one key.
struct KeyReader {
    private var pending: [UInt8] = []
    /// The part of a paste that has come; nil outside of one.
    private var pasted: [UInt8]?

    private static let pasteEnd = Array("\u{1B}[201~".utf8)
    /// A sequence that goes on longer is none.
    private static let sequenceBytesMax = 32

    /// Takes the next byte.
    ///
    /// - Returns: the keys that it completes: none, one, or, where a sequence breaks off, two.
    mutating func take(_ byte: UInt8) -> [Key] {
        if var paste = pasted {
            paste.append(byte)
            pasted = paste
            guard byte == KeyReader.pasteEnd.last, paste.ends(with: KeyReader.pasteEnd) else { return [] }
            pasted = nil
            return [.paste(KeyReader.unified(paste.dropLast(KeyReader.pasteEnd.count)))]
        }
        pending.append(byte)
        return drain(isOver: false)
    }

    /// Whether what has come so far may be a key by itself, so that waiting has an end.
    var isWaiting: Bool { pasted == nil && !pending.isEmpty }

    /// Whether the end of a paste is to come.
    var isInPaste: Bool { pasted != nil }

    /// Takes what has come for all that comes.
    mutating func flush() -> [Key] { drain(isOver: true) }

    private mutating func drain(isOver: Bool) -> [Key] {
        var keys: [Key] = []
        while !pending.isEmpty {
            guard let (key, count) = KeyReader.key(pending, isOver: isOver) else { break }
            pending.removeFirst(count)
            if let key { keys.append(key) } else { pasted = [] }
        }
        return keys
    }

    /// The key at the start of some bytes, nil for the mark that begins a paste, and its length; nil where more bytes decide.
    private static func key(_ bytes: [UInt8], isOver: Bool) -> (Key?, Int)? {
        switch bytes[0] {
        case 0x1B: return escape(bytes, isOver)
        case 0x0D, 0x0A: return (.enter, 1)
        case 0x09: return (.tab, 1)
        case 0x7F, 0x08: return (.backspace, 1)
        case 0..<0x20: return (.control(letter(bytes[0])), 1)
        case 0x20..<0x80: return (.text([bytes[0]]), 1)
        default: return character(bytes, isOver)
        }
    }

    private static func letter(_ control: UInt8) -> Character {
        Character(Unicode.Scalar(control == 0 ? 0x40 : control <= 26 ? control + 0x60 : control + 0x40))
    }

    private static func character(_ bytes: [UInt8], _ isOver: Bool) -> (Key?, Int)? {
        let length = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : bytes[0] >= 0xC2 ? 2 : 1
        let known = bytes.prefix(length)
        // Bytes that cannot become a character are not waited for.
        let canGoOn = known.dropFirst().allSatisfy { 0x80..<0xC0 ~= $0 } && bytes[0] < 0xF5
        if known.count < length, canGoOn, !isOver { return nil }
        if known.count == length, String(validating: known, as: UTF8.self) != nil {
            return (.text(Array(known)), length)
        }
        return (.text([bytes[0]]), 1)
    }

    private static func escape(_ bytes: [UInt8], _ isOver: Bool) -> (Key?, Int)? {
        guard bytes.count > 1 else { return isOver ? (.escape, 1) : nil }
        switch bytes[1] {
        case UInt8(ascii: "["): return sequence(bytes, isOver)
        case UInt8(ascii: "O"):
            guard bytes.count > 2 else { return isOver ? (.meta("O"), 2) : nil }
            return (arrow(bytes[2], isByWord: false), 3)
        case 0x0D, 0x0A: return (.newLine, 2)
        case 0x7F, 0x08: return (.meta("\u{7F}"), 2)
        case 0x1B: return (.escape, 1)
        case 0x20..<0x7F: return (.meta(Character(Unicode.Scalar(bytes[1]))), 2)
        default: return (.escape, 1)
        }
    }

    private static func sequence(_ bytes: [UInt8], _ isOver: Bool) -> (Key?, Int)? {
        guard let end = bytes.dropFirst(2).firstIndex(where: { !(0x20..<0x40 ~= $0) }) else {
            if bytes.count < sequenceBytesMax, !isOver { return nil }
            return (bytes.count == 2 ? .meta("[") : .unknown, bytes.count)
        }
        // A sequence that another control breaks off is none.
        guard 0x40..<0x7F ~= bytes[end] else { return (.unknown, end) }
        let parameters = String(decoding: bytes[2..<end], as: UTF8.self)
        let isByWord = [";5", ";3"].contains { parameters.hasSuffix($0) }
        if bytes[end] != UInt8(ascii: "~") { return (arrow(bytes[end], isByWord: isByWord), end + 1) }
        switch parameters.prefix(while: { $0 != ";" }) {
        case "1", "7": return (.home, end + 1)
        case "4", "8": return (.end, end + 1)
        case "3": return (.delete, end + 1)
        case "200": return (nil, end + 1)
        default: return (.unknown, end + 1)
        }
    }

    private static func arrow(_ final: UInt8, isByWord: Bool) -> Key {
        switch final {
        case UInt8(ascii: "A"): .up
        case UInt8(ascii: "B"): .down
        case UInt8(ascii: "C"): isByWord ? .wordRight : .right
        case UInt8(ascii: "D"): isByWord ? .wordLeft : .left
        case UInt8(ascii: "H"): .home
        case UInt8(ascii: "F"): .end
        case UInt8(ascii: "M"): .enter
        default: .unknown
        }
    }

    /// A terminal sends the line ends of a paste as carriage returns.
    private static func unified(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var previous: UInt8 = 0
        for byte in bytes {
            if byte == 0x0D {
                result.append(0x0A)
            } else if byte != 0x0A || previous != 0x0D {
                result.append(byte)
            }
            previous = byte
        }
        return result
    }
}

extension [UInt8] {
    fileprivate func ends(with other: [UInt8]) -> Bool { suffix(other.count).elementsEqual(other) }
}
