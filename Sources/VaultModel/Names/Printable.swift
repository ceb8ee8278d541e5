/// Bytes, such as a name or a path, as text that is safe on a terminal and in a message.
///
/// Control characters are written as `\n`, `\t` or `\xHH`, marks that reorder text and characters that cannot be seen as
/// `\u{h}`, and bytes that are not UTF-8 as in a name. In text that has one of these escapes, or that could be read as one, a
/// backslash is doubled: different bytes are different texts.
package func printable(_ bytes: some Sequence<UInt8>) -> String {
    let bytes = Array(bytes)
    if let text = String(validating: bytes, as: UTF8.self), !text.hasHidden, !text.hasEscape { return text }
    return escaped(String(decoding: NameEscape.encode(bytes), as: UTF8.self))
}

/// The same for text, such as a message, parts of which may have been written so before: those stay as they are.
package func printable(_ text: String) -> String { text.hasHidden ? escaped(text) : text }

private func escaped(_ text: String) -> String {
    var result = ""
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\\": result += "\\\\"
        case _ where scalar.value < 0x20 || scalar.value == 0x7F:
            result += "\\x" + hexadecimal(UInt8(scalar.value))
        case _ where scalar.isHidden(behind: previous):
            result += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: result.unicodeScalars.append(scalar)
        }
        previous = scalar
    }
    return result
}

/// A text as a string of JSON, with its quotes (RFC 8259): what ``printable(_:)-(String)`` escapes is written as `\uXXXX`.
package func quotedAsJSON(_ text: String) -> String {
    var result = "\""
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case _ where scalar.isHidden(behind: previous):
            for unit in UTF16.encode(scalar).map(Array.init) ?? [] {
                let digits = String(unit, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        default: result.unicodeScalars.append(scalar)
        }
        previous = scalar
    }
    return result + "\""
}

extension Name {
    /// Whether it can be shown as it is: it has no control characters, no marks that reorder text, and nothing that cannot
    /// be seen.
    package var isPrintable: Bool { !text.hasHidden }

    /// The name for another program, which can give it back to a command: control characters and marks that reorder text
    /// are written by their bytes, under the escape that names have (see ``init(typed:)``).
    package var typed: String {
        let text = text
        guard text.hasHidden else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.isControl {
                for byte in UTF8.encode(scalar) ?? .init() { result += "‛" + hexadecimal(byte) }
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension String {
    /// Whether a character in it moves a cursor, reorders text, or cannot be seen.
    fileprivate var hasHidden: Bool {
        // Most text is ASCII, and told at one look.
        if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return false }
        var previous: Unicode.Scalar?
        for scalar in unicodeScalars {
            if scalar.isHidden(behind: previous) { return true }
            previous = scalar
        }
        return false
    }

    /// Whether it has what ``printable(_:)-(String)`` writes for something else.
    fileprivate var hasEscape: Bool {
        var isBehindBackslash = false
        for byte in utf8 {
            if isBehindBackslash, "\\ntxu".utf8.contains(byte) { return true }
            isBehindBackslash = byte == UInt8(ascii: "\\")
        }
        return false
    }
}

extension Unicode.Scalar {
    /// Controls, and the marks that reorder text or begin a line of it (Unicode Standard Annex 9).
    fileprivate var isControl: Bool {
        switch value {
        case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// Whether it is a control, or cannot be seen. The joiners belong to the spelling of words, and the selectors of a
    /// picture to the picture before them.
    fileprivate func isHidden(behind previous: Unicode.Scalar?) -> Bool {
        switch value {
        case 0x20...0x7E, 0x200C...0x200D: return false
        case 0xFE0E...0xFE0F: return !(previous?.properties.isEmoji ?? false)
        case 0xFFF9...0xFFFB: return true
        default: return isControl || properties.isDefaultIgnorableCodePoint
        }
    }
}

private func hexadecimal(_ byte: UInt8) -> String {
    let text = String(byte, radix: 16, uppercase: true)
    return text.count == 1 ? "0" + text : text
}
