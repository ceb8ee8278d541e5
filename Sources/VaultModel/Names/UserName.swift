/// The name of a user of a server, which also names the vault that is the user's own.
///
/// A name is 1 to 64 bytes of `a-z`, `0-9`, `.`, `_` and `-`, the first one a letter or a digit: it is the
/// same however it is written, and safe in a URL, a path and a log.
package struct UserName: Hashable, Sendable {
    package static let bytesMax = 64

    package let text: String

    /// - Throws: `invalid` for text that is no user name.
    package init(_ text: String) throws(VaultError) {
        // Text of a peer may be long; what is too long is not repeated.
        guard text.utf8.count <= UserName.bytesMax else {
            throw VaultError(.invalid, "A user name has at most \(UserName.bytesMax) bytes.")
        }
        guard let first = text.utf8.first else {
            throw VaultError(.invalid, "A user name cannot be empty.")
        }
        guard text.utf8.allSatisfy(UserName.allows), UserName.isLetterOrDigit(first) else {
            throw VaultError(
                .invalid,
                "'\(printable(text))' is not a user name: it has letters from a to z, digits, '.', '_' and '-', "
                    + "and starts with a letter or a digit.")
        }
        self.text = text
    }

    private static func allows(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

extension UserName: CustomStringConvertible {
    package var description: String { text }
}
