import Testing
import VaultModel

@testable import VaultStore

@Suite struct PackScannerTests {
    private static let vault = UniqueID(high: 1, low: 2)

    /// What a scan finds: offsets of records, and ranges of gaps.
    private struct Found: Equatable {
        var records: [UInt64] = []
        var gaps: [Range<UInt64>] = []
    }

    private func scan(_ bytes: [UInt8], length: Int? = nil) async throws -> Found {
        try await withTemporaryDirectory { directory in
            let id = PackID()
            let group = directory.appending(String(id.value.description.prefix(2)))
            try SystemFiles().makeDirectory(group)
            try group.appending("\(id.value).pack").setContents(bytes)
            let store = DirectoryPackStore(directory, vault: Self.vault, files: SystemFiles())
            var scanner = PackScanner(id, length: UInt64(length ?? bytes.count), vault: Self.vault, packs: store)
            var found = Found()
            while let item = try await scanner.next() {
                switch item {
                case .record(_, let location): found.records.append(location.offset)
                case .gap(let range): found.gaps.append(range)
                }
            }
            return found
        }
    }

    @Test func whatLiesBehindTheLengthIsNotLookedAt() async throws {
        var bytes = pack([sample(1, count: 100), sample(2, count: 100), sample(3, count: 100)])
        let starts = try await scan(bytes).records
        bytes[Int(starts[1]) + 5] ^= 1
        let length = Int(starts[2])
        #expect(try await scan(bytes, length: length) == Found(records: [starts[0]], gaps: [starts[1]..<starts[2]]))
        let short = try await scan(bytes, length: length - 10)
        #expect(short == Found(records: [starts[0]], gaps: [starts[1]..<starts[2] - 10]))
    }

    private func pack(_ payloads: [[UInt8]], vault: UniqueID = vault) -> [UInt8] {
        payloads.reduce(PackHeader(vault: vault, pack: PackID()).encoded) { pack, payload in
            let header = RecordHeader(
                kind: .chunk, vault: vault, length: UInt32(payload.count), digest: Digest(of: payload))
            return pack + header.encoded + payload
        }
    }

    @Test func findsEveryRecord() async throws {
        let bytes = pack((0..<4).map { sample($0, count: 28) })
        #expect(try await scan(bytes) == Found(records: [64, 164, 264, 364]))
        #expect(try await scan(pack([])) == Found())
    }

    @Test func findsTheNextRecordBehindDamage() async throws {
        let good = pack((0..<4).map { sample($0, count: 28) })
        for offset in [164, 168, 200, 235] {
            var bytes = good
            bytes[offset] ^= 1
            #expect(try await scan(bytes) == Found(records: [64, 264, 364], gaps: [164..<264]))
        }
        var bytes = good
        bytes[240] ^= 1
        #expect(try await scan(bytes) == Found(records: [64, 164, 264, 364]))
        bytes = good
        bytes[10] ^= 1
        #expect(try await scan(bytes) == Found(records: [64, 164, 264, 364]))
        bytes.removeSubrange(170..<190)
        #expect(try await scan(bytes) == Found(records: [64, 244, 344], gaps: [164..<244]))
    }

    @Test func endsWithAGapWhereAPackIsCutShort() async throws {
        let good = pack((0..<3).map { sample($0, count: 28) })
        for length in [265, 268, 335, 336, 363] {
            let found = try await scan(Array(good[..<length]))
            #expect(found == Found(records: [64, 164], gaps: [264..<UInt64(length)]))
        }
        #expect(try await scan(good + [0, 1, 2]) == Found(records: [64, 164, 264], gaps: [364..<367]))
        #expect(try await scan(good + Array("MVR1MVR1".utf8)) == Found(records: [64, 164, 264], gaps: [364..<372]))
        #expect(try await scan(Array(good[..<64])) == Found())
        #expect(try await scan(Array(good[..<10])) == Found())
    }

    @Test func passesOverRecordsOfOtherVaultsAndMagicLettersInContent() async throws {
        let foreign = pack([sample(1, count: 28)], vault: UniqueID(high: 9, low: 9)).dropFirst(64)
        let first = pack([Array("MVR1".utf8) + sample(2, count: 24)])
        let last = pack([sample(3, count: 28)]).dropFirst(64)
        #expect(try await scan(first + foreign + last) == Found(records: [64, 264], gaps: [164..<264]))
    }

    @Test func findsAHeaderAcrossTheEdgesOfItsWindow() async throws {
        let good = pack([sample(1, count: 28)])
        let record = Array(good.dropFirst(64))
        let window = 1 << 20
        for shift in [-4, -2, 0] {
            let junk = [UInt8](repeating: 0, count: window + 1 + shift)
            let found = try await scan(Array(good[..<64]) + junk + record)
            let end = UInt64(64 + junk.count)
            #expect(found == Found(records: [end], gaps: [64..<end]))
        }
    }
}
