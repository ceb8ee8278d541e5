import Foundation
import Testing
import VaultModel

@testable import VaultStore

@Suite struct VaultRepairTests {
    /// Fills a vault with every kind of change, in several packs.
    private func fill(_ directory: LocalPath, _ clock: ManualClock) async throws {
        try await withVault(directory, clock: clock) { vault in
            try await vault.save("a", sample(1), tags: ["k": "v"])
            try await vault.save("a", sample(2))
            try await vault.upload("p/large", sample(3, count: 2000))
            try await vault.save("p/removed", sample(4))
            try await vault.save("p/dropped", sample(5))
            try await vault.save("p/dropped", sample(6))
            try await vault.save("d", [], kind: .directory)
            try await vault.remove("p/removed")
            #expect(await code { try await vault.save("p", sample(7)) } == .exists)
            #expect(await code { try await vault.save("a", sample(8), ifVersion: 0) } == .exists)
        }
        clock.advance(100)
        try await withVault(directory, clock: clock) { vault in
            // A pack of its own: what has been written so far is not taken over.
            for pack in directory.files(ending: ".pack") { chmod(pack.text, 0o400) }
            try await vault.rename("p", "q/r")
            try await vault.change(.copy(from: try name("a"), to: try name("copy")))
            try await vault.save("p", sample(9))
            try await vault.change(.revert(try name("a"), version: 1))
            try await vault.change(.tag(try name("copy"), ["x": "y"]))
            try await vault.keep(last: 1, below: try NamePrefix("q/r/dropped"))
            try await vault.setQuota(1 << 30)
        }
    }

    private struct Snapshot: Equatable, Sendable {
        var entries: [Entry]
        var old: [Entry]
        var contents: [[UInt8]]
        var stored: UInt64
        var quota: UInt64?
    }

    private func snapshot(_ vault: StoredVault, at time: Int64) async throws -> Snapshot {
        let entries = try await vault.entries(ListQuery(includesVersions: true))
        var contents: [[UInt8]] = []
        for entry in entries where entry.kind != .removed {
            contents.append(try await vault.read(entry.name.text, .version(entry.version)))
        }
        let usage = try await vault.usage()
        return Snapshot(
            entries: entries, old: try await vault.entries(ListQuery(selector: .time(time), includesVersions: true)),
            contents: contents, stored: usage.storedBytes, quota: usage.quota)
    }

