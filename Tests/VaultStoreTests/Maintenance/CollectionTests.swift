import TestSupport
import Testing
import VaultModel

@testable import VaultEngines
@testable import VaultStore

/// Collections keep the number of objects small.
@Suite(.enabled(if: TestEngines.areThere, "scripts/test starts the engines")) struct CollectionTests {
    private let places: TestEngines

    init() throws { places = try #require(TestEngines.shared).alone() }

    @Test func manySmallObjectsArePutTogether() async throws {
        try await places.with { engines in
            let vault = try await engines.makeVault(UniqueID())
            for number in 0..<20 { try await vault.save("f\(number)", sample(number)) }
            #expect(try await vault.packs.list().count == 20)
            let report = try await vault.collect()
            #expect(report.changedPacks == 20)
            #expect(report.removedChunks == 0)
            #expect(try await vault.packs.list().count == 1)
            for number in 0..<20 { #expect(try await vault.read("f\(number)") == sample(number)) }
            #expect(try await vault.verify(VerifyRequest()).isClean)
            #expect(try await vault.collect().changedPacks == 0)
            await vault.close()
        }
    }

    @Test func aFewSmallObjectsStayAsTheyAre() async throws {
        try await places.with { engines in
            let vault = try await engines.makeVault(UniqueID())
            for number in 0..<5 { try await vault.save("f\(number)", sample(number)) }
            let before = try await vault.packs.list()
            #expect(try await vault.collect().changedPacks == 0)
            #expect(try await vault.packs.list() == before)
            await vault.close()
        }
    }

    @Test func anObjectWithARecordThatCannotBeReadStays() async throws {
        try await places.with { engines in
            let vault = try await engines.makeVault(UniqueID())
            for number in 0..<20 { try await vault.save("f\(number)", sample(number)) }
            try await engines.flip(sample(7), of: vault)
            #expect(try await vault.collect().changedPacks == 19)
            #expect(try await vault.packs.list().count == 2)
            for number in 0..<20 where number != 7 { #expect(try await vault.read("f\(number)") == sample(number)) }
            let report = try await vault.verify(VerifyRequest())
            #expect(report.damaged.map { "\($0.name)" } == ["f7"])
            // Saving it again heals it.
            try await vault.save("f7", sample(7))
            #expect(try await vault.read("f7") == sample(7))
            await vault.close()
        }
    }

    @Test func whoHasLookedARecordUpFindsItWhereItHasBeenMoved() async throws {
        try await places.with { engines in
            let vault = try await engines.makeVault(UniqueID())
            for number in 0..<20 { try await vault.save("f\(number)", sample(number)) }
            let chunks = try await vault.catalog.chunks(after: nil, limit: 100)
            let groups = try await vault.catalog.journal(after: 0, limit: 100)
            #expect(chunks.count == 20 && groups.count == 20)
            #expect(try await vault.collect().changedPacks == 20)
            let reader = vault.recordReader
            let copies = try await reader.copies(of: chunks.map { .init($0) } + groups.map { .init($0) })
            #expect(copies.count { $0 != nil } == 40)
            #expect(try await reader.unreadable(chunks).isEmpty)
            await vault.close()
        }
    }

    @Test func readsGoOnWhileRecordsMoveAgainAndAgain() async throws {
        try await places.with { engines in
            let vault = try await engines.makeVault(UniqueID())
            for number in 0..<20 { try await vault.save("f\(number)", sample(number)) }
            let isDone = Shared(false)
            let moving = Task {
                defer { isDone.change { $0 = true } }
                for round in 0..<6 {
                    // Something to put together each time.
                    for number in 0..<17 { try await vault.save("round/\(round)/\(number)", sample(100 + number)) }
                    _ = try await vault.collect()
                }
            }
            while !isDone.value {
                for number in 0..<20 { #expect(try await vault.read("f\(number)") == sample(number)) }
            }
            try await moving.value
            await vault.close()
        }
    }

    @Test func collectionsAtOnceLeaveAllThatIsNeeded() async throws {
        try await places.with { engines in
            let id = UniqueID()
            let vaults = [try await engines.makeVault(id), try await engines.makeVault(id)]
            for number in 0..<40 { try await vaults[0].save("f\(number)", sample(number)) }
            try await withThrowingTaskGroup { group in
                for vault in vaults { group.addTask { _ = try await vault.collect() } }
                try await group.waitForAll()
            }
            for vault in vaults {
                for number in 0..<40 { #expect(try await vault.read("f\(number)") == sample(number)) }
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
            for vault in vaults { await vault.close() }
        }
    }
}
