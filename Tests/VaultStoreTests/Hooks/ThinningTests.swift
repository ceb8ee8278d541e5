import Synchronization
import Testing
import VaultModel

@testable import VaultStore

/// Hooks decide once on each name that is to lose versions.
@Suite struct ThinningTests {
    private let bob = Caller.reader("bob")
    private static let implementations = VaultImplementation.all.filter { $0.testDescription != "served" }

    /// Who was asked about, in the order of the questions.
    private final class Questions: Sendable {
        private let asked = Mutex<[ThinnedName]>([])
        var all: [ThinnedName] { asked.withLock { $0 } }
        var names: [String] { all.map(\.newest.name.text).sorted() }
        func add(_ names: [ThinnedName]) { asked.withLock { $0 += names } }
    }

    /// Refuses names that begin with "kept", and runs `meanwhile` before it answers.
    private func decider(
        _ questions: Questions, meanwhile: @escaping @Sendable (Int) async throws -> Void = { _ in }
    ) -> StoredVault.ThinningDecider {
        StoredVault.ThinningDecider { names throws(VaultError) in
            questions.add(names)
            let count = questions.all.count
            try await mappingErrors { try await meanwhile(count) }
            return names.map { thinned in
                let name = thinned.newest.name
                return name.text.hasPrefix("kept") ? VaultError(.rejected, "No.", name: name) : nil
            }
        }
    }

    private func keepNewest(
        _ vault: StoredVault, _ deciding: StoredVault.ThinningDecider?, isDryRun: Bool = false
    ) async throws -> KeepReport {
        var policy = KeepPolicy()
        policy.last = 1
        return try await vault.keep(
            .all, policy, calendar: .utc, isDryRun: isDryRun, by: bob, deciding: deciding)
    }

    private func versions(_ text: String, in vault: StoredVault) async throws -> [UInt64] {
        try await vault.history(try name(text)).map(\.version)
    }

