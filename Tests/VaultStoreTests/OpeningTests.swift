import Foundation
import Testing
import VaultModel

@testable import VaultStore

@Suite struct OpeningTests {
    @Test func aVaultIsMadeOnlyWhereOneMayBe() async throws {
        try await withTemporaryDirectory { directory in
            let absent = directory.appending("new/er")
            #expect(await code { try await withVault(absent, access: .readWrite) { _ in } } == .notFound)
            #expect(await code { try await withVault(absent, access: .readOnly) { _ in } } == .notFound)
            try await withVault(absent) { try await $0.save("a", sample(1)) }
            try await withVault(absent, access: .readWrite) { vault in
                #expect(try await vault.read("a") == sample(1))
                try await vault.save("b", sample(2))
            }
            let foreign = directory.appending("foreign")
            try FileManager.default.createDirectory(atPath: foreign.text, withIntermediateDirectories: true)
            try foreign.appending("letter").setContents([1])
            for access in [StoredVault.Access.create, .readWrite, .readOnly] {
                #expect(await code { try await withVault(foreign, access: access) { _ in } } == .invalid)
            }
            #expect(foreign.files().count == 1)
            let letter = foreign.appending("letter")
            for access in [StoredVault.Access.create, .readWrite, .readOnly] {
                #expect(await code { try await withVault(letter, access: access) { _ in } } == .invalid)
            }
        }
    }

    @Test func whatAnInterruptedCreationLeavesBecomesAVault() async throws {
        try await withTemporaryDirectory { directory in
            let files = FileManager.default
            for (index, leftovers) in [["lock"], ["lock", "catalog.sqlite"], ["catalog.sqlite"], []].enumerated() {
                let vault = directory.appending("\(index)")
                try files.createDirectory(atPath: vault.appending("packs").text, withIntermediateDirectories: true)
                for name in leftovers { try vault.appending(name).setContents([]) }
                try await withVault(vault) { try await $0.save("a", sample(1)) }
                try await withVault(vault, access: .readWrite) { vault in
                    #expect(try await vault.read("a") == sample(1))
                    try await vault.save("b", sample(2))
                }
            }
        }
    }

