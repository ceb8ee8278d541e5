import Testing
import VaultModel

@testable import VaultStore

@Suite struct JournalGroupTests {
    private static func group() throws -> JournalGroup {
        let saved = SavedVersion(
            name: try name("a/ü"), kind: .file, version: 300,
            content: Content(size: 70_000, depth: 1, root: Digest(of: [1])),
            attributes: Attributes(mode: 0o644, modified: -5, origin: Attributes.Origin(changed: 9, inode: 200)),
            savedBy: "anna", tags: ["k": "v", "b": ""])
        let removed = SavedVersion(
            name: try name("b"), kind: .removed, version: 2, content: .empty,
            attributes: Attributes(mode: 0, modified: 0), savedBy: "", tags: [:])
        return JournalGroup(
            previous: Digest(of: [2]), time: 1_700_000_000, firstSequence: 7,
            changes: [
                .save(saved), .save(removed), .rename(from: try name("a"), to: try name("c"), isPrefix: true),
                .drop(object: 5, versions: [1, 128]), .settle(try name("d"), modified: -3),
            ])
    }

    /// A change of these bytes is a change of the format.
    @Test func isEncodedAsTheFormatSays() throws {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        let text = [
            "01", hex(Digest(of: [2]).bytes), "00f1536500000000", "0700000000000000", "00", "05000000",
            "01", "04612fc3bc", "01", "ac02", "01", "f0a204", "01", hex(Digest(of: [1]).bytes), "a403", "09",
            "01", "12", "c801", "04616e6e61", "02", "0162", "00", "016b", "0176",
            "01", "0162", "04", "02", "01", "00", "00", empty, "00", "00", "00", "00", "00",
            "02", "0161", "0163", "01",
            "03", "05", "02", "01", "8001",
            "04", "0164", "05",
        ].joined()
        #expect(hex(try Self.group().encoded) == text)
    }

    @Test func decodesToWhatWasEncoded() throws {
        var group = try Self.group()
        for (previous, isContinued) in [(group.previous, false), (nil, true)] {
            (group.previous, group.isContinued) = (previous, isContinued)
            let decoded = try #require(JournalGroup(decoding: group.encoded))
            #expect(decoded.changes == group.changes)
            #expect(decoded.previous == previous)
            #expect(decoded.isContinued == isContinued)
            #expect(decoded.time == group.time)
            #expect(decoded.firstSequence == 7)
            #expect(decoded.lastSequence == 11)
        }
    }

    @Test func aTruncatedOrLongerGroupIsNone() throws {
        let bytes = try Self.group().encoded
        for count in 0..<bytes.count { #expect(JournalGroup(decoding: Array(bytes[..<count])) == nil) }
        #expect(JournalGroup(decoding: bytes + [0]) == nil)
    }

    @Test func noDamageTraps() throws {
        let bytes = try Self.group().encoded
        for index in bytes.indices {
            for value in [0, 1, 0x7F, 0x80, 0xFF, bytes[index] ^ 1] {
                var damaged = bytes
                damaged[index] = value
                if let group = JournalGroup(decoding: damaged) { #expect(group.lastSequence >= group.firstSequence) }
            }
        }
        for seed in 0..<500 {
            _ = JournalGroup(decoding: [1] + sample(seed, count: 200))
            _ = JournalGroup(decoding: Array(bytes[..<54]) + sample(seed, count: 200))
        }
    }
}