    @Test(arguments: implementations)
    func aRejectedNameKeepsAllItsVersions(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            for text in ["a", "kept", "kept2"] {
                for number in 1...3 { try await vault.save(text, sample(text.utf8.count * 10 + number)) }
            }
            try await vault.save("single", sample(9))
            let questions = Questions()
            #expect(try await keepNewest(vault, decider(questions), isDryRun: true).droppedVersions == 6)
            #expect(questions.all.isEmpty)
            let report = try await keepNewest(vault, decider(questions))
            #expect(questions.names == ["a", "kept", "kept2"])
            #expect(questions.all.allSatisfy { $0.newest.version == 3 && !$0.isTaken })
            #expect(report.droppedVersions == 2 && report.keptVersions == 8 && report.forgottenNames == 0)
            #expect(report.rejectedNames == 2)
            #expect(report.rejections.map { $0.name?.text } == ["kept", "kept2"])
            #expect(try await versions("a", in: vault) == [3])
            #expect(try await versions("kept", in: vault) == [1, 2, 3])
            #expect(try await vault.read("kept", .version(1)) == sample(41))
            #expect(try await vault.verify(VerifyRequest()).isClean)
            // What nobody is asked about goes as ever.
            #expect(try await keepNewest(vault, nil).droppedVersions == 4)
        }
    }

    @Test(arguments: implementations)
    func nobodyIsAskedWhomTheNameDoesNotConcern(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            for text in ["a", "b"] { for number in 1...2 { try await vault.save(text, sample(number)) } }
            let questions = Questions()
            let decider = StoredVault.ThinningDecider {
                $0.text == "b"
            } refusals: { names throws(VaultError) in
                questions.add(names)
                return names.map { VaultError(.rejected, "No.", name: $0.newest.name) }
            }
            #expect(try await keepNewest(vault, decider).droppedVersions == 1)
            #expect(questions.names == ["b"])
            #expect(try await versions("b", in: vault) == [1, 2])
        }
    }

    @Test(arguments: implementations)
    func removedNamesAreAskedAboutByTheNameThatTheyHad(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            for text in ["kept/old", "gone", "kept/gone"] { try await vault.save(text, sample(text.utf8.count)) }
            for text in ["kept/old", "gone", "kept/gone"] { try await vault.remove(text) }
            // Another file has the name from here on.
            try await vault.save("new", sample(50))
            try await vault.rename("new", "kept/old")
            subject.clock.advance(100)
            var policy = KeepPolicy()
            policy.within = 1
            let questions = Questions()
            let report = try await vault.keep(
                .all, policy, calendar: .utc, isDryRun: false, by: bob, deciding: decider(questions))
            #expect(questions.names == ["gone", "kept/gone", "kept/old"])
            for thinned in questions.all {
                #expect(thinned.newest.kind == .file && thinned.newest.size == 300)
                #expect(thinned.isTaken == (thinned.newest.name.text == "kept/old"))
            }
            // What a hook reads is what is to go.
            let taken = try #require(questions.all.first { $0.isTaken })
            let read = try await vault.openStaged(StagedSave(taken.newest))
            #expect(try await vault.bytes(of: read) == sample("kept/old".utf8.count))
            await vault.closeRead(read.id)
            #expect(report.rejectedNames == 2 && report.forgottenNames == 1)
            #expect(try await vault.read("kept/gone", .version(1)) == sample("kept/gone".utf8.count))
            await expect(.notFound) { _ = try await vault.history(try name("gone")) }
        }
    }

    @Test(arguments: implementations)
    func whatChangesMeanwhileIsAskedAboutAgain(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            for text in ["a", "b", "c"] {
                for number in 1...2 { try await vault.save(text, sample(text.utf8.count * 10 + number)) }
            }
            let questions = Questions()
            let report = try await keepNewest(
                vault,
                decider(questions) { count in
                    if count > 3 { return }
                    try await vault.save("a", sample(77))
                    try await vault.rename("b", "kept")
                })
            #expect(questions.names == ["a", "a", "b", "c", "kept"])
            #expect(report.rejections.map { $0.name?.text } == ["kept"])
            #expect(try await versions("a", in: vault) == [3])
            #expect(try await versions("c", in: vault) == [2])
            #expect(try await versions("kept", in: vault) == [1, 2])
        }
    }

    @Test(arguments: implementations)
    func aNameThatKeepsChangingStays(_ implementation: VaultImplementation) async throws {
        try await implementation { subject in
            let vault = try #require(subject.vault as? StoredVault)
            for number in 1...2 { try await vault.save("a", sample(number)) }
            let questions = Questions()
            let report = try await keepNewest(
                vault, decider(questions) { count in try await vault.save("a", sample(100 + count)) })
            #expect(questions.all.count == StoreLimits.judgementsMax)
            #expect(report.rejectedNames == 1 && report.rejections.first?.code == .conflict)
            #expect(report.droppedVersions == 0)
            #expect(try await vault.history(try name("a")).count == 2 + StoreLimits.judgementsMax)
        }
    }

    @Test func nothingGoesWhereNobodyCanBeAsked() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                for number in 1...2 { try await vault.save("a", sample(number)) }
                let decider = StoredVault.ThinningDecider { _ throws(VaultError) in
                    throw VaultError(.unavailable, "No worker.", isRetryable: true)
                }
                await expect(.unavailable) { _ = try await keepNewest(vault, decider) }
                #expect(try await versions("a", in: vault) == [1, 2])
            }
        }
    }

    @Test func aReportTellsReasonsUpToABound() {
        var report = KeepReport()
        for number in 0..<KeepReport.rejectionsMax + 5 {
            report.reject(
                VaultError(.rejected, "No.", name: Name(validated: Array((number % 2 == 0 ? "a" : "b").utf8))))
        }
        #expect(report.rejectedNames == KeepReport.rejectionsMax + 5)
        #expect(report.rejections.count == KeepReport.rejectionsMax)
        let told = report.telling { $0.text == "a" }
        #expect(told.rejectedNames == report.rejectedNames && told.rejections.count == KeepReport.rejectionsMax / 2)
    }
}
