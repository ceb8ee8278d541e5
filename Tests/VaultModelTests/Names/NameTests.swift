import TestSupport
import Testing

@testable import VaultModel

@Suite struct NameTests {
    @Test(arguments: [
        "a", "a/b", " ", "a b/ c", ".a", "..a", "a..", "...", "ä", "日本", "a\nb", "\u{1}", "-", "*?[", "\\",
    ])
    func takesOrdinaryAndOddText(text: String) throws {
        let name = try Name(text)
        #expect(name.text == text)
        #expect(name.pathBytes == Array(text.utf8))
    }

    @Test(arguments: ["", "/", "/a", "a/", "a//b", ".", "..", "a/.", "./a", "a/../b", "a/..", "\0", "a\0b"])
    func refusesWhatIsNoPath(text: String) {
        #expect(code { try Name(text) } == .invalid)
        #expect(code { try Name(pathBytes: Array(text.utf8)) } == .invalid)
    }

    @Test func limitsTheBytesOfAPart() throws {
        for part in [String(repeating: "a", count: 255), String(repeating: "ä", count: 127) + "a"] {
            #expect(try Name("x/" + part + "/y").lastPart == [UInt8(ascii: "y")])
            #expect(code { try Name("x/" + part + "a/y") } == .invalid)
            #expect(code { try Name(part + "a") } == .invalid)
        }
    }

    @Test func limitsTheBytesInAll() throws {
        let path = Array(repeating: String(repeating: "a", count: 255), count: 16).joined(separator: "/")
        let longest = path + "/"
        #expect(path.utf8.count == 4095)
        #expect(try Name(path).bytes.count == 4095)
        #expect(try Name(String(longest.dropLast(2)) + "/b").bytes.count == 4096)
        #expect(code { try Name(String(longest.dropLast(2)) + "/bb") } == .invalid)
        #expect(code { try Name(path + "/a") } == .invalid)
        #expect(code { try Name(String(repeating: "ab/", count: 1666) + "ab") } == .invalid)
    }

    /// The limits are of the path: its escape takes up to five times the room.
    @Test func countsAnEscapedByteOnce() throws {
        let part = [UInt8](repeating: 0xFF, count: 255)
        let name = try Name(pathBytes: part)
        #expect(name.bytes.count == 5 * 255)
        #expect(name.pathBytes == part)
        #expect(code { try Name(pathBytes: part + [0xFF]) } == .invalid)
    }

    @Test(arguments: [
        [0xFF], [0x80], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x61, 0xE2, 0x80],
    ])
    func refusesTextThatIsNotUTF8(bytes: [UInt8]) throws {
        #expect(code { try Name(bytes) } == .invalid)
        let name = try Name(pathBytes: bytes)
        #expect(String(validating: name.bytes, as: UTF8.self) != nil)
        #expect(name.pathBytes == bytes)
    }

    @Test func keepsBothNormalFormsApart() throws {
        let (composed, decomposed) = (try Name("\u{E9}"), try Name("e\u{301}"))
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(decomposed < composed)
    }

    @Test func ordersByBytes() throws {
        let texts = ["", "-", "/", "0", "A", "a", "a-b", "a/b", "a0", "a\u{1}", "ab", "é", "‛FF", "日", "\u{1F600}"]
        let names = texts.compactMap { try? Name($0) } + [try Name("a/b/c"), try Name("a/b-c")]
        #expect(
            names.shuffled().sorted().map(\.bytes) == names.map(\.bytes).sorted { $0.lexicographicallyPrecedes($1) })
    }

    @Test func tellsItsParts() throws {
        let name = try Name("a/bc/d")
        #expect(name.parts.map(Array.init) == [Array("a".utf8), Array("bc".utf8), Array("d".utf8)])
        #expect(name.ancestors.map(\.text) == ["a", "a/bc"])
        #expect(Array(name.lastPart) == Array("d".utf8))
        #expect(try Name("x").ancestors.isEmpty)
    }
}

@Suite struct NameEscapeTests {
    @Test func returnsEveryPathAsItWas() throws {
        var random = SplitMix64(seed: 7)
        // Bytes that make up the escape and its neighbours are frequent.
        let alphabet: [UInt8] = [
            0xE2, 0x80, 0x9B, 0x9C, 0x41, 0x46, 0x30, 0x66, 0xC3, 0xA4, 0xFF, 0xF0, 0x9F, 0xED, 0xA0,
        ]
        let all = (1...255).map { UInt8($0) }.filter { $0 != slash && $0 != 0x2E }
        var names: [Name: [UInt8]] = [:]
        for round in 0..<10_000 {
            let path = (0..<Int.random(in: 1...12, using: &random)).map { _ -> UInt8 in
                (round % 4 == 0 ? all : alphabet).randomElement(using: &random)!
            }
            let name = try Name(pathBytes: path)
            #expect(name.pathBytes == path)
            #expect(try Name(name.text) == name)
            #expect(names[name] ?? path == path, "two paths have the name \(name)")
            names[name] = path
        }
    }

    @Test(arguments: ["‛", "a‛", "‛4", "‛FG", "‛ff", "‛41", "‛00", "‛2F", "‛E2‛80‛9B", "‛C3‛A4", "‛FFx‛"])
    func refusesAnEscapeThatStandsForNothing(text: String) {
        #expect(code { try Name(text) } == .invalid)
    }

    @Test func escapesAsDocumented() throws {
        #expect(try Name(pathBytes: [0x61, 0xFF, 0x2F, 0xC3]).text == "a‛FF/‛C3")
        #expect(try Name(pathBytes: Array("‛".utf8)).text == "‛‛")
        #expect(try Name("‛‛FF").pathBytes == Array("‛FF".utf8))
    }
}
