import Testing
import VaultModel

@testable import VaultStore

@Suite struct JudgedTagsTests {
    @Test func eachNameHasTheTagsThatItWasGivenLast() throws {
        var tags = JudgedTags()
        #expect(tags.isEmpty)
        for number in 0..<1000 { #expect(tags.add(["team": "a"], to: try name("d/\(number)"))) }
        #expect(tags.add(["team": nil, "n": "1"], to: try name("d/7")))
        #expect(!tags.isEmpty)
        #expect(tags[try name("d/6")] == ["team": "a"])
        #expect(tags[try name("d/7")] == ["team": nil, "n": "1"])
        #expect(tags[try name("d")] == nil)
    }

    @Test func tagsThatManyNamesGetCountOnceAndOthersAreBounded() throws {
        var tags = JudgedTags(bytesMax: 10_000)
        let long = String(repeating: "x", count: 900)
        for number in 0..<1000 { #expect(tags.add(["t": TagText(long)], to: try name("d/\(number)"))) }
        let isAdded = try (0..<20).map { tags.add(["t": TagText(long + "\($0)")], to: try name("e/\($0)")) }
        #expect(isAdded == (0..<20).map { $0 < 9 })
        #expect(tags[try name("e/8")] != nil)
        #expect(tags[try name("e/9")] == nil)
    }
}
