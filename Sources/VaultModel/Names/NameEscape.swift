/// The reversible escape by which bytes that are not UTF-8 become the text of a name.
///
/// A byte that is not part of valid UTF-8 is written as `‛` (U+201B) and two upper-case hexadecimal
/// digits; a `‛` in the path itself is doubled. So every path has exactly one name and every name
/// one path. The scheme is rclone's (its documentation, "Encoding", "Invalid UTF-8 bytes").
package enum NameEscape {
    private static let quote: [UInt8] = Array("‛".utf8)
    private static let digits: [UInt8] = Array("0123456789ABCDEF".utf8)

    /// The text for the bytes of a path.
    package static func encode(_ path: some Collection<UInt8>) -> [UInt8] {
        let path = Array(path)
        if !path.contains(0xE2), String(validating: path, as: UTF8.self) != nil { return path }
        var text: [UInt8] = []
        text.reserveCapacity(path.count + 16)
        var index = 0
        while index < path.count {
            let length = scalarLength(path[index...])
            if length == 0 {
                text += quote
                text.append(digits[Int(path[index] >> 4)])
                text.append(digits[Int(path[index] & 15)])
                index += 1
            } else {
                let scalar = path[index..<index + length]
                text += scalar
                if scalar.elementsEqual(quote) { text += quote }
                index += length
            }
        }
        return text
    }

    /// The bytes of the path that `text` stands for; nil where an escape stands for nothing.
    ///
    /// - Parameter isTyped: whether bytes may be escaped that need not be.
    package static func decode(_ text: [UInt8], isTyped: Bool = false) -> [UInt8]? {
        guard text.contains(quote[0]) else { return text }
        var path: [UInt8] = []
        path.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            guard text[index...].starts(with: quote) else {
                path.append(text[index])
                index += 1
                continue
            }
            let rest = text[(index + quote.count)...]
            if rest.starts(with: quote) {
                path += quote
                index += 2 * quote.count
            } else if rest.count >= 2,
                let high = digits.firstIndex(of: rest[rest.startIndex]),
                let low = digits.firstIndex(of: rest[rest.startIndex + 1])
            {
                path.append(UInt8(high << 4 | low))
                index += quote.count + 2
            } else {
                return nil
            }
        }
        // Escaped bytes that together are UTF-8 would give one path two names.
        return isTyped || encode(path) == text ? path : nil
    }

    /// The length of the UTF-8 scalar that `bytes` starts with, 0 where it does not start with one.
    ///
    /// The table of well-formed sequences is Table 3-7 of the Unicode Standard.
    private static func scalarLength(_ bytes: ArraySlice<UInt8>) -> Int {
        let first = bytes[bytes.startIndex]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0x00...0x7F: return 1
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xE1...0xEC, 0xEE...0xEF: length = 3
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return 0
        }
        guard bytes.count >= length, second.contains(bytes[bytes.startIndex + 1]) else { return 0 }
        let rest = bytes[(bytes.startIndex + 2)..<(bytes.startIndex + length)]
        return rest.allSatisfy { (0x80...0xBF).contains($0) } ? length : 0
    }
}

extension Name {
    /// The name of the local file with this relative path, escaping what is not UTF-8.
    ///
    /// - Throws: `invalid` where the path cannot be a name.
    package init(pathBytes: some Collection<UInt8>) throws(VaultError) {
        try self.init(NameEscape.encode(pathBytes))
    }

    /// The name that a person or a program types for it: any byte may be written by its escape, as ``typed`` does.
    ///
    /// - Throws: `invalid` for what is no name.
    package init(typed text: [UInt8]) throws(VaultError) {
        if let path = NameEscape.decode(text, isTyped: true), String(validating: text, as: UTF8.self) != nil {
            try self.init(pathBytes: path)
        } else {
            try self.init(text)
        }
    }

    /// The relative path that the name stands for.
    package var pathBytes: [UInt8] { NameEscape.decode(bytes) ?? bytes }

    /// The last part, as the name of a local file.
    package var lastPathPart: [UInt8] {
        let path = pathBytes
        return Array(path[(path.lastIndex(of: slash).map { $0 + 1 } ?? 0)...])
    }
}
