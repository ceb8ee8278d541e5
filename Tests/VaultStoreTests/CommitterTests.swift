import Testing
import VaultModel

@testable import VaultStore

@Suite struct CommitterTests {
    /// Runs what it is given in order, up to where it waits.
    private static let inOrder = BlockingExecutor(threads: 1)

    private func call(_ user: String, _ number: Int) throws -> CommitCall {
        let save = CommitSave(intent: try intent("\(user)/\(number)"), content: .empty)
        return CommitCall(requests: [.save(save)], by: Caller(user: user))
    }

    /// Carries out calls that all wait when the second transaction begins; the first one is in the first.
    ///
    /// - Returns: where each of them stands in the journal.
    private func sequences(of calls: [CommitCall], in vault: StoredVault) async throws -> [UInt64] {
        let catalog = try #require(vault.catalog as? SQLiteCatalog)
        let (beginnings, beginning) = AsyncStream.makeStream(of: Void.self)
        let committer = Committer(
            catalog: catalog, packs: vault.packs,
            clock: {
                beginning.yield()
                return 5
            })
        let commits = await catalog.writeLock.withLock {
            var commits: [Task<CommitResult, any Error>] = []
            for call in calls {
                commits.append(Task(executorPreference: Self.inOrder) { try await committer.commit(call)[0].get() })
                if commits.count == 1 { for await _ in beginnings { break } }
            }
            await Task(executorPreference: Self.inOrder) {}.value
            return commits
        }
        var sequences: [UInt64] = []
        for commit in commits {
            guard case .saved(let outcome) = try await commit.value else { continue }
            sequences.append(outcome.entry.sequence)
        }
        return sequences
    }

    @Test func whoAsksForMuchDelaysAnotherByOneTurn() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let calls = try (1...5).map { try call("anna", $0) } + (1...2).map { try call("ben", $0) }
                #expect(try await sequences(of: calls, in: vault) == [1, 2, 4, 6, 7, 3, 5])
            }
        }
    }
}
