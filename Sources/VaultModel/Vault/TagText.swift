import Glibc

/// The key or the value of a tag: UTF-8 text that is compared, hashed and ordered by its bytes.
///
/// A `String` compares by canonical equivalence, so a dictionary of strings has one place for both spellings of `é`.
/// Tags of different bytes are different tags, as names are.
package struct TagText: Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// The text of the bytes that somebody gives for a tag.
    ///
    /// - Throws: `invalid` for bytes that are not UTF-8.
    package init(given bytes: some Collection<UInt8>) throws(VaultError) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw VaultError(
                .invalid, "'\(printable(bytes))' cannot be in a tag: keys and values of tags are UTF-8 text.")
        }
        self.text = text
    }

    /// The bytes of the text.
    package var utf8: String.UTF8View { text.utf8 }

    package var isEmpty: Bool { text.isEmpty }

    /// The key, and the value, by which a version is marked whose file kept changing while it was read. Saves alone set
    /// the mark, and the next one takes it away.
    package static let changed: TagText = "changed"
    package static let whileRead: TagText = "while-read"
}

extension TagText: Hashable {
    package static func == (left: TagText, right: TagText) -> Bool {
        var (left, right) = (left.text, right.text)
        return left.withUTF8 { left in
            right.withUTF8 { right in
                guard left.count == right.count else { return false }
                guard let first = left.baseAddress, let second = right.baseAddress else { return true }
                return memcmp(first, second, left.count) == 0
            }
        }
    }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(utf8.count)
    }
}

extension TagText: Comparable {
    package static func < (left: TagText, right: TagText) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

extension TagText: ExpressibleByStringInterpolation {
    package init(stringLiteral text: String) {
        self.init(text)
    }
}

extension TagText: CustomStringConvertible {
    package var description: String { text }
}

extension [TagText: TagText] {
    /// Bytes of memory that the tags take, about: each is two texts and its place in a table, with room to grow.
    package var memoryBytes: Int { reduce(0) { $0 + 192 + $1.key.utf8.count + $1.value.utf8.count } }
}