    @Test func aNewerFormatIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { try await $0.save("a", sample(1)) }
            let catalog = try await SQLiteCatalog(directory.appending("catalog.sqlite"), files: SystemFiles())
            let newer = SQLiteCatalog.format + 1
            try await catalog.write { database in _ = try Query(database, "UPDATE vault SET format = \(newer)").step() }
            await catalog.close()
            for access in [StoredVault.Access.create, .readWrite, .readOnly] {
                #expect(await code { try await withVault(directory, access: access) { _ in } } == .invalid)
            }
        }
    }

    @Test func anOlderFormatIsRefusedByASentenceThatTellsHowToGoOn() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { try await $0.save("a", sample(1)) }
            let catalog = try await SQLiteCatalog(directory.appending("catalog.sqlite"), files: SystemFiles())
            try await catalog.write { database in
                for statement in ["UPDATE vault SET format = 4", "DROP TABLE claim"] {
                    _ = try Query(database, statement).step()
                }
            }
            await catalog.close()
            for access in [StoredVault.Access.create, .readWrite, .readOnly] {
                let error = await #expect(throws: VaultError.self) {
                    try await withVault(directory, access: access) { _ in }
                }
                #expect(error?.code == .invalid)
                #expect(error?.message.contains("format 4") == true && error?.message.contains("push") == true)
            }
        }
    }

    @Test func anOlderCatalogDoesNotCutOffWhatCameAfterIt() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { try await $0.save("a", sample(1)) }
            let old = try directory.appending("catalog.sqlite").contents()
            try await withVault(directory) { vault in
                try await vault.save("b", sample(2))
                try await vault.save("c", sample(3))
            }
            try directory.appending("catalog.sqlite").setContents(old)
            try await withVault(directory) { vault in
                #expect(await code { try await vault.save("d", sample(4)) } == .integrity)
                let names = try await vault.names()
                #expect(names == ["a"])
            }
            _ = try await VaultRepair(directory).rebuild()
            try await withVault(directory) { vault in
                try await vault.save("d", sample(4))
                #expect(try await vault.names() == ["a", "b", "c", "d"])
                #expect(try await vault.read("c") == sample(3))
            }
        }
    }

    /// Of the commits since the last sync a power failure would leave none, or the oldest: the next writer takes what the
    /// packs have beyond them for a commit that was never acknowledged.
    @Test func aCommitIsOnTheDiskBeforeItIsAcknowledged() async throws {
        try await withTemporaryDirectory { directory in
            for isNew in [true, false] {
                try await withVault(directory) { vault in
                    try await vault.save("\(isNew)", sample(1))
                    let catalog = try #require(vault.catalog as? SQLiteCatalog)
                    let level = try catalog.access { database in
                        let query = try Query(database, "PRAGMA synchronous")
                        defer { query.finish() }
                        return try query.first() ? query.int(0) : nil
                    }
                    // 2 is 'FULL' (sqlite.org/pragma.html#pragma_synchronous).
                    #expect(level == 2)
                }
            }
        }
    }

    @Test func aVaultOpenedForReadingRefusesChanges() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.save("a", sample(1))
                try await vault.upload("b", sample(2, count: 1000))
            }
            let before = Set(directory.files())
            try await withVault(directory, access: .readOnly) { vault in
                try await expectReadable(vault)
                try await expectUnchangeable(vault)
            }
            #expect(Set(directory.files()).subtracting(before).allSatisfy { $0.text.contains("catalog.sqlite-") })
        }
    }

    @Test func aVaultIsReadWhereItsLogCannotBe() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.save("a", sample(1))
                try await vault.upload("b", sample(2, count: 1000))
            }
            // As on a medium that is only read: the file is all there is of the catalog.
            for suffix in ["-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: directory.appending("catalog.sqlite\(suffix)").text)
            }
            try? FileManager.default.removeItem(atPath: directory.appending("lock").text)
            try await withVault(directory, access: .readOnly) { try await expectReadable($0) }
        }
    }

    @Test func anImmutableDirectoryIsReadAndNotWritten() async throws {
        try await withTemporaryDirectory { directory in
            let copy = LocalPath("\(NSTemporaryDirectory())/minivault-tests-\(UniqueID())")
            defer { try? FileManager.default.removeItem(atPath: copy.text) }
            try await withVault(directory) { vault in
                try await vault.save("a", sample(1))
                try await vault.upload("b", sample(2, count: 1000))
            }
            copyVault(directory, to: copy)
            // Only some file systems have the attribute, and only root may set it.
            guard run("chattr", "-R", "+i", copy.text) else { return }
            defer { _ = run("chattr", "-R", "-i", copy.text) }
            try await withVault(copy, access: .readOnly) { vault in
                try await expectReadable(vault)
                try await expectUnchangeable(vault)
            }
            #expect(
                await code { try await withVault(copy, access: .readWrite) { _ = try await $0.save("c", []) } }
                    == .denied)
        }
    }

    private func expectReadable(_ vault: StoredVault) async throws {
        #expect(try await vault.names() == ["a", "b"])
        #expect(try await vault.read("a") == sample(1))
        #expect(try await vault.read("b") == sample(2, count: 1000))
        #expect(try await vault.history(try name("a")).count == 1)
        #expect(try await vault.verify(VerifyRequest()).isClean)
        #expect(try await vault.keep(last: 1, isDryRun: true).keptVersions == 2)
    }

    private func expectUnchangeable(_ vault: StoredVault) async throws {
        #expect(await code { try await vault.save("c", sample(3)) } == .denied)
        #expect(await code { try await vault.upload("c", sample(3)) } == .denied)
        #expect(await code { try await vault.remove("a") } == .denied)
        #expect(await code { try await vault.keep(last: 1) } == .denied)
        #expect(await code { _ = try await vault.collect() } == .denied)
        #expect(await code { try await vault.setQuota(1) } == .denied)
    }

    private func run(_ command: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
