import Testing
import VaultModel

@testable import VaultStore

/// What hooks were asked about is what a change takes, or the change does not happen.
@Suite struct JudgementTests {
    private let bob = Caller.reader("bob")

    /// Runs a change that was judged, and then what another session does before it is carried out.
    private func outcome(
        of change: Change, in vault: StoredVault, after meanwhile: (StoredVault) async throws -> Void
    ) async throws -> VaultError.Code? {
        let judgement = CommitCall.Judgement(at: try await vault.sequence())
        try await meanwhile(vault)
        let results = try await vault.change([change], by: bob, change: UniqueID(), judgement: judgement)
        guard case .failure(let error) = results[0] else { return nil }
        #expect(error.isRetryable)
        return error.code
    }

    private static let implementations = VaultImplementation.all.filter { $0.testDescription != "served" }

    @Test(arguments: implementations)
    func whatCameAfterTheQuestionDoesNotGetIn(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            let changes: [Change] = [
                .copy(from: try name("in"), to: try name("out")), .rename(from: try name("in"), to: try name("out")),
                .remove(try NamePrefix("in")),
            ]
            for change in changes {
                try await vault.save("in/a", sample(1))
                #expect(try await outcome(of: change, in: vault) { try await $0.save("in/a", sample(2)) } == .conflict)
                #expect(try await outcome(of: change, in: vault) { try await $0.save("in/b", sample(3)) } == .conflict)
                try await vault.save("evil", sample(4))
                // It is older than the question, under a name that is younger.
                #expect(try await outcome(of: change, in: vault) { try await $0.rename("evil", "in/c") } == .conflict)
                #expect(try await vault.stat(try name("out/a"), .current) == nil)
                // What is gone, or lies elsewhere, changes nothing.
                #expect(
                    try await outcome(of: change, in: vault) { vault in
                        try await vault.remove("in/b")
                        try await vault.save("elsewhere", sample(5))
                    } == nil)
                _ = try? await vault.remove("in")
                _ = try? await vault.remove("out")
            }
        }
    }

    @Test(arguments: implementations)
    func aVersionIsThatOfTheObjectThatWasJudged(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            for text in ["a", "evil"] {
                for number in 1...2 { try await vault.save(text, sample(text.utf8.count * 10 + number)) }
            }
            let revert = Change.revert(try name("a"), version: 1)
            #expect(
                try await outcome(of: revert, in: vault) { vault in
                    try await vault.rename("a", "b")
                    try await vault.rename("evil", "a")
                } == .conflict)
            #expect(try await outcome(of: .revert(try name("b"), version: 1), in: vault) { _ in } == nil)
            #expect(try await vault.read("b") == sample(11))
        }
    }

    @Test(arguments: implementations)
    func tagsOfHooksComeWithTheChange(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            try await vault.save("a", sample(1))
            try await vault.save("taken", sample(2))
            var judgement = CommitCall.Judgement(at: try await vault.sequence())
            for (place, text) in ["taken", "b"].enumerated() {
                var tags = JudgedTags()
                #expect(tags.add(["seen": "yes"], to: try name(text)))
                judgement.tags[place] = tags
            }
            let id = UniqueID()
            let changes: [Change] = [
                .copy(from: try name("a"), to: try name("taken")), .copy(from: try name("a"), to: try name("b")),
            ]
            for _ in 0..<2 {
                // Asked for again, it is answered as it was.
                let results = try await vault.change(changes, by: bob, change: id, judgement: judgement)
                #expect(results.map { (try? $0.get()) != nil } == [false, true])
                #expect(try await vault.stat(try name("b"), .current)?.tags == ["seen": "yes"])
                #expect(try await vault.stat(try name("taken"), .current)?.tags == [:])
            }
        }
    }
}
