import Testing
import VaultModel

@testable import VaultStore

@Suite struct JournalWriterTests {
    /// All groups of a commit.
    private func written(
        _ changes: [JournalChange], after previous: Digest? = nil, firstSequence: UInt64 = 1
    ) -> [JournalWriter.Written] {
        var writer = JournalWriter(after: previous, time: 5, firstSequence: firstSequence)
        var groups = changes.compactMap { writer.add($0) }
        if let last = writer.finish() { groups.append(last) }
        return groups
    }

    @Test func aGroupIsEncodedAsTheFormatSays() throws {
        let changes: [JournalChange] = [
            .rename(from: try name("a"), to: try name("c"), isPrefix: true), .drop(object: 5, versions: [1, 128]),
        ]
        let group = JournalGroup(previous: Digest(of: [2]), time: 5, firstSequence: 7, changes: changes)
        let written = written(changes, after: Digest(of: [2]), firstSequence: 7)
        #expect(written.map(\.record.bytes.bytes) == [group.encoded])
        #expect(written.map(\.record.digest) == [Digest(of: group.encoded)])
        #expect(written.map(\.lastSequence) == [8])
    }

    @Test func aGreatCommitIsSplitIntoGroupsThatNameEachOther() throws {
        let changes = try (0..<70_000).map {
            JournalChange.rename(from: try name("a\($0)"), to: try name("b"), isPrefix: false)
        }
        let written = written(changes, after: Digest(of: [9]), firstSequence: 3)
        let groups = written.compactMap { JournalGroup(decoding: $0.record.bytes.bytes) }
        #expect(groups.count == 2)
        #expect(groups.map(\.isContinued) == [true, false])
        #expect(groups.map(\.previous) == [Digest(of: [9]), written[0].record.digest])
        #expect(groups.map(\.firstSequence) == [3, 3 + 65_536])
        #expect(written.map(\.lastSequence) == [2 + 65_536, 2 + 70_000])
        #expect(groups.flatMap(\.changes) == changes)
        #expect(self.written([]).isEmpty)
    }

    /// A group that is full when the commit ends is the last one.
    @Test func noGroupIsContinuedByNothing() throws {
        let change = JournalChange.drop(object: 1, versions: [1])
        let written = written([JournalChange](repeating: change, count: StoreLimits.groupChangesMax))
        #expect(written.compactMap { JournalGroup(decoding: $0.record.bytes.bytes)?.isContinued } == [false])
    }

    @Test func aGroupStaysShorterThanARecordMayBe() throws {
        let long = [String](repeating: String(repeating: "n", count: 250), count: 16).joined(separator: "/")
        let tags: [TagText: TagText] = ["t": TagText(String(repeating: "x", count: 60_000))]
        let saved = SavedVersion(
            name: try name(long), kind: .file, version: 1, content: .empty,
            attributes: Attributes(mode: 0, modified: 0),
            savedBy: "", tags: tags)
        let written = written([JournalChange](repeating: .save(saved), count: 600))
        #expect((15...25).contains(written.count))
        #expect(written.allSatisfy { $0.record.bytes.count < StoreLimits.groupBytesMax + 100_000 })
        #expect(StoreLimits.groupBytesMax + 100_000 < StoreLimits.recordBytesMax)
        #expect(written.last?.lastSequence == 600)
    }
}
