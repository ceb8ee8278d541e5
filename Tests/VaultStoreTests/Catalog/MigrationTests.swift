import Testing
import VaultModel

@testable import VaultStore

/// Vaults that were made by earlier programs.
@Suite struct MigrationTests {
    /// Makes the catalog of a closed vault one of format 1.
    private func age(_ directory: LocalPath) async throws {
        let catalog = try await SQLiteCatalog(directory.appending("catalog.sqlite"), files: SystemFiles())
        try await catalog.write { database in
            for statement in [
                "DROP TABLE outbox", "DROP TABLE hook_value", "DROP TABLE hook_count", "DROP TABLE answer",
                "DROP TABLE audit",
                "DROP INDEX upload_chunk_digest",
                "ALTER TABLE upload DROP COLUMN user", "ALTER TABLE vault DROP COLUMN setbacks",
                "UPDATE vault SET format = 1",
            ] { _ = try Query(database, statement).step() }
        }
        await catalog.close()
    }

    private func makeOldVault(_ directory: LocalPath) async throws {
        try await withVault(directory) { vault in
            try await vault.save("a", sample(1))
            let upload = try await vault.beginUpload(try intent("b"))
            _ = try await vault.send(sample(2, count: 300), to: upload)
            await vault.abort(upload)
        }
        try await age(directory)
    }

    @Test func aVaultOfFormatOneIsReadAsItIs() async throws {
        try await withTemporaryDirectory { directory in
            try await makeOldVault(directory)
            for _ in 0..<2 {
                try await withVault(directory, access: .readOnly) { vault in
                    let bytes = try await vault.read("a")
                    #expect(bytes == sample(1))
                    #expect(try await vault.history(try name("a")).count == 1)
                    #expect(try await vault.verify(VerifyRequest()).isClean)
                    #expect(try await vault.usage().storedBytes == 372 + 3 * 172)
                    #expect(try await vault.audit(limit: 10) == [])
                }
            }
        }
    }

    @Test func aVaultOfFormatOneIsBroughtUpToDateForWriting() async throws {
        try await withTemporaryDirectory { directory in
            try await makeOldVault(directory)
            // Two processes at once: one of them finds the work done.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for access in [StoredVault.Access.readWrite, .create] {
                    group.addTask { try await withVault(directory, access: access) { _ in } }
                }
                try await group.waitForAll()
            }
            try await withVault(directory) { vault in
                #expect(try await vault.upload("b", sample(2, count: 300))?.newBytes == 0)
                let id = UniqueID()
                let saves = try [small("c", sample(3))]
                _ = try await vault.save(saves, by: .stranger("bob"), change: id)
                #expect(try await vault.save(saves, by: .stranger("bob"), change: id)[0].get().newBytes == 300)
                #expect(try await vault.audit(limit: 10).count == 1)
                #expect(try await vault.read("a") == sample(1))
            }
            _ = try await VaultRepair(directory).rebuild()
            let names = try await withVault(directory, access: .readWrite) { try await $0.names() }
            #expect(names == ["a", "b", "c"])
        }
    }

    @Test func aRebuiltCatalogOfFormatOneHasTheNewestFormat() async throws {
        try await withTemporaryDirectory { directory in
            try await makeOldVault(directory)
            _ = try await VaultRepair(directory).rebuild()
            let bytes = try await withVault(directory, access: .readOnly) { try await $0.read("a") }
            #expect(bytes == sample(1))
        }
    }
}
