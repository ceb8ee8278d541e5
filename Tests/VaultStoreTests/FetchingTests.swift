import Synchronization
import Testing
import VaultModel

@testable import VaultStore

/// Reads for someone far away, who names places in a file and verifies what comes.
@Suite struct FetchingTests {
    @Test func chunksAreFetchedByTheirPositions() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let bytes = sample(1, count: 1050)
                try await vault.upload("a", bytes)
                try await vault.save("one", sample(2))
                let read = try await vault.openRead(try name("a"), .current)
                for positions in [[0, 100, 200], [1000], [900, 0, 0], []] as [[UInt64]] {
                    let chunks = try await vault.fetch(positions: positions, of: read.id, verifying: false)
                    #expect(
                        chunks.map(\.bytes.bytes) == positions.map { Array(bytes[Int($0)..<min(1050, Int($0) + 100)]) })
                }
                for position in [1, 99, 1049, 1050, .max] as [UInt64] {
                    #expect(
                        await code {
                            _ = try await vault.fetch(positions: [0, position], of: read.id, verifying: true)
                        }
                            == .invalid)
                }
                let one = try await vault.openRead(try name("one"), .current)
                #expect(
                    try await vault.fetch(positions: [0], of: one.id, verifying: true)[0].bytes.bytes == sample(2))
                #expect(
                    await code { _ = try await vault.fetch(positions: [300], of: one.id, verifying: true) } == .invalid)
                await vault.closeRead(read.id)
                #expect(
                    await code { _ = try await vault.fetch(positions: [0], of: read.id, verifying: true) } == .notFound)
            }
        }
    }

    @Test func tooMuchAtOnceIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.upload("many", sample(1, count: 3000), chunkSize: 10)
                let many = try await vault.openRead(try name("many"), .current)
                let positions = (0..<257).map { UInt64($0 * 10) }
                #expect(
                    try await vault.fetch(positions: Array(positions.dropLast()), of: many.id, verifying: false).count
                        == 256)
                #expect(
                    await code { _ = try await vault.fetch(positions: positions, of: many.id, verifying: false) }
                        == .invalid)
                try await vault.upload("large", sample(2, count: 5 << 20), chunkSize: 1 << 20)
                let large = try await vault.openRead(try name("large"), .current)
                let mebibytes = (0..<5).map { UInt64($0 << 20) }
                let fits = mebibytes + mebibytes + mebibytes + [0]
                #expect(try await vault.fetch(positions: fits, of: large.id, verifying: false).count == 16)
                #expect(
                    await code { _ = try await vault.fetch(positions: fits + [0], of: large.id, verifying: false) }
                        == .invalid)
            }
        }
    }

    @Test func readingOnReadsNoListNodeTwice() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let bytes = (0..<6000).flatMap { index in withUnsafeBytes(of: Int32(index)) { Array($0) } }
                let outcome = try #require(try await vault.upload("a", bytes, chunkSize: 4, perSegment: 500))
                #expect(outcome.entry.content.depth > 1)
                let read = try await vault.openRead(try name("a"), .current)
                _ = try await vault.fetch(positions: [0, 4], of: read.id, verifying: false)
                let path = try #require(vault.reads.withLock { $0[read.id]?.path })
                #expect(path.count == Int(outcome.entry.content.depth))
                // Nodes that are withdrawn cannot be looked up again.
                let digests = path.map(\.digest)
                let locations = try await vault.catalog.locations(digests)
                try await vault.catalog.withdraw(
                    Dictionary(zip(locations.compactMap { $0 }, digests)) { $1 })
                let leaf = try #require(path.last).node.references.count
                let last = UInt64((leaf - 1) * 4)
                _ = try await vault.fetch(positions: [8, last], of: read.id, verifying: false)
                _ = try await vault.fetch(positions: [last, last + 4], of: read.id, verifying: false)
                #expect(
                    await code { _ = try await vault.fetch(positions: [0], of: read.id, verifying: false) }
                        == .integrity)
            }
        }
    }

    @Test func unverifiedBytesAreGivenAsTheyAreButNotUnderAnotherHeader() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let bytes = sample(1, count: 300)
                try await vault.upload("a", bytes)
                try await vault.upload("b", sample(2, count: 300))
                let (a, b) = (
                    try await vault.openRead(try name("a"), .current), try await vault.openRead(try name("b"), .current)
                )
                let pack = try #require(directory.files(ending: ".pack").first)
                var stored = try pack.contents()
                let payload = try #require(stored.firstRange(of: bytes[100..<200]))
                stored[payload.lowerBound] ^= 1
                let header = try #require(stored.firstRange(of: sample(2, count: 300)[..<100])).lowerBound - 30
                stored[header] ^= 1
                try pack.overwrite(stored)
                let chunks = try await vault.fetch(positions: [0, 100], of: a.id, verifying: false)
                #expect(chunks[0].bytes.bytes == Array(bytes[..<100]))
                #expect(chunks[1].bytes.bytes == [bytes[100] ^ 1] + bytes[101..<200])
                let placed = try await vault.layout(a.id, from: 100, count: 1)
                #expect(try await vault.fetch(placed, of: a.id, verifying: false).count == 1)
                #expect(await code { _ = try await vault.fetch(placed, of: a.id) } == .integrity)
                #expect(
                    await code { _ = try await vault.fetch(positions: [0, 100], of: a.id, verifying: true) }
                        == .integrity)
                #expect(
                    await code { _ = try await vault.fetch(positions: [0], of: b.id, verifying: false) } == .integrity)
            }
        }
    }
}
