import Foundation
package import VaultModel

/// A password as it is hashed: prepared by SASLprep (RFC 4013), so that one password typed on two keyboards
/// is the same bytes.
///
/// Beyond the RFC, which knows Unicode 3.2 only, characters that Unicode has assigned since then are allowed.
/// Those that this machine's Unicode does not know are refused: a later one could normalize them otherwise.
package struct PasswordText: Sendable {
    package static let bytesMax = 1024

    /// UTF-8, never empty.
    let bytes: [UInt8]

    /// - Throws: `invalid` for a password that is empty, too long, or has characters that it cannot have.
    package init(_ text: String) throws(VaultError) {
        // Checked before the work, which grows with the length, and after it, since some characters become many.
        try PasswordText.checkLength(of: text)
        let prepared = PasswordText.mapped(text).precomposedStringWithCompatibilityMapping
        guard !prepared.isEmpty else { throw VaultError(.invalid, "A password cannot be empty.") }
        try PasswordText.checkLength(of: prepared)
        guard prepared.unicodeScalars.allSatisfy(PasswordText.allows) else {
            throw VaultError(
                .invalid,
                "The password has a character that passwords cannot have, such as a control character or one that "
                    + "no standard defines.")
        }
        guard PasswordText.readsOneWay(prepared.unicodeScalars) else {
            throw VaultError(
                .invalid,
                "The password mixes letters written from right to left with others: with such letters it must start "
                    + "and end, and it cannot have letters written from left to right.")
        }
        bytes = Array(prepared.utf8)
    }

    private static func checkLength(of text: String) throws(VaultError) {
        guard text.utf8.count <= bytesMax else {
            throw VaultError(.invalid, "A password has at most \(bytesMax) bytes.")
        }
    }

    /// Section 2.1: spaces become the space of ASCII, what is commonly mapped to nothing is left out.
    ///
    /// The zero width space is in both tables; it is left out.
    private static func mapped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !StringprepTables.contains(scalar, in: StringprepTables.mappedToNothing)
        {
            result.append(StringprepTables.contains(scalar, in: StringprepTables.spaces) ? " " : scalar)
        }
        return String(result)
    }

    /// Section 2.3.
    private static func allows(_ scalar: Unicode.Scalar) -> Bool {
        if StringprepTables.contains(scalar, in: StringprepTables.prohibited) { return false }
        return scalar.properties.generalCategory != .unassigned
    }

    /// Section 2.4, which is section 6 of RFC 3454.
    private static func readsOneWay(_ scalars: String.UnicodeScalarView) -> Bool {
        func isRightToLeft(_ scalar: Unicode.Scalar) -> Bool {
            StringprepTables.contains(scalar, in: StringprepTables.rightToLeft)
        }
        guard scalars.contains(where: isRightToLeft) else { return true }
        guard let first = scalars.first, let last = scalars.last, isRightToLeft(first), isRightToLeft(last) else {
            return false
        }
        return !scalars.contains { StringprepTables.contains($0, in: StringprepTables.leftToRight) }
    }
}

extension PasswordText: CustomStringConvertible {
    /// Never the password: a log could have it.
    package var description: String { "a password" }
}
