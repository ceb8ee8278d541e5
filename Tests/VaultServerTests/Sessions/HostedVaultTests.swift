import Logging
import TestSupport
import Testing
import VaultModel

@testable import VaultServer
@testable import VaultStore

/// Whom the long work of a vault lets wait.
@Suite struct HostedVaultTests {
    private func withVault(_ body: (HostedVault) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        let local = try await StoredVault.open(directory.path, access: .create, savedBy: "", clock: currentSeconds)
        let vault = HostedVault(id: "1", name: "anna", local: local, hooks: nil, logger: Logger(label: "test"))
        do {
            try await body(vault)
        } catch {
            await vault.close()
            throw error
        }
        await vault.close()
    }

    @Test func aUsersLongWorkTakesTurnsAndNobodyElseWaitsForThem() async throws {
        try await withVault { vault in
            let begun = Shared<[Int]>([])
            let (release, end) = AsyncStream<Void>.makeStream()
            async let first: Void = vault.takingTurns(for: "anna") {
                begun.change { $0.append(1) }
                for await _ in release {}
            }
            #expect(try await soon { begun.value == [1] })
            let isAsked = Shared(false)
            func workAgain() async throws {
                isAsked.change { $0 = true }
                try await vault.takingTurns(for: "anna") { begun.change { $0.append(2) } }
            }
            async let second: Void = workAgain()
            #expect(try await soon { isAsked.value })
            let left = Task {
                await eventualCode { try await vault.takingTurns(for: "anna") { begun.change { $0.append(3) } } }
            }
            left.cancel()
            try await vault.takingTurns(for: "bert") {}
            // As `keep` and `gc` take it.
            await vault.heavyWork.withLock {}
            // Time enough for one that does not wait.
            for _ in 0..<1000 { await Task.yield() }
            #expect(begun.value == [1])
            end.finish()
            _ = try await (first, second)
            #expect(begun.value == [1, 2])
            #expect(await left.value == .cancelled)
            #expect(begun.value == [1, 2])
        }
    }
}
