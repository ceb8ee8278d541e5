/// The part of a vault that an operation is about: everything, or a name and all below it.
///
/// A prefix matches whole parts: `photos` covers `photos` and `photos/a`, not `photos2`.
package struct NamePrefix: Hashable, Sendable {
    /// The name at the top; nil for the whole vault.
    package let top: Name?

    package static let all = NamePrefix(nil)

    package init(_ top: Name?) {
        self.top = top
    }

    /// The prefix with the given text; one `/` at the end and a text of nothing but it are allowed.
    ///
    /// - Throws: `invalid` where the rest is not a name.
    package init(_ text: String) throws(VaultError) {
        let bytes = Array(text.utf8)
        let trimmed = bytes.last == slash ? bytes.dropLast() : bytes[...]
        top = trimmed.isEmpty ? nil : try Name(trimmed)
    }

    /// The prefix that a tree is pushed to when none is named: the directory's last part.
    ///
    /// - Throws: `invalid` for a directory without a name of its own, such as `/` or `..`.
    package static func ofDirectory(_ path: LocalPath) throws(VaultError) -> NamePrefix {
        let last = path.lastComponent
        if last.isEmpty || last.elementsEqual("/".utf8) || last.elementsEqual(".".utf8) || last.elementsEqual("..".utf8)
        {
            throw VaultError(.invalid, "'\(path)' gives no name to push to: name a prefix.", path: path)
        }
        return NamePrefix(try Name(pathBytes: last))
    }

    package func contains(_ name: Name) -> Bool {
        guard let top else { return true }
        return name.bytes.starts(with: top.bytes)
            && (name.bytes.count == top.bytes.count || name.bytes[top.bytes.count] == slash)
    }

    /// The name of the relative path `pathBytes` below this prefix.
    ///
    /// - Throws: `invalid` where the path cannot be a name.
    package func name(ofPath pathBytes: some Collection<UInt8>) throws(VaultError) -> Name {
        guard let top else { return try Name(pathBytes: pathBytes) }
        return try Name(top.bytes + [slash] + NameEscape.encode(pathBytes))
    }

    /// The relative path of `name` below this prefix; empty where the name is the prefix itself, or not
    /// below it.
    package func relativePath(of name: Name) -> [UInt8] {
        guard let top else { return name.pathBytes }
        guard contains(name) else { return [] }
        return Array(name.pathBytes.dropFirst(top.pathBytes.count + 1))
    }
}

extension NamePrefix: CustomStringConvertible {
    package var description: String { top?.description ?? "" }
}
