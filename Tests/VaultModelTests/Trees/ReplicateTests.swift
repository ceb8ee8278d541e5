import TestSupport
import Testing
import VaultStore

@testable import VaultModel

@Suite struct ReplicateTests {
    @Test func makesTheTargetHoldTheSameAndMovesNothingTwice() async throws {
        let fixture = try await TreeFixture()
        try fixture.fillSource()
        try await fixture.push()
        _ = try await fixture.vault.changing(.tag(Name("p/plain"), ["k": "v"]))
        let target = try await Target(fixture)
        let source = RecordingVault(fixture.vault)
        let first = try await Replicate(from: source, to: target.vault, options: TreeOptions()).run(NamePrefix("p"))
        #expect(first.failed.isEmpty)
        #expect(try await entries(of: target.vault) == entries(of: fixture.vault))
        for name in ["p/large", "p/a/b/c/one more", "p/plain", "p/link"] {
            let (mine, theirs) = (ContentRead(from: target.vault), ContentRead(from: fixture.vault))
            #expect(try await mine.read(Name(name), .current) == theirs.read(Name(name), .current), "\(name)")
        }
        let fetched = source.calls.reduce(into: 0) { sum, call in
            if case .fetch(let chunks) = call { sum += chunks.reduce(0) { $0 + $1.length } }
        }
        // The second of two equal files is there already.
        #expect(fetched < 11 << 20)
        source.forget()
        let second = try await Replicate(from: source, to: target.vault, options: TreeOptions()).run(NamePrefix("p"))
        #expect(second.saved == 0)
        #expect(source.calls.allSatisfy { if case .list = $0 { true } else { false } })
    }

    @Test func exchangesFilesForDirectoriesWhereItMayRemove() async throws {
        let fixture = try await TreeFixture()
        for (name, size) in [("a", 1), ("b/x", 1), ("c", 2_000_000), ("d/x/y", 2_000_000)] {
            try fixture.source.write(name, randomBytes(size, seed: 1))
        }
        try await fixture.push()
        let target = try await Target(fixture)
        var options = TreeOptions()
        try await target.replicate(options)
        for name in ["a", "b", "c", "d"] { fixture.source.remove(name) }
        for (name, size) in [("a/x", 1), ("b", 1), ("c/x/y", 2_000_000), ("d", 2_000_000)] {
            try fixture.source.write(name, randomBytes(size, seed: 2))
        }
        try await fixture.push { $0.deletes = true }
        options.deletes = true
        let report = try await target.replicate(options)
        #expect((report.saved, report.removed, report.failed.count) == (4, 4, 0))
        let again = try await target.replicate(options)
        #expect((again.saved, again.skipped, again.removed) == (0, 4, 0))
    }

    @Test func takesTagsAwayAndRemovesWhatIsGoneIfAskedTo() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1])
        try fixture.source.write("b", [2])
        try await fixture.push()
        let target = try await Target(fixture)
        var options = TreeOptions()
        try await target.replicate(options)
        _ = try await target.vault.changing(.tag(Name("p/a"), ["x": "y"]))
        _ = try await fixture.vault.changing(.remove(NamePrefix("p/b")))
        try await target.replicate(options)
        #expect(try await target.vault.stat(Name("p/a"), .current)?.tags == [:])
        #expect(try await target.vault.stat(Name("p/b"), .current) != nil)
        options.deletes = true
        options.deleteMax = 0
        await #expect(throws: VaultError.self) { try await target.replicate(options) }
        options.deleteMax = nil
        options.isDryRun = true
        #expect(try await target.replicate(options).removed == 1)
        #expect(try await target.vault.stat(Name("p/b"), .current) != nil)
        options.isDryRun = false
        #expect(try await target.replicate(options).removed == 1)
        #expect(try await target.vault.stat(Name("p/b"), .current) == nil)
    }

    @Test func anEntryThatCannotBeSavedFailsAlone() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a/b", [1])
        try fixture.source.write("c", [2])
        try await fixture.push()
        let target = try await Target(fixture)
        _ = try await ContentSave(to: target.vault).save(
            [9], SaveIntent(name: Name("p/a"), attributes: Attributes(mode: 0o644, modified: 1)))
        let report = try await target.replicate(TreeOptions())
        #expect(report.failed.map(\.error.code) == [.exists])
        #expect(report.saved == 1)
    }

    @Test func aPrefixWithNothingUnderItIsNotFound() async throws {
        let fixture = try await TreeFixture()
        let target = try await Target(fixture)
        let error = await #expect(throws: VaultError.self) { try await target.replicate(TreeOptions()) }
        #expect(error?.code == .notFound)
    }

    /// A second vault beside the fixture's.
    private struct Target {
        let fixture: TreeFixture
        let vault: any Vault

        init(_ fixture: TreeFixture) async throws {
            self.fixture = fixture
            vault = try await StoredVault.open(fixture.directory("target vault"), access: .create, savedBy: "replica")
        }

        @discardableResult
        func replicate(_ options: TreeOptions) async throws -> TreeReport {
            try await Replicate(from: fixture.vault, to: vault, options: options).run(NamePrefix("p"))
        }
    }

    /// What the names of a vault hold, without what each vault numbers for itself.
    private func entries(of vault: any Vault) async throws -> [String] {
        var stream = EntryStream(vault, ListQuery())
        var found: [String] = []
        while let entry = try await stream.next() {
            found.append(
                "\(entry.name) \(entry.kind) \(entry.content.digest) \(entry.attributes.mode) "
                    + "\(entry.attributes.modified) \(entry.tags)")
        }
        return found
    }
}
