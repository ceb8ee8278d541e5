/// A pattern for relative paths, by the rules of gitignore(5).
///
/// `*` and `?` stay within a part, `**` crosses parts, `[a-z]`, `[!a-z]` and `[[:digit:]]` are sets, `\`
/// takes the meaning from the next byte. Without a `/`, but for one at the end, a pattern is compared with the last
/// part of a path; with one, with the whole path. A `/` at the end matches directories only.
package struct Glob: Sendable, Hashable {
    private enum Part: Hashable {
        case any
        case pattern([UInt8])
    }

    private let parts: [Part]
    private let isAnchored: Bool
    private let matchesDirectoriesOnly: Bool

    /// - Throws: `invalid` for a pattern without content.
    package init(_ pattern: String) throws(VaultError) {
        var bytes = Array(pattern.utf8)[...]
        matchesDirectoriesOnly = bytes.count > 1 && bytes.last == slash
        if matchesDirectoriesOnly { bytes.removeLast() }
        isAnchored = bytes.contains(slash)
        if bytes.first == slash { bytes.removeFirst() }
        parts = bytes.split(separator: slash).map { $0.elementsEqual("**".utf8) ? .any : .pattern(Array($0)) }
        guard !parts.isEmpty else {
            throw VaultError(.invalid, "'\(printable(pattern))' is not a pattern for paths.")
        }
    }

    /// Whether the pattern matches `path` itself.
    package func matches(_ path: some Collection<UInt8>, isDirectory: Bool = false) -> Bool {
        if matchesDirectoriesOnly, !isDirectory { return false }
        let names = Array(path).split(separator: slash)
        guard isAnchored || parts == [.any] else {
            guard let last = names.last, case .pattern(let pattern)? = parts.first else { return false }
            return Glob.matches(pattern[...], last)
        }
        return matchesParts(names)
    }

    /// Compares part by part; where a part fails, the last `**` takes one part more.
    private func matchesParts(_ names: [ArraySlice<UInt8>]) -> Bool {
        var (part, name) = (0, 0)
        var retry: (part: Int, name: Int)?
        while name < names.count || part < parts.count {
            if part < parts.count {
                switch parts[part] {
                case .any:
                    // At the end, `a/**` is what is in `a`, and not `a`.
                    let isLast = part == parts.count - 1
                    if isLast { return name < names.count }
                    retry = (part, name)
                    part += 1
                    continue
                case .pattern(let pattern) where name < names.count && Glob.matches(pattern[...], names[name]):
                    (part, name) = (part + 1, name + 1)
                    continue
                case .pattern:
                    break
                }
            }
            guard let last = retry, last.name < names.count else { return false }
            retry = (last.part, last.name + 1)
            (part, name) = (last.part + 1, last.name + 1)
        }
        return true
    }

    /// Compares a pattern with one part; where it fails, the last `*` takes one byte more.
    private static func matches(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
        var (pattern, name) = (pattern, name)
        var retry: (pattern: ArraySlice<UInt8>, name: ArraySlice<UInt8>)?
        while !name.isEmpty || !pattern.isEmpty {
            if pattern.first == UInt8(ascii: "*") {
                pattern = pattern.drop { $0 == UInt8(ascii: "*") }
                retry = (pattern, name)
                continue
            }
            if let byte = name.first, let rest = rest(of: pattern, matching: byte) {
                (pattern, name) = (rest, name.dropFirst())
                continue
            }
            guard let last = retry, !last.name.isEmpty else { return false }
            retry = (last.pattern, last.name.dropFirst())
            (pattern, name) = (last.pattern, last.name.dropFirst())
        }
        return true
    }

    /// The pattern behind its first element, if that matches `byte`.
    private static func rest(of pattern: ArraySlice<UInt8>, matching byte: UInt8) -> ArraySlice<UInt8>? {
        switch pattern.first {
        case nil: return nil
        case UInt8(ascii: "?"): return pattern.dropFirst()
        case UInt8(ascii: "["): return restBehindSet(of: pattern, matching: byte)
        case UInt8(ascii: "\\"):
            // One at the end makes a pattern that matches nothing.
            return pattern.dropFirst().first == byte ? pattern.dropFirst(2) : nil
        case let literal: return literal == byte ? pattern.dropFirst() : nil
        }
    }

    /// The same for a set; a `[` that no `]` ends stands for itself.
    private static func restBehindSet(of pattern: ArraySlice<UInt8>, matching byte: UInt8) -> ArraySlice<UInt8>? {
        var set = pattern.dropFirst()
        let isNegated = set.first == UInt8(ascii: "!") || set.first == UInt8(ascii: "^")
        if isNegated { set = set.dropFirst() }
        var isIn = false
        var isFirst = true
        while let first = set.first {
            if first == UInt8(ascii: "]"), !isFirst { return isIn != isNegated ? set.dropFirst() : nil }
            isFirst = false
            if let named = GlobClass(atStartOf: set) {
                if named.contains(byte) { isIn = true }
                set = set.dropFirst(named.length)
                continue
            }
            guard let low = takeMember(of: &set) else { break }
            var high = low
            if set.first == UInt8(ascii: "-"), let end = set.dropFirst().first, end != UInt8(ascii: "]") {
                set = set.dropFirst()
                guard let end = takeMember(of: &set) else { break }
                high = end
            }
            if low <= byte, byte <= high { isIn = true }
        }
        return byte == UInt8(ascii: "[") ? pattern.dropFirst() : nil
    }

    /// Takes the first byte of a set, or the one behind a backslash.
    private static func takeMember(of set: inout ArraySlice<UInt8>) -> UInt8? {
        if set.first == UInt8(ascii: "\\") { set = set.dropFirst() }
        return set.popFirst()
    }
}

/// A class of ASCII characters inside a set, such as `[:digit:]` (glob(7)).
private struct GlobClass {
    let length: Int
    private let name: String

    init?(atStartOf set: ArraySlice<UInt8>) {
        guard set.starts(with: "[:".utf8) else { return nil }
        let letters = set.dropFirst(2).prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        name = String(decoding: letters, as: UTF8.self)
        length = letters.count + 4
        guard set.dropFirst(2 + letters.count).starts(with: ":]".utf8), GlobClass.names.contains(name) else {
            return nil
        }
    }

    private static let names: Set = [
        "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit",
    ]

    func contains(_ byte: UInt8) -> Bool {
        let isDigit = (0x30...0x39).contains(byte)
        let isUpper = (0x41...0x5A).contains(byte)
        let isLower = (0x61...0x7A).contains(byte)
        let isAlphanumeric = isDigit || isUpper || isLower
        return switch name {
        case "alnum": isAlphanumeric
        case "alpha": isUpper || isLower
        case "blank": byte == 0x20 || byte == 0x09
        case "cntrl": byte < 0x20 || byte == 0x7F
        case "digit": isDigit
        case "graph": (0x21...0x7E).contains(byte)
        case "lower": isLower
        case "print": (0x20...0x7E).contains(byte)
        case "punct": (0x21...0x7E).contains(byte) && !isAlphanumeric
        case "space": byte == 0x20 || (0x09...0x0D).contains(byte)
        case "upper": isUpper
        default: isDigit || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
        }
    }
}
