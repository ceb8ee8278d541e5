import Synchronization
import Testing
import VaultModel

@testable import VaultStore

@Suite struct RecordReaderTests {
    private static let vault = UniqueID(high: 1, low: 2)

    /// Counts how often a store is asked for bytes, and cannot read one of them.
    private final class CountingPacks: PackStore {
        let packs: DirectoryPackStore
        let reads = Atomic(0)
        let badByte = Mutex<UInt64?>(nil)

        init(_ packs: DirectoryPackStore) { self.packs = packs }

        func append(_ records: [PackRecord]) async throws(VaultError) -> Appended { try await packs.append(records) }
        func append(
            _ records: [PackRecord], placed: ([PackLocation]) -> Void
        ) async throws(VaultError) -> Appended { try await packs.append(records, placed: placed) }
        func builder() throws(VaultError) -> any PackBuilder { try packs.builder() }
        func read(
            _ pack: PackID, at offset: UInt64, into memory: UnsafeMutableRawBufferPointer
        ) async throws(VaultError) -> Int {
            reads.wrappingAdd(1, ordering: .relaxed)
            if let bad = badByte.withLock({ $0 }), (offset..<offset + UInt64(memory.count)).contains(bad) {
                throw VaultError(.integrity, "The disk cannot read that.")
            }
            return try await packs.read(pack, at: offset, into: memory)
        }
        func list() async throws(VaultError) -> [PackID: PackStatus] { try await packs.list() }
        func adopt(
            _ packs: [PackID], committedLength: (PackID) async throws(VaultError) -> UInt64?
        ) async throws(VaultError) { try await self.packs.adopt(packs, committedLength: committedLength) }
        func delete(
            _ packs: [PackID], disowned: ([PackID]) async throws(VaultError) -> Set<PackID>
        ) async throws(VaultError) -> Set<PackID> { try await self.packs.delete(packs, disowned: disowned) }
        func close() async { await packs.close() }
    }

    /// Stores records of these lengths, and hands out where they are, in one pack.
    private func withRecords(
        _ lengths: [Int], _ body: (LocalPath, CountingPacks, RecordReader, [RecordReader.Expected]) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let packs = CountingPacks(DirectoryPackStore(directory, vault: Self.vault, files: SystemFiles()))
            let records = lengths.enumerated().map { index, length in
                let bytes = sample(index, count: length)
                return PackRecord(kind: .chunk, digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
            }
            let locations = try await packs.append(records).locations
            let vault = try await StoredVault.open(directory.appending("vault"), access: .create, savedBy: "anna")
            let reader = RecordReader(vault: Self.vault, catalog: vault.catalog, packs: packs)
            let expected = zip(records, locations).map {
                RecordReader.Expected($0.digest, at: $1, isGroup: false)
            }
            try await body(directory, packs, reader, expected)
            await vault.close()
        }
    }

    @Test func neighboursAreReadAtOnceInWhateverOrderTheyAreAskedFor() async throws {
        try await withRecords((1...200).map { $0 * 10 }) { _, packs, reader, expected in
            let copies = try await reader.copies(of: expected.shuffled())
            #expect(copies.count == 200)
            #expect(Set(copies.compactMap { $0?.digest }) == Set(expected.map(\.digest)))
            #expect(packs.reads.load(ordering: .relaxed) == 1)
            let third = try await reader.copies(of: [expected[2], expected[150]])
            #expect(third.map { $0?.bytes.bytes } == [sample(2, count: 30), sample(150, count: 1510)])
            #expect(packs.reads.load(ordering: .relaxed) == 2)
        }
    }

    @Test func recordsThatLieFarApartAreReadAlone() async throws {
        try await withRecords([100, 2 << 20, 100, 9 << 20, 100]) { _, packs, reader, expected in
            let far = try await reader.copies(of: [expected[4], expected[0], expected[2]])
            #expect(far.count { $0 != nil } == 3)
            #expect(packs.reads.load(ordering: .relaxed) == 3)
            // One that is larger than what is read at once is read all the same.
            let all = try await reader.copies(of: expected)
            #expect(all.count { $0 != nil } == 5)
        }
    }

    @Test func aDamagedRecordIsMissedAlone() async throws {
        try await withRecords([100, 200, 300, 400]) { directory, _, reader, expected in
            try flip(sample(1, count: 200), below: directory)
            let copies = try await reader.copies(of: expected)
            #expect(copies.map { $0 != nil } == [true, false, true, true])
            // Cut in the middle of the third.
            let path = try #require(directory.files(ending: ".pack").first)
            try path.overwrite(Array(try path.contents()[..<Int(expected[2].location.offset + 90)]))
            let cut = try await reader.copies(of: expected)
            #expect(cut.map { $0 != nil } == [true, false, false, false])
            var lost = expected
            lost[3].location.pack = PackID()
            let found = try await reader.copies(of: lost)
            #expect(found.map { $0 != nil } == [true, false, false, false])
        }
    }

    @Test func whatADiskCannotReadIsMissedAlone() async throws {
        try await withRecords([100, 200, 300, 400]) { _, packs, reader, expected in
            packs.badByte.withLock { $0 = expected[2].location.offset + 80 }
            let copies = try await reader.copies(of: expected)
            #expect(copies.map { $0 != nil } == [true, true, false, true])
        }
    }
}
