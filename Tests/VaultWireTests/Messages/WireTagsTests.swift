import Testing
import VaultModel
import VaultWire

@Suite struct WireTagsTests {
    private let tags: [TagText: TagText] = ["\u{E9}": "1", "e\u{301}": "2", "": "", "k\0": "v"]

    @Test func arriveByTheirBytes() throws {
        let intent = SaveIntent(name: try Name("a"), attributes: Attributes(mode: 0o644, modified: 1), tags: tags)
        #expect(WireIntent(intent).tags.count == 4)
        #expect(try WireIntent(intent).model.tags == tags)
    }

    @Test func areInTheOrderOfTheirKeys() {
        #expect([WireTagPair](tags).map { Array($0.key.utf8) } == tags.keys.sorted().map { Array($0.utf8) })
    }

    @Test func ofTwoWithTheSameKeyTheLaterCounts() {
        let pairs = [WireTagPair](["k": "1"]) + [WireTagPair](["k": "2"])
        #expect(pairs.model == ["k": "2"])
        #expect([TagText: TagText?](set: pairs, clear: []) == ["k": "2"])
        #expect([TagText: TagText?](set: pairs, clear: ["k"]) == ["k": nil])
    }

    @Test func changesReturn() {
        let changes: [TagText: TagText?] = ["\u{E9}": "1", "e\u{301}": nil, "b": nil, "c": "2"]
        #expect(changes.wireClear == ["b", "e\u{301}"] && changes.wireSet.count == 2)
        #expect([TagText: TagText?](set: changes.wireSet, clear: changes.wireClear) == changes)
    }
}
