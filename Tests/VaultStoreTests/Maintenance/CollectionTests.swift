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
}