    /// Runs `body` with a filled vault and what it must look like again.
    private func withFilledVault(
        _ body: (LocalPath, ManualClock, _ check: (Comment) async throws -> Void) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            let start = clock.now
            try await fill(directory, clock)
            let before = try await withVault(directory, clock: clock) { try await snapshot($0, at: start) }
            try await body(directory, clock) { comment in
                try await withVault(directory, access: .readWrite, clock: clock) { vault in
                    #expect(try await snapshot(vault, at: start) == before, comment)
                    #expect(try await vault.verify(VerifyRequest()).isClean, comment)
                    try await vault.save("later", sample(40))
                    try await vault.remove("later")
                    #expect(try await vault.read("a") == sample(1), comment)
                }
            }
        }
    }

    private func removeCatalog(_ directory: LocalPath) throws {
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: directory.appending("catalog.sqlite\(suffix)").text)
        }
    }

    @Test func aRebuiltCatalogEqualsTheOldOne() async throws {
        try await withFilledVault { directory, _, check in
            let report = try await VaultRepair(directory).rebuild()
            #expect(report.problems == [])
            #expect(report.groups > 10)
            try await check("rebuilt")
            #expect(try await VaultRepair(directory).catalogIsSound())
        }
    }

    @Test func aLostCatalogIsToldOfAndRebuilt() async throws {
        try await withFilledVault { directory, clock, _ in
            try removeCatalog(directory)
            for access in [StoredVault.Access.create, .readWrite, .readOnly] {
                #expect(await code { try await withVault(directory, access: access) { _ in } } == .integrity)
            }
            _ = try await VaultRepair(directory).rebuild()
            try await withVault(directory, access: .readWrite, clock: clock) { vault in
                let names = try await vault.names()
                #expect(names == ["a", "copy", "d", "p", "q/r/dropped", "q/r/large"])
                #expect(await code { _ = try await vault.read("q/r/dropped", .version(1)) } == .notFound)
                #expect(try await vault.history(try name("q/r/dropped")).map(\.version) == [2])
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }

    @Test func aDamagedCatalogIsToldOfAndRebuilt() async throws {
        try await withFilledVault { directory, _, check in
            let catalog = directory.appending("catalog.sqlite")
            var bytes = try catalog.contents()
            for index in 0..<4096 { bytes[index] = 0x55 }
            try catalog.setContents(bytes)
            #expect(await code { try await withVault(directory, access: .readWrite) { _ in } } == .integrity)
            #expect(try await VaultRepair(directory).catalogIsSound() == false)
            // An empty file is what a power failure may leave; it must not become a new vault.
            try catalog.setContents([])
            #expect(await code { try await withVault(directory, access: .create) { _ in } } == .integrity)
            try catalog.setContents(bytes)
            _ = try await VaultRepair(directory).rebuild()
            try await withVault(directory, access: .readWrite) { try await $0.setQuota(1 << 30) }
            try await check("rebuilt")
        }
    }

    @Test func aLostPackIsToldOfAndCostsOnlyWhatWasInIt() async throws {
        try await withFilledVault { directory, clock, _ in
            let packs = directory.files(ending: ".pack")
            #expect(packs.count == 2)
            for lost in packs {
                let kept = directory.appending("kept")
                try FileManager.default.moveItem(atPath: lost.text, toPath: kept.text)
                try removeCatalog(directory)
                let report = try await VaultRepair(directory).rebuild()
                try await withVault(directory, access: .readWrite, clock: clock) { vault in
                    let verified = try await vault.verify(VerifyRequest())
                    for entry in try await vault.entries() where entry.kind == .file {
                        let isDamaged = verified.damaged.contains {
                            $0.name == entry.name && $0.version == entry.version
                        }
                        #expect(
                            await code { _ = try await vault.read(entry.name.text) } == (isDamaged ? .integrity : nil))
                    }
                    let names = try await vault.names()
                    if names.contains("p/large") {
                        #expect(try await vault.read("p/large") == sample(3, count: 2000))
                    } else {
                        #expect(report.problems.contains { $0.contains("gap") })
                        #expect(try await vault.read("p") == sample(9))
                    }
                    try await vault.save("later", sample(40))
                }
                try FileManager.default.moveItem(atPath: kept.text, toPath: lost.text)
            }
        }
    }

    @Test func aPackWithFlippedBitsOrACutEndLosesNoMoreThanThat() async throws {
        try await withFilledVault { directory, clock, check in
            let pack = try #require(directory.files(ending: ".pack").first { (try? $0.contents().count) ?? 0 > 2000 })
            let whole = try pack.contents()
            for (position, isCut) in [
                (100, false), (1000, false), (whole.count - 20, false), (whole.count - 5, true), (600, true),
            ] {
                var bytes = whole
                if isCut { bytes.removeSubrange(position...) } else { bytes[position] ^= 1 }
                try pack.setContents(bytes)
                let report = try await VaultRepair(directory).rebuild()
                #expect(!report.problems.isEmpty)
                try await withVault(directory, access: .readWrite, clock: clock) { vault in
                    let verified = try await vault.verify(VerifyRequest())
                    for entry in try await vault.entries() where entry.kind == .file {
                        let isDamaged = verified.damaged.contains {
                            $0.name == entry.name && $0.version == entry.version
                        }
                        #expect(
                            await code { _ = try await vault.read(entry.name.text) } == (isDamaged ? .integrity : nil))
                    }
                    #expect(try await vault.read("p") == sample(9))
                }
                try pack.setContents(whole)
            }
            _ = try await VaultRepair(directory).rebuild()
            try await check("whole again")
        }
    }

    @Test func whatAFailedCommitJournaledStaysUndone() async throws {
        for followers in 1...3 {
            try await withTemporaryDirectory { directory in
                let vault = directory.appending("vault")
                try await withVault(vault) { vault in try await vault.save("a", sample(1)) }
                // The operations of a save behind the adoption: write, sync, commit.
                let files = FaultyFiles(vault, failing: 4, with: .error(EIO))
                let before = try await withVault(vault, files: files) { vault in
                    let names = (0..<20).map { "refused \($0)" }
                    #expect(await code { _ = try await vault.save(names.map { try small($0, sample(2)) }) } != nil)
                    #expect(files.operations == 4)
                    for index in 0..<followers { try await vault.save("b\(index)", sample(3 + index)) }
                    return try await vault.entries(ListQuery(includesVersions: true))
                }
                #expect(before.count == 1 + followers)
                #expect(try await VaultRepair(vault).rebuild().problems == [])
                let after = try await withVault(vault) { try await $0.entries(ListQuery(includesVersions: true)) }
                #expect(after == before)
            }
        }
    }

    @Test func aVaultInUseIsNotRebuilt() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.save("a", sample(1))
                #expect(await code { _ = try await VaultRepair(directory).rebuild() } == .unavailable)
            }
            _ = try await VaultRepair(directory).rebuild()
        }
    }

    @Test func nothingIsRebuiltFromNothing() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { _ in }
            #expect(await code { _ = try await VaultRepair(directory).rebuild() } == .integrity)
            try await withVault(directory, access: .readWrite) { try await $0.save("a", sample(1)) }
        }
    }
}
