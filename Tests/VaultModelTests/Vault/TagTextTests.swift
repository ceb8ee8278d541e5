import TestSupport
import Testing

@testable import VaultModel

@Suite struct TagTextTests {
    /// Of the same letter, by the Unicode Standard.
    private let spellings: [TagText] = ["\u{E9}", "e\u{301}"]

    @Test func comparesByBytes() {
        #expect(spellings[0].text == spellings[1].text)
        #expect(spellings[0] != spellings[1])
        #expect(Set(spellings).count == 2)
        #expect(Dictionary(spellings.map { ($0, 1) }, uniquingKeysWith: +).count == 2)
        let again: TagText = "\u{E9}"
        #expect(spellings[0] == again && spellings[0].hashValue == again.hashValue)
    }

    @Test func ordersByBytes() {
        let sorted: [TagText] = ["", "\0", "a", "a\0", "ab", "b", "e\u{301}", "z", "\u{E9}", "\u{FF21}", "\u{10000}"]
        #expect(sorted.shuffled().sorted() == sorted)
    }

    @Test func refusesBytesThatAreNotUTF8() throws {
        #expect(try TagText(given: Array("‛é\0".utf8)) == "‛é\0")
        for bytes in [[0xFF], [0x61, 0xC3], [0xED, 0xA0, 0x80]] as [[UInt8]] {
            #expect(code { try TagText(given: bytes) } == .invalid)
        }
    }
}
