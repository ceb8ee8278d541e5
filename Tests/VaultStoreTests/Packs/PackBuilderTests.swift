import Glibc
import Testing
import VaultModel

@testable import VaultStore

/// A pack of a directory that one commit has to itself.
@Suite struct PackBuilderTests {
    private static let vault = UniqueID()

    private func withStore(
        _ body: (LocalPath, DirectoryPackStore) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            try await body(directory, DirectoryPackStore(directory, vault: Self.vault, files: SystemFiles()))
        }
    }

    private func record(_ seed: Int, count: Int = 1000) -> PackRecord {
        let bytes = sample(seed, count: count)
        return PackRecord(kind: .journalGroup, digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
    }

    private func file(of pack: PackID, in directory: LocalPath) -> LocalPath {
        let text = pack.value.description
        return directory.appending("\(text.prefix(2))/\(text).pack")
    }

    @Test func whatIsBuiltIsOnePackThatNobodyElseWritesTo() async throws {
        try await withStore { directory, store in
            let builder = try store.builder()
            var locations = [try builder.append(record(1))]
            let other = try await store.append([record(2)]).locations[0]
            locations += [try builder.append(record(3, count: 70_000))]
            let hold = try await builder.finish()
            #expect(Set(locations.map(\.pack)).count == 1 && other.pack != locations[0].pack)
            let reader = RecordReader(
                vault: Self.vault,
                catalog: try await SQLiteCatalog(
                    directory.appending("catalog"), files: SystemFiles(), creating: Self.vault), packs: store)
            for (location, record) in zip(locations, [record(1), record(3, count: 70_000)]) {
                #expect(try await reader.payload(record.digest, at: location)?.bytes == record.bytes.bytes)
            }
            #expect(try FileStatus(of: file(of: locations[0].pack, in: directory)).mode & 0o222 == 0)
            #expect(try await store.append([record(4)]).locations[0].pack == other.pack)
            // It is nobody's to delete until the catalog knows it.
            #expect(try await store.delete([locations[0].pack]) { Set($0) } == [])
            withExtendedLifetime((hold, builder)) {}
        }
    }

    @Test func aPackGrowsBeyondTheLengthOfOthers() async throws {
        try await withStore { _, store in
            let builder = try store.builder()
            let records = (0..<3).map { record($0, count: 32 << 20) }
            let locations = try records.map { (record) throws(VaultError) in try builder.append(record) }
            #expect(Set(locations.map(\.pack)).count == 1)
            #expect(locations[2].offset > StoreLimits.packSealBytes)
            _ = try await builder.finish()
        }
    }

    @Test func whatIsDiscardedLeavesNothing() async throws {
        try await withStore { directory, store in
            let builder = try store.builder()
            let location = try builder.append(record(1))
            await builder.discard()
            #expect(try await store.list().isEmpty)
            #expect(throws: VaultError.self) { try FileStatus(of: file(of: location.pack, in: directory)) }
        }
    }

    @Test(arguments: 1...10)
    func aDiskThatFailsIsToldAndLeavesNothingBehind(_ failing: Int) async throws {
        try await withTemporaryDirectory { directory in
            let files = FaultyFiles(directory, failing: failing, with: .error(ENOSPC))
            let store = DirectoryPackStore(directory, vault: Self.vault, files: files)
            let failure = await code {
                let builder = try store.builder()
                do {
                    for seed in 0..<2 { _ = try builder.append(record(seed)) }
                    _ = try await builder.finish()
                } catch {
                    await builder.discard()
                    throw error
                }
            }
            // That it is not marked as one that nobody writes to again is the tenth operation, and matters to nobody.
            #expect(failure == (failing < 10 ? .quota : nil))
            let left = try await store.list()
            // A pack whose name is not durable, the sixth, is an empty one.
            #expect(left.isEmpty == (failing < 10 && failing != 6))
        }
    }
}
