import TestSupport
import Testing
import VaultModel

@testable import VaultEngines
@testable import VaultStore

/// A vault that moves keeps all that it was.
@Suite(.enabled(if: TestEngines.areThere, "scripts/test starts the engines")) struct VaultMigrationTests {
    private let places: TestEngines
    private let directory: TemporaryDirectory

    init() throws {
        places = try #require(TestEngines.shared).alone()
        directory = try TemporaryDirectory()
    }

    private func save(_ name: String, _ seed: UInt64, count: Int = 3000, in vault: StoredVault) async throws {
        _ = try await ContentSave(to: vault).save(
            randomBytes(count, seed: seed),
            SaveIntent(
                name: try Name(name), attributes: Attributes(mode: 0o640, modified: Int64(seed)), tags: ["n": "\(seed)"]
            ))
    }

    private func entries(of vault: StoredVault) async throws -> [Entry] {
        var stream = EntryStream(vault, ListQuery(includesVersions: true))
        var entries: [Entry] = []
        while let entry = try await stream.next() { entries.append(entry) }
        return entries
    }

    @Test func aHistoryGoesToTheEnginesAndBack() async throws {
        let first = try await StoredVault.open(directory("first"), access: .create, savedBy: "anna")
        for seed in 0..<10 as Range<UInt64> { try await save("d/f\(seed % 4)", seed, in: first) }
        try await save("large", 99, count: 5 << 20, in: first)
        let changes = [
            Change.rename(from: try Name("d"), to: try Name("e")), .remove(try NamePrefix("e/f1"), ifVersion: nil),
            .copy(from: try Name("large"), to: try Name("again")),
        ]
        for result in try await first.change(changes) { _ = try result.get() }
        try await first.setQuota(1 << 30)
        _ = try await first.add(3, to: "counter", once: nil)
        try await places.with { engines in
            let shared = try await engines.makeVault(UniqueID())
            let report = try await VaultMigration(from: first, to: shared).run()
            #expect(report.damagedChunks == 0)
            #expect(try await entries(of: shared) == entries(of: first))
            #expect(try await shared.catalog.journalHead() == first.catalog.journalHead())
            #expect(
                try await ContentRead(from: shared).read(try Name("again"), .current) == randomBytes(5 << 20, seed: 99))
            #expect(try await shared.usage().quota == 1 << 30)
            #expect(try await shared.hookValue("counter").value == Array("3".utf8))
            // Again, with nothing new and with something.
            #expect(try await VaultMigration(from: first, to: shared).run().changes == 0)
            try await save("later", 100, in: first)
            #expect(try await VaultMigration(from: first, to: shared).run().changes == 1)
            let second = try await StoredVault.open(directory("second"), access: .create)
            _ = try await VaultMigration(from: shared, to: second).run()
            #expect(try await entries(of: second) == entries(of: first))
            #expect(try await second.verify(VerifyRequest()).isClean)
            await second.close()
            await shared.close()
        }
        await first.close()
    }

    @Test func aVaultWithAHistoryOfItsOwnIsNoTarget() async throws {
        let first = try await StoredVault.open(directory("first"), access: .create)
        try await save("a", 1, in: first)
        try await places.with { engines in
            let shared = try await engines.makeVault(UniqueID())
            try await save("b", 2, in: shared)
            let error = await #expect(throws: VaultError.self) {
                try await VaultMigration(from: first, to: shared).run()
            }
            #expect(error?.code == .conflict)
            #expect(try await entries(of: shared).map(\.name.text) == ["b"])
            await shared.close()
        }
        await first.close()
    }
}
