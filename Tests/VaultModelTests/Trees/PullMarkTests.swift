import Glibc
import TestSupport
import Testing

@testable import VaultModel

/// What a killed pull leaves, and what the next one makes of it.
@Suite struct PullMarkTests {
    private func temporaries(_ tree: LocalTree) throws -> [String] {
        try tree.paths().filter { $0.contains(".minivault-") }
    }

    /// The mark and the unfinished files of a pull whose process is gone.
    private func leaveBehind(_ tree: LocalTree) throws {
        for path in ["", "a/", "a/b/"] {
            try tree.write(path + ".minivault-\(UniqueID())", [1, 2, 3], mode: 0o600)
            try tree.makeLink(path + ".minivault-\(UniqueID())", to: "nowhere")
        }
        try tree.write(".minivault-\(UniqueID(high: 0, low: 0))", [], mode: 0o600)
    }

    @Test func theNextPullClearsUpWhatAKilledOneLeft() async throws {
        for deletes in [false, true] {
            let fixture = try await TreeFixture()
            try fixture.source.write("a/b/file", [1])
            try await fixture.push()
            try fixture.target.write("a/mine", [5])
            try leaveBehind(fixture.target)
            try await fixture.pull { $0.deletes = deletes }
            #expect(try fixture.target.paths() == ["a", "a/b", "a/b/file"] + (deletes ? [] : ["a/mine"]))
        }
    }

    @Test func withoutAKilledPullNobodysFilesAreRemoved() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a/file", [1])
        try await fixture.push()
        let name = ".minivault-\(UniqueID())"
        try fixture.target.write(name, [1])
        try await fixture.pull()
        #expect(try temporaries(fixture.target) == [name])
    }

    @Test func aPullThatIsUnderWayIsLeftAlone() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a/file", [1])
        try await fixture.push()
        let running = try #require(PullMark(fixture.target.root))
        let name = ".minivault-\(UniqueID())"
        try fixture.target.write(name, [1])
        try await fixture.pull()
        #expect(try temporaries(fixture.target).count == 2)
        running.end(StoreGuard())
        #expect(try temporaries(fixture.target) == [name])
        // A file that somebody writes stays, also beside the mark of a killed pull.
        try leaveBehind(fixture.target)
        let writing = try OpenFile(fixture.target.root.appending(name), flags: O_RDWR)
        flock(writing.descriptor, LOCK_EX)
        try await fixture.pull()
        #expect(try temporaries(fixture.target) == [name])
    }

    @Test func goesOnWithAnUnfinishedFile() async throws {
        let fixture = try await TreeFixture()
        let bytes = try await leaveLarge(in: fixture)
        #expect(try await fetchedByAPull(fixture) < UInt64(8 << 20))
        #expect(try fixture.target.read("large") == bytes && temporaries(fixture.target).isEmpty)
    }

    @Test func keepsWhatWasBrokenOffForTheNextPull() async throws {
        let fixture = try await TreeFixture()
        let bytes = try await leaveLarge(in: fixture)
        let breaking = RecordingVault(fixture.vault) { (call) async throws(VaultError) in
            if case .fetch = call { throw VaultError(.unavailable, "The connection is lost.") }
        }
        let report = try await fixture.pull(from: breaking)
        #expect(report.failed.map(\.error.code) == [.unavailable])
        #expect(try temporaries(fixture.target).count == 2)
        #expect(try await fetchedByAPull(fixture) < UInt64(8 << 20))
        #expect(try fixture.target.read("large") == bytes && temporaries(fixture.target).isEmpty)
    }

    @Test func takesNothingOfAnUnfinishedFileUnseen() async throws {
        let fixture = try await TreeFixture()
        let bytes = randomBytes(6 << 20, seed: 4)
        try fixture.source.write("large", bytes)
        try await fixture.push()
        let entry = try #require(try await fixture.entry("large"))
        var other = bytes
        for index in stride(from: 0, to: other.count, by: 100_000) { other[index] ^= 1 }
        try unfinished(entry, "large", in: fixture.target, other + randomBytes(1000, seed: 9))
        try await fixture.pull()
        #expect(try fixture.target.read("large") == bytes)
        // Neither does it write through a second name of the file, nor into somebody's open one.
        fixture.target.remove("large")
        let path = try unfinished(entry, "large", in: fixture.target, [1])
        let second = fixture.target.root.appending("second")
        _ = path.withCString { path in second.withCString { link(path, $0) } }
        try await fixture.pull()
        #expect(try fixture.target.read("large") == bytes && fixture.target.read("second") == [1])
    }

    /// Pushes a large file, and leaves three quarters of it and the mark as a killed pull does.
    private func leaveLarge(in fixture: TreeFixture) async throws -> [UInt8] {
        let bytes = randomBytes(20 << 20, seed: 4)
        try fixture.source.write("large", bytes)
        try await fixture.push()
        let entry = try #require(try await fixture.entry("large"))
        try fixture.target.write(".minivault-\(UniqueID(high: 0, low: 0))", [], mode: 0o600)
        try unfinished(entry, "large", in: fixture.target, Array(bytes[..<(15 << 20)]))
        return bytes
    }

    /// Leaves the file that a killed process was writing.
    @discardableResult
    private func unfinished(
        _ entry: Entry, _ name: String, in tree: LocalTree, _ bytes: [UInt8]
    ) throws -> LocalPath {
        let directory = try OpenFile(tree.root, flags: O_RDONLY | O_DIRECTORY)
        let partial = try PartialFile(
            entry.content, as: Array(name.utf8), in: directory, path: tree.root.appending(name))
        try bytes.withUnsafeBytes { try partial.file.write($0, at: 0) }
        return tree.root.appending(partial.name)
    }

    /// Bytes that a pull, which must succeed, fetches.
    private func fetchedByAPull(_ fixture: TreeFixture) async throws -> UInt64 {
        let vault = RecordingVault(fixture.vault)
        let report = try await fixture.pull(from: vault)
        #expect((report.saved, report.failed.count) == (1, 0))
        return vault.calls.reduce(0) { sum, call in
            guard case .fetch(let chunks) = call else { return sum }
            return chunks.reduce(sum) { $0 + $1.reference.span }
        }
    }
}
