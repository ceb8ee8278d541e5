package import VaultModel

/// What a user may do below a prefix of a vault.
package struct Rights: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Look and read.
    package static let read = Rights(rawValue: 1)
    /// Add names and versions, and rename into.
    package static let save = Rights(rawValue: 2)
    /// Remove and rename names, and forget versions.
    package static let remove = Rights(rawValue: 4)
    /// Add names and versions; never remove, rename or forget.
    package static let append = Rights(rawValue: 8)

    package static let full: Rights = [.read, .save, .remove]

    private static let words: [(right: Rights, word: String)] = [
        (.read, "read"), (.save, "save"), (.remove, "remove"), (.append, "append"),
    ]

    /// The rights in a text such as `read,save`, or `full`.
    ///
    /// - Throws: `invalid` for a word that is none.
    package init(_ text: String) throws(VaultError) {
        self = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            if word == "full" {
                formUnion(.full)
                continue
            }
            guard let found = Rights.words.first(where: { $0.word == word }) else {
                throw VaultError(
                    .invalid, "'\(printable(String(word)))' is not a right: give read, save, remove, append or full.")
            }
            formUnion(found.right)
        }
    }
}

extension Rights: CustomStringConvertible {
    package var description: String {
        Rights.words.filter { contains($0.right) }.map(\.word).joined(separator: ",")
    }
}
