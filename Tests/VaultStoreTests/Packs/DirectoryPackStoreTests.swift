import Foundation
import Testing
import VaultModel

@testable import VaultStore

@Suite struct DirectoryPackStoreTests {
    private static let vault = UniqueID(high: 1, low: 2)

    private func withStore(
        _ body: (LocalPath, DirectoryPackStore) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            try await body(directory, DirectoryPackStore(directory, vault: Self.vault, files: SystemFiles()))
        }
    }

    private func record(_ seed: Int, count: Int = 50) -> PackRecord {
        let bytes = sample(seed, count: count)
        return PackRecord(kind: .chunk, digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
    }

    private func read(_ location: PackLocation, _ store: DirectoryPackStore) async throws -> [UInt8] {
        let buffer = Buffer(byteCount: Int(location.length))
        let count = try await store.read(
            location.pack, at: location.offset + UInt64(RecordHeader.byteCount), into: buffer.memory)
        return Array(buffer.memory[..<count])
    }

    private func pack(_ directory: LocalPath) throws -> LocalPath {
        try #require(directory.files(ending: ".pack").first)
    }

    @Test func recordsOfABatchLieOneBehindTheOtherInOnePack() async throws {
        try await withStore { directory, store in
            let appended = try await store.append((0..<5).map { record($0) })
            #expect(appended.locations.map(\.offset) == [64, 186, 308, 430, 552])
            #expect(Set(appended.locations.map(\.pack)).count == 1)
            for (index, location) in appended.locations.enumerated() {
                #expect(try await read(location, store) == sample(index, count: 50))
            }
            #expect(try await store.append([]).locations.isEmpty)
            #expect(try await store.list() == [appended.locations[0].pack: PackStatus(length: 674)])
            #expect(directory.files(ending: ".new").isEmpty)
            let missing = PackLocation(pack: PackID(), offset: 64, length: 1)
            #expect(await code { _ = try await read(missing, store) } == .notFound)
        }
    }

    @Test func whereRecordsGoIsToldOnceAndBeforeTheyAreDurable() async throws {
        try await withStore { _, store in
            var told: [[PackLocation]] = []
            let appended = try await store.append([record(1), record(2)]) { told.append($0) }
            #expect(told == [appended.locations])
            _ = try await store.append([]) { told.append($0) }
            #expect(told.last == [])
        }
        try await withTemporaryDirectory { directory in
            // Operations: 1 to 6 make the pack, 7 writes and 8 syncs the batch.
            let files = FaultyFiles(directory, failing: 8, with: .error(EIO))
            let store = DirectoryPackStore(directory, vault: Self.vault, files: files)
            var told: [PackLocation] = []
            #expect(await code { _ = try await store.append([record(1)]) { told = $0 } } == .integrity)
            #expect(told.count == 1)
        }
    }

    @Test func appendsAtOnceDoNotOverlap() async throws {
        try await withStore { _, store in
            let locations = try await withThrowingTaskGroup(of: (Int, [PackLocation]).self) { group in
                for task in 0..<50 {
                    let records = (0..<4).map { record(task * 4 + $0, count: 50 + task) }
                    group.addTask { (task, try await store.append(records).locations) }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            let ordered = locations.values.flatMap { $0 }.sorted { $0.offset < $1.offset }
            #expect(ordered.count == 200)
            for (left, right) in zip(ordered, ordered.dropFirst()) { #expect(left.end == right.offset) }
            for (task, locations) in locations {
                for (index, location) in locations.enumerated() {
                    #expect(try await read(location, store) == sample(task * 4 + index, count: 50 + task))
                }
            }
        }
    }

    @Test(arguments: [2, 3]) func aFailedWriteOrSyncEndsThePack(_ operation: Int) async throws {
        try await withTemporaryDirectory { directory in
            // Operations: 1 to 6 make the pack, 7 and 8 write and sync the first batch.
            let files = FaultyFiles(directory, failing: 6 + 2 + operation - 1, with: .error(EIO))
            let store = DirectoryPackStore(directory, vault: Self.vault, files: files)
            let first = try await store.append([record(1)])
            #expect(await code { _ = try await store.append([record(2)]) } == .integrity)
            let path = try pack(directory)
            #expect(try FileStatus(of: path).mode == 0o400)
            let second = try await store.append([record(3)])
            #expect(second.locations[0].pack != first.locations[0].pack)
            #expect(try await read(first.locations[0], store) == sample(1, count: 50))
            #expect(try await read(second.locations[0], store) == sample(3, count: 50))
            await store.close()
            // A sealed pack is not adopted.
            let other = DirectoryPackStore(directory, vault: Self.vault, files: SystemFiles())
            try await other.adopt([first.locations[0].pack]) { _ in first.locations[0].end }
            #expect(try await other.append([record(4)]).locations[0].pack != first.locations[0].pack)
        }
    }

    @Test func noAppendOfAFailedPackCounts() async throws {
        try await withTemporaryDirectory { directory in
            for failing in 7...12 {
                let directory = directory.appending("\(failing)")
                try SystemFiles().makeDirectory(directory)
                let files = FaultyFiles(directory, failing: failing, with: .error(ENOSPC))
                let store = DirectoryPackStore(directory, vault: Self.vault, files: files)
                let durable = await withTaskGroup(of: [PackLocation].self) { group in
                    for index in 0..<8 {
                        group.addTask { (try? await store.append([record(index)]).locations) ?? [] }
                    }
                    return await group.reduce(into: []) { $0 += $1 }
                }
                for location in durable {
                    let bytes = try await read(location, store)
                    #expect((0..<8).contains { sample($0, count: 50) == bytes })
                }
            }
        }
    }

    @Test func adoptionCutsToTheKnownLengthAndGoesOnBehindIt() async throws {
        try await withStore { directory, first in
            var locations = try await first.append([record(1)]).locations
            _ = try await first.append([record(2)])
            await first.close()
            let store = DirectoryPackStore(directory, vault: Self.vault, files: SystemFiles())
            try await store.adopt([locations[0].pack]) { _ in locations[0].end }
            #expect(try await store.list() == [locations[0].pack: PackStatus(length: locations[0].end)])
            locations += try await store.append([record(3)]).locations
            #expect(locations[1].pack == locations[0].pack)
            #expect(locations[1].offset == locations[0].end)
            #expect(try await read(locations[1], store) == sample(3, count: 50))
        }
    }

    @Test func adoptionLeavesAloneWhatItDoesNotKnow() async throws {
        try await withStore { directory, first in
            let location = try await first.append([record(1)]).locations[0]
            await first.close()
            for length in [nil, 10, location.end + 1] as [UInt64?] {
                let store = DirectoryPackStore(directory, vault: Self.vault, files: SystemFiles())
                try await store.adopt([location.pack, PackID()]) { _ in length }
                #expect(try await store.append([record(2)]).locations[0].pack != location.pack)
                #expect(try await store.list()[location.pack]?.length == location.end)
            }
        }
    }

    @Test func twoStoresNeverShareAPack() async throws {
        try await withStore { directory, first in
            let location = try await first.append([record(1)]).locations[0]
            let second = DirectoryPackStore(directory, vault: Self.vault, files: SystemFiles())
            try await second.adopt([location.pack]) { _ in location.end }
            let other = try await second.append([record(2)]).locations[0]
            #expect(other.pack != location.pack)
            #expect(try await first.append([record(3)]).locations[0].pack == location.pack)
        }
    }

    @Test func aHeldPackIsNotDeleted() async throws {
        try await withStore { directory, store in
            var appended: Appended? = try await store.append([record(1)])
            let id = try #require(appended?.locations.first?.pack)
            #expect(try await store.delete([id]) { Set($0) } == [])
            await store.close()
            #expect(try await store.delete([id]) { Set($0) } == [])
            let other = DirectoryPackStore(directory, vault: Self.vault, files: SystemFiles())
            #expect(try await other.delete([id]) { Set($0) } == [])
            withExtendedLifetime(appended) {}
            appended = nil
            #expect(try await other.delete([id]) { _ in [] } == [])
            #expect(try await store.list().count == 1)
            #expect(try await other.delete([id]) { Set($0) } == [id])
            #expect(try await store.list().isEmpty)
            #expect(try await other.delete([id]) { Set($0) } == [id])
        }
    }

    @Test func aFullPackIsSealedAndTheNextOneBegun() async throws {
        try await withStore { directory, store in
            let large = PackRecord(
                kind: .chunk, digest: Digest(of: []),
                bytes: BufferSlice(
                    Buffer(byteCount: Int(StoreLimits.packSealBytes)), 0..<Int(StoreLimits.packSealBytes)))
            let first = try await store.append([large]).locations[0].pack
            let path = try pack(directory)
            let second = try await store.append([record(1)]).locations[0].pack
            #expect(first != second)
            #expect(try FileStatus(of: path).mode == 0o400)
        }
    }
}
