import Glibc
import Synchronization
import Testing
import VaultModel

@testable import VaultStore

/// Bytes count against the quota from their arrival on, whoever brings them.
@Suite struct QuotaTests {
    @Test func uploadsOfManyCallersCannotExceedItTogether() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                // Of 40 uploads of 10 chunks each, there is room for a fourth.
                let quota: UInt64 = 40 * 10 * 172 / 4
                try await vault.setQuota(quota)
                let outcomes = try await withThrowingTaskGroup(of: Bool.self) { group in
                    for index in 0..<40 {
                        group.addTask {
                            do {
                                let caller = Caller(user: "u\(index)", peer: "192.0.2.1")
                                return try await vault.upload("n/\(index)", sample(index, count: 1000), by: caller)
                                    != nil
                            } catch let error as VaultError where error.code == .quota {
                                return false
                            }
                        }
                    }
                    return try await group.reduce(into: [Bool]()) { $0.append($1) }
                }
                #expect(outcomes.contains(false))
                #expect(try await vault.usage().storedBytes <= quota)
                // What was given back is free again.
                let reserved = try #require(vault.catalog as? SQLiteCatalog).reservations.bytes
                #expect(reserved == 0)
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }

    @Test func smallSavesLeaveRoomForWhatUploadsReserved() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.setQuota(1600)
                let upload = try await vault.beginUpload(try intent("a"))
                let content = try await vault.send(sample(1, count: 500), to: upload)
                #expect(await code { try await vault.save("b", sample(2)) } == nil)
                #expect(await code { try await vault.save("c", sample(3)) } == .quota)
                #expect(try await vault.commit(upload, content: content) != nil)
                #expect(await code { try await vault.save("c", sample(3)) } == .quota)
                #expect(try await vault.usage().storedBytes <= 1600)
            }
        }
    }

    @Test func aFailedStoreGivesItsReservationBack() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { try await $0.save("a", sample(1)) }
            for failing in 1...12 {
                let files = FaultyFiles(directory, failing: failing, with: .error(EIO))
                guard
                    let vault = try? await StoredVault.open(
                        directory, savedBy: "anna", files: files, clock: { 1_700_000_000 })
                else { continue }
                _ = try? await vault.upload("b", sample(failing, count: 1000), by: .reader("bob"))
                let catalog = try #require(vault.catalog as? SQLiteCatalog)
                #expect(catalog.reservations.bytes == 0, "operation \(failing)")
                await vault.close()
            }
        }
    }

    @Test func chunksThatArriveTwiceAtOnceCountOnce() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let upload = try await vault.beginUpload(try intent("a"))
                let chunks = pieces(of: sample(1, count: 300), 100)
                _ = try await vault.offer(chunks.map(\.reference), to: upload)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 { group.addTask { try await vault.put(chunks + chunks, to: upload) } }
                    try await group.waitForAll()
                }
                let catalog = try #require(vault.catalog as? SQLiteCatalog)
                #expect(catalog.reservations.bytes == 3 * 172)
                await vault.abort(upload)
                #expect(catalog.reservations.bytes == 0)
                #expect(try await vault.usage().pendingBytes == 3 * 172)
            }
        }
    }
}
