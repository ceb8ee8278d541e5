/// A pattern for relative paths of any bytes, by the rules of gitignore(5) as git's wildmatch.c and dir.c have them.
///
/// `*` and `?` stay within a part, `**` that is a whole part crosses parts, `[a-z]`, `[!a-z]` and `[[:digit:]]` are
/// sets, which no `/` is in, and `\` takes the meaning from the next byte. Without a `/`, but for one at the end, a
/// pattern is compared with the last part of a path; with one, with the whole path. A `/` at the end matches
/// directories only. A set without its end, and a `\` at the end, match nothing.
///
/// Blanks at the end count, as they do in git's `--exclude`: only the lines of a file are trimmed. Beyond git, `./x` is
/// `/x`, and several slashes in a row are one.
package struct Glob: Sendable, Hashable {
    /// The bytes in front of the first one that has a meaning.
    private let literal: [UInt8]
    /// The parts behind them; none where they are the whole pattern, nil where nothing can match.
    private let parts: [GlobPart]?
    private let isAnchored: Bool
    private let matchesDirectoriesOnly: Bool

    /// - Throws: `invalid` for a pattern without content, and for one with a part `.` or `..`, which no path has.
    package init(_ pattern: [UInt8]) throws(VaultError) {
        var bytes = Glob.joiningSlashes(pattern)[...]
        if bytes.starts(with: "./".utf8) { bytes.removeFirst() }
        matchesDirectoriesOnly = bytes.count > 1 && bytes.last == slash
        if matchesDirectoriesOnly { bytes.removeLast() }
        isAnchored = bytes.contains(slash)
        if bytes.first == slash { bytes.removeFirst() }
        guard !bytes.isEmpty else {
            throw VaultError(.invalid, "'\(printable(pattern))' is not a pattern for paths.")
        }
        let names = bytes.split(separator: slash)
        if names.contains(where: { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }) {
            throw VaultError(
                .invalid,
                "'\(printable(pattern))' matches nothing: patterns are relative to the top of the tree, "
                    + "and no part of a path in it is '.' or '..'.")
        }
        // git compares these bytes by themselves. So in `foo**/bar` the stars behind them are a whole part.
        literal = Array(bytes.prefix { !GlobPart.hasMeaning($0) })
        parts = GlobPart.parse(bytes.dropFirst(literal.count))
    }

    private static func joiningSlashes(_ pattern: [UInt8]) -> [UInt8] {
        var joined: [UInt8] = []
        for byte in pattern where byte != slash || joined.last != slash { joined.append(byte) }
        return joined
    }

    /// Whether the pattern matches `path` itself.
    package func matches(_ path: [UInt8], isDirectory: Bool = false) -> Bool {
        guard let parts, isDirectory || !matchesDirectoriesOnly else { return false }
        var rest = path[...]
        if !isAnchored, let last = path.lastIndex(of: slash) { rest = path[(last + 1)...] }
        guard rest.starts(with: literal) else { return false }
        rest = rest.dropFirst(literal.count)
        guard let first = parts.first else { return rest.isEmpty }
        if parts.count == 1, case .elements(let elements) = first {
            return !rest.contains(slash) && GlobPart.matches(elements, rest)
        }
        return Glob.matches(parts, rest.split(separator: slash, omittingEmptySubsequences: false))
    }

    /// A pattern for names, as scripts write it: with the escape that names have, or with the bytes themselves.
    package init(named pattern: [UInt8]) throws(VaultError) {
        try self.init(NameEscape.decode(pattern) ?? pattern)
    }

    /// Whether the pattern matches the path that a name stands for.
    package func matches(_ name: Name, isDirectory: Bool) -> Bool {
        matches(name.pathBytes, isDirectory: isDirectory)
    }

    /// Compares part by part; where a part fails, the last `**` takes one part more.
    private static func matches(_ parts: [GlobPart], _ names: [ArraySlice<UInt8>]) -> Bool {
        var (part, name) = (0, 0)
        var retry: (part: Int, name: Int)?
        while name < names.count || part < parts.count {
            if part < parts.count {
                switch parts[part] {
                case .any(let takesOne):
                    // At the end, `a/**` is what is in `a`, and not `a`.
                    if part == parts.count - 1 { return name < names.count }
                    retry = (part, name)
                    part += 1
                    if !takesOne { continue }
                    if name < names.count {
                        name += 1
                        retry?.name = name
                        continue
                    }
                case .elements(let elements) where name < names.count && GlobPart.matches(elements, names[name]):
                    (part, name) = (part + 1, name + 1)
                    continue
                case .elements:
                    break
                }
            }
            guard let last = retry, last.name < names.count else { return false }
            retry = (last.part, last.name + 1)
            (part, name) = (last.part + 1, last.name + 1)
        }
        return true
    }
}
