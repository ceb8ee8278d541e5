/// The key under which a vault keeps a file, a link or an empty directory.
///
/// A name is UTF-8 text of one or more parts between `/`, compared and ordered by its bytes; nothing
/// is normalized, so two Unicode spellings of one word are two names. Bytes of a local file's path
/// that are not UTF-8 are kept by a reversible escape (see ``init(pathBytes:)``).
///
/// The limits count the bytes of the path that a name stands for: 255 a part, 4,096 in all.
package struct Name: Hashable, Sendable {
    package static let partBytesMax = 255
    package static let bytesMax = 4096

    /// The UTF-8 bytes of the name.
    package let bytes: [UInt8]

    /// Takes bytes that have been validated when the name was first made.
    package init(validated bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The name with the given text.
    ///
    /// - Throws: `invalid` for text that is empty or too long, has an empty part, `.` or `..`, a NUL
    ///   byte, bytes that are not UTF-8, or an escape that stands for nothing.
    package init(_ text: some Sequence<UInt8>) throws(VaultError) {
        let bytes = Array(text)
        if let problem = Name.problem(with: bytes) {
            throw VaultError(.invalid, "'\(printable(bytes))' is not a name: \(problem).")
        }
        self.bytes = bytes
    }

    package init(_ text: String) throws(VaultError) {
        try self.init(text.utf8)
    }

    /// The name that `bytes` are; nil where they are none.
    package init?(exactly bytes: [UInt8]) {
        guard Name.problem(with: bytes) == nil else { return nil }
        self.bytes = bytes
    }

    /// The text of the name.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The last part of the name.
    package var lastPart: ArraySlice<UInt8> {
        guard let slash = bytes.lastIndex(of: slash) else { return bytes[...] }
        return bytes[(slash + 1)...]
    }

    package var parts: [ArraySlice<UInt8>] { bytes.split(separator: slash) }

    /// The proper ancestors of the name, shortest first: `a` and `a/b` for `a/b/c`.
    package var ancestors: [Name] {
        bytes.indices.filter { bytes[$0] == slash }.map { Name(validated: Array(bytes[..<$0])) }
    }

    private static func problem(with bytes: [UInt8]) -> String? {
        if isPlain(bytes) { return nil }
        if bytes.isEmpty { return "it is empty" }
        if bytes.contains(0) { return "it has a NUL byte" }
        guard String(validating: bytes, as: UTF8.self) != nil else { return "its bytes are not UTF-8" }
        guard let path = NameEscape.decode(bytes) else {
            return "its escape '‛' is not followed by '‛' or by the two digits of a byte that is not UTF-8"
        }
        if path.count > bytesMax { return "it is longer than \(bytesMax) bytes" }
        for part in path.split(separator: slash, omittingEmptySubsequences: false) {
            if part.isEmpty { return "it has an empty part" }
            if part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8) {
                return "'.' and '..' cannot be parts"
            }
            if part.count > partBytesMax { return "a part is longer than \(partBytesMax) bytes" }
        }
        return nil
    }

    /// Whether it can be told at one look that `bytes` are a name, as it can of most: names are checked wherever they are
    /// read, by the hundred thousand.
    private static func isPlain(_ bytes: [UInt8]) -> Bool {
        if bytes.count > bytesMax { return false }
        var length = 0
        var hasOnlyDots = true
        for byte in bytes {
            if byte == slash {
                if length == 0 || hasOnlyDots { return false }
                length = 0
                hasOnlyDots = true
                continue
            }
            if byte == 0 || byte >= 0x80 { return false }
            length += 1
            if length > partBytesMax { return false }
            if byte != UInt8(ascii: ".") { hasOnlyDots = false }
        }
        return length > 0 && !hasOnlyDots
    }
}

extension Name: Comparable {
    package static func < (left: Name, right: Name) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

extension Name: CustomStringConvertible {
    /// The name as it is shown to people: control characters are escaped.
    package var description: String { printable(bytes) }
}

let slash = UInt8(ascii: "/")
