/// Bytes as text that is safe on a terminal and in a message.
///
/// Control characters are written as `\n`, `\t` or `\xHH`, marks that reorder text as `\u{h}`, and bytes
/// that are not UTF-8 as in a name. A backslash is doubled only in text that has another escape.
package func printable(_ bytes: some Sequence<UInt8>) -> String {
    let bytes = Array(bytes)
    let needsEscape = bytes.contains { $0 < 0x20 || $0 == 0x7F }
    if !needsEscape, let text = String(validating: bytes, as: UTF8.self),
        !text.unicodeScalars.contains(where: isUnsafe)
    {
        return text
    }
    var result = ""
    for scalar in String(decoding: NameEscape.encode(bytes), as: UTF8.self).unicodeScalars {
        switch scalar {
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\\": result += "\\\\"
        case _ where scalar.value < 0x20 || scalar.value == 0x7F:
            result += "\\x" + hex(UInt8(scalar.value))
        case _ where isUnsafe(scalar):
            result += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

package func printable(_ text: String) -> String { printable(text.utf8) }

/// C1 controls and the marks that reorder text on a terminal (Unicode Standard Annex 9).
private func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x80...0x9F, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
}

private func hex(_ byte: UInt8) -> String {
    let text = String(byte, radix: 16, uppercase: true)
    return text.count == 1 ? "0" + text : text
}
