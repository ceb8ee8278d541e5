import Synchronization
import TestSupport
import Testing
import VaultModel

@testable import VaultStore

/// Changes of prefixes with many names: one commit, with few names in memory, which nobody waits for in vain.
@Suite struct WideChangeTests {
    private static let implementations = VaultImplementation.all.filter { $0.testDescription != "served" }

    /// Saves names whose journal takes several groups.
    private func fill(_ vault: any Vault, _ top: String, count: Int) async throws {
        let tags: [TagText: TagText] = ["t": TagText(String(repeating: "x", count: 60_000))]
        for start in stride(from: 0, to: count, by: 16) {
            let saves = try (start..<min(count, start + 16)).map { try small("\(top)/\($0)", sample($0), tags: tags) }
            for result in try await vault.save(saves) { _ = try result.get() }
        }
    }

    @Test(arguments: implementations)
    func aWideChangeIsOneCommitOfSeveralGroups(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            try await fill(vault, "a", count: 80)
            let before = try await vault.sequence()
            #expect(try await vault.change(.copy(from: try name("a"), to: try name("b"))).count == 80)
            let stored = try await vault.catalog.journal(after: before, limit: 100)
            let groups = try await vault.recordReader.copies(of: stored.map { .init($0) }).compactMap {
                $0.flatMap { JournalGroup(decoding: $0.bytes.bytes) }
            }
            #expect(groups.count == 3)
            #expect(groups.map(\.isContinued) == [true, true, false])
            #expect(Set(stored.map(\.location.pack)).count == 1)
            #expect(try await vault.names() == (0..<80).flatMap { ["a/\($0)", "b/\($0)"] }.sorted())
            #expect(try await vault.verify(VerifyRequest()).isClean)
            try await vault.save("c", sample(1))
            #expect(try await vault.catalog.journalHead().sequence == before + 81)
        }
    }

    @Test func aRebuiltCatalogHasAWideChange() async throws {
        try await withTemporaryDirectory { directory in
            let entries = try await withVault(directory) { vault in
                try await fill(vault, "a", count: 60)
                try await vault.change(.copy(from: try name("a"), to: try name("b")))
                try await vault.rename("a", "c")
                try await vault.remove("b")
                try await vault.save("d", sample(2))
                return try await vault.entries(ListQuery(includesVersions: true))
            }
            _ = try await VaultRepair(directory).rebuild()
            try await withVault(directory, access: .readWrite) { vault in
                #expect(try await vault.entries(ListQuery(includesVersions: true)) == entries)
                #expect(try await vault.verify(VerifyRequest()).isClean)
                try await vault.save("e", sample(3))
            }
        }
    }

    /// Cancels the task of a change as hooks are asked for the hundredth time whether they want to hear of a name.
    private func cancelled(
        _ change: Change, in vault: StoredVault
    ) async -> (code: VaultError.Code?, asked: Int) {
        let asked = Shared(0)
        let found = await cancelling { cancel in
            let telling = Telling(depth: 0) { _, _ in
                if asked.change({
                    $0 += 1
                    return $0
                }) == 100 {
                    cancel()
                }
                return false
            }
            return await code {
                _ = try await vault.change(
                    [change], by: Caller(user: "anna", telling: telling), change: UniqueID())[0].get()
            }
        }
        return (found, asked.value)
    }

    @Test(arguments: implementations)
    func aChangeThatNobodyWaitsForEndsWithoutEffect(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            for start in stride(from: 0, to: 3000, by: 250) {
                for result in try await vault.save((start..<start + 250).map { try small("a/\($0)", []) }) {
                    _ = try result.get()
                }
            }
            let before = try await vault.entries(ListQuery(includesVersions: true))
            let changes: [Change] = [
                .copy(from: try name("a"), to: try name("b")), .remove(try NamePrefix("a")),
                .rename(from: try name("a"), to: try name("b")),
            ]
            for change in changes {
                let (code, asked) = await cancelled(change, in: vault)
                #expect(code == .cancelled)
                #expect(asked < 100 + StoreLimits.walkedNamesMax)
            }
            #expect(try await vault.entries(ListQuery(includesVersions: true)) == before)
            // What others ask for meanwhile takes effect.
            async let left = cancelled(changes[0], in: vault)
            async let saved = vault.save("other", sample(1))
            #expect(await left.code == .cancelled)
            #expect(try await saved.isCreated)
            #expect(try await vault.change(changes[0]).count == 3000)
            #expect(try await vault.verify(VerifyRequest()).isClean)
        }
    }

    @Test func nothingOfAChangeThatWasGivenUpStays() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await fill(vault, "a", count: 80)
                let packs = try await vault.packs.list()
                #expect(await cancelled(.copy(from: try name("a"), to: try name("b")), in: vault).code == nil)
                let more = try await vault.packs.list().keys.filter { packs[$0] == nil }
                #expect(more.count == 1)
                try await fill(vault, "c", count: 250)
                let before = Set(try await vault.packs.list().keys)
                #expect(await cancelled(.copy(from: try name("c"), to: try name("d")), in: vault).code == .cancelled)
                #expect(Set(try await vault.packs.list().keys) == before)
            }
        }
    }
}
