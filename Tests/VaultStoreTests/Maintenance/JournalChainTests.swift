import Testing
import VaultModel

@testable import VaultStore

@Suite struct JournalChainTests {
    private static let packs = [PackID(), PackID()]

    private func group(
        _ id: UInt8, after previous: UInt8?, _ sequences: ClosedRange<UInt64>, time: Int64 = 0,
        isContinued: Bool = false,
        pack: Int = 0, offset: UInt64 = 0
    ) -> FoundGroup {
        FoundGroup(
            digest: Digest(of: [id]), previous: previous.map { Digest(of: [$0]) }, firstSequence: sequences.lowerBound,
            lastSequence: sequences.upperBound, isContinued: isContinued, time: time,
            location: PackLocation(pack: Self.packs[pack], offset: offset, length: 1))
    }

    private func chain(_ groups: [FoundGroup]) -> [UInt8] {
        let orders = [groups, groups.reversed(), groups + groups]
        let chains = Set(orders.map { JournalChain($0).groups.map(\.digest) })
        #expect(chains.count == 1)
        let ids = Dictionary(uniqueKeysWithValues: (0...UInt8.max).map { (Digest(of: [$0]), $0) })
        return chains.first?.compactMap { ids[$0] } ?? []
    }

    @Test func followsTheGroupsFromTheFirstToTheLast() {
        #expect(chain([]) == [])
        #expect(
            chain([group(3, after: 2, 6...6), group(1, after: nil, 1...3), group(2, after: 1, 4...5)]) == [1, 2, 3])
    }

    @Test func aSideBranchOfManyChangesLosesToTheCommitsThatFollowedIt() {
        let groups = [
            group(1, after: nil, 1...1), group(9, after: 1, 2...500, time: 5), group(2, after: 1, 2...2, time: 5),
            group(3, after: 2, 3...3, time: 5),
        ]
        #expect(chain(groups) == [1, 2, 3])
    }

    @Test func theLaterOfTwoLastCommitsCounts() {
        let first = group(1, after: nil, 1...1)
        #expect(
            chain([first, group(9, after: 1, 2...9, time: 5), group(2, after: 1, 2...2, time: 6, pack: 1)]) == [1, 2])
        #expect(
            chain([first, group(9, after: 1, 2...9, offset: 100), group(2, after: 1, 2...2, offset: 200)]) == [1, 2])
        #expect(chain([group(9, after: nil, 1...9, offset: 100), group(2, after: nil, 1...2, offset: 200)]) == [2])
    }

    @Test func aCommitThatLacksItsEndDidNotHappen() {
        let groups = [
            group(1, after: nil, 1...1), group(2, after: 1, 2...5, isContinued: true),
            group(3, after: 2, 6...9, isContinued: true), group(4, after: 3, 10...12),
        ]
        #expect(chain(groups) == [1, 2, 3, 4])
        #expect(chain(Array(groups[..<3])) == [1])
        #expect(chain(Array(groups[..<3]) + [group(5, after: 1, 2...2)]) == [1, 5])
        #expect(chain(groups + [group(5, after: 1, 2...2), group(6, after: 5, 3...3)]) == [1, 5, 6])
    }

    @Test func goesOnWithWhatIsThereBeforeAGap() {
        let groups = [
            group(1, after: nil, 1...1), group(2, after: 1, 2...2), group(4, after: 3, 4...4),
            group(5, after: 4, 5...5),
        ]
        #expect(chain(groups) == [1, 2, 4, 5])
        #expect(JournalChain(groups).gaps == [4])
        #expect(chain(Array(groups[2...])) == [4, 5])
        #expect(JournalChain(Array(groups[2...])).gaps == [4])
    }
}
