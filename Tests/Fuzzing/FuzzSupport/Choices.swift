package import VaultModel

/// The choices of a generator, drawn from a fuzzer's input.
///
/// Few bytes make one choice, so that a fuzzer which changes a byte changes one thing. Once the input is
/// used up, every choice is the first there is, which generators make the plain one.
package struct Choices: Sendable {
    private var bytes: ArraySlice<UInt8>

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes[...]
    }

    package var isEmpty: Bool { bytes.isEmpty }

    /// What is left of the input, which stays left.
    package var rest: [UInt8] { Array(bytes) }

    package mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

    package mutating func flag() -> Bool { byte() & 1 == 1 }

    /// True once in `count` times.
    package mutating func rarely(_ count: Int = 16) -> Bool { below(count) == count - 1 }

    /// How often a step is taken with the same choices: some bounds are reached by repetition only.
    package mutating func repetitions() -> Int { rarely(8) ? 80 : 1 }

    package mutating func below(_ count: Int) -> Int {
        var value = Int(byte())
        if count > 256 { value = value << 8 | Int(byte()) }
        if count > 65_536 { value = value << 16 | Int(byte()) << 8 | Int(byte()) }
        return value % count
    }

    package mutating func one<Element>(of elements: [Element]) -> Element {
        elements[below(elements.count)]
    }

    /// A number that often is one of those at which arithmetic breaks.
    package mutating func number<Value: FixedWidthInteger>(_: Value.Type = Value.self) -> Value {
        switch below(8) {
        case 0: return Value(truncatingIfNeeded: below(16))
        case 1: return .max
        case 2: return .min
        case 3: return .max - Value(truncatingIfNeeded: below(16))
        case 4: return Value(truncatingIfNeeded: UInt64(1) << UInt64(below(64)))
        case 5: return Value(truncatingIfNeeded: (UInt64(1) << UInt64(below(64))) &- 1)
        default:
            var value: UInt64 = 0
            for _ in 0..<MemoryLayout<Value>.size { value = value << 8 | UInt64(byte()) }
            return Value(truncatingIfNeeded: value)
        }
    }

    /// Bytes of the input itself, up to `countMax` of them.
    package mutating func someBytes(_ countMax: Int = 24) -> [UInt8] {
        let count = below(countMax + 1)
        return (0..<count).map { _ in byte() }
    }

    package mutating func text() -> String {
        let texts = ["", "a", "Europe/Berlin", "e\u{301}", "\u{1B}[2J", "‛", "\0", "\u{202E}x\\\n", "../../etc"]
        if rarely(64) { return String(repeating: "\u{202E}x\\\n", count: one(of: [10, 1_500])) }
        return flag() ? one(of: texts) : String(decoding: someBytes(), as: UTF8.self)
    }

    package mutating func tags() -> [TagText: TagText] {
        var tags: [TagText: TagText] = [:]
        for _ in 0..<below(4) { tags[TagText(text())] = TagText(text()) }
        return tags
    }
}
