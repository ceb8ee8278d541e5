/// A set of bytes in a pattern, such as `[a-z]`, `[!a-z]` or `[[:digit:]]`, as git's wildmatch.c reads it.
struct GlobSet: Hashable {
    /// For each byte whether it is in the set.
    private var members = [Bool](repeating: false, count: 256)

    /// Takes the set behind a `[`, with the `]` that ends it; nil where none does, and for a class that is not known.
    init?(takenFrom rest: inout ArraySlice<UInt8>) {
        let isNegated = rest.first == UInt8(ascii: "!") || rest.first == UInt8(ascii: "^")
        if isNegated { rest.removeFirst() }
        // A range can begin here.
        var low: UInt8?
        var isFirst = true
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "]"), !isFirst {
                if isNegated { members = members.map { !$0 } }
                return
            }
            isFirst = false
            switch byte {
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst() else { return nil }
                members[Int(next)] = true
                low = next
            case UInt8(ascii: "-") where low != nil && rest.first != nil && rest.first != UInt8(ascii: "]"):
                var high = rest.popFirst()
                if high == UInt8(ascii: "\\") { high = rest.popFirst() }
                guard let low = low.take(), let high else { return nil }
                if low <= high { for member in low...high { members[Int(member)] = true } }
            case UInt8(ascii: "[") where rest.first == UInt8(ascii: ":"):
                guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return nil }
                let inside = rest[(rest.startIndex + 1)..<end]
                guard inside.last == UInt8(ascii: ":") else {
                    members[Int(byte)] = true
                    low = byte
                    continue
                }
                guard let kind = GlobSet.classes[String(decoding: inside.dropLast(), as: UTF8.self)] else { return nil }
                for member in UInt8.min...UInt8.max where kind(member) { members[Int(member)] = true }
                rest = rest[(end + 1)...]
                low = nil
            default:
                members[Int(byte)] = true
                low = byte
            }
        }
        return nil
    }

    func contains(_ byte: UInt8) -> Bool { members[Int(byte)] }

    /// The classes of ASCII characters (glob(7)). As in git, no vertical tab or form feed is a space.
    private static let classes: [String: @Sendable (UInt8) -> Bool] = [
        "alnum": { isAlphanumeric($0) },
        "alpha": { isAlphanumeric($0) && !isDigit($0) },
        "blank": { $0 == 0x20 || $0 == 0x09 },
        "cntrl": { $0 < 0x20 || $0 == 0x7F },
        "digit": { isDigit($0) },
        "graph": { (0x21...0x7E).contains($0) },
        "lower": { (0x61...0x7A).contains($0) },
        "print": { (0x20...0x7E).contains($0) },
        "punct": { (0x21...0x7E).contains($0) && !isAlphanumeric($0) },
        "space": { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D },
        "upper": { (0x41...0x5A).contains($0) },
        "xdigit": { isDigit($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) },
    ]

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
