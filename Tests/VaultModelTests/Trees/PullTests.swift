import Glibc
import TestSupport
import Testing

@testable import VaultModel

@Suite struct PullTests {
    @Test func writesNothingTheSecondTime() async throws {
        let fixture = try await TreeFixture()
        try fixture.fillSource()
        let pushed = try await fixture.push()
        try await fixture.pull()
        let recording = RecordingVault(fixture.vault)
        for checksum in [false, true] {
            let report = try await fixture.pull(from: recording) { ($0.checksum, $0.deletes) = (checksum, true) }
            #expect((report.saved, report.skipped, report.removed) == (0, pushed.saved, 0))
            #expect(report.failed.isEmpty)
        }
        #expect(recording.calls.allSatisfy { if case .list = $0 { true } else { false } })
    }

    @Test func restoresWhatWasChangedHere() async throws {
        let fixture = try await TreeFixture()
        try fixture.fillSource()
        try await fixture.push()
        try await fixture.pull()
        try fixture.target.write("plain", Array("CONTENT".utf8), modified: 1_600_000_000_123_456_789)
        try fixture.target.write("ab", Array("other".utf8))
        fixture.target.remove("link")
        try fixture.target.makeLink("link", to: "elsewhere")
        fixture.target.remove("日")
        for name in ["sticky", "void"] { _ = fixture.target.root.appending(name).withCString { chmod($0, 0o711) } }
        // Equal size and times hide one change from all but checksums.
        let quick = try await fixture.pull()
        #expect((quick.saved, quick.failed.count) == (5, 0))
        let report = try await fixture.pull { $0.checksum = true }
        #expect((report.saved, report.failed.count) == (1, 0))
        #expect(try fixture.target.nodes() == fixture.source.nodes())
    }

    @Test func restoresAnEarlierState() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1])
        try fixture.source.write("gone", [1])
        try await fixture.push()
        let before = try #require(try await fixture.entry("gone")).sequence
        try fixture.source.write("a", [2, 2])
        fixture.source.remove("gone")
        try fixture.source.write("new", [3])
        try await fixture.push { $0.deletes = true }
        try await fixture.pull()
        #expect(try fixture.target.paths() == ["a", "new"])
        try await fixture.pull { ($0.selector, $0.deletes) = (.sequence(before), true) }
        #expect(try fixture.target.paths() == ["a", "gone"])
        #expect(try fixture.target.read("a") == [1])
    }

    @Test func neverFollowsALinkBelowTheTarget() async throws {
        let fixture = try await TreeFixture()
        let outside = try LocalTree(fixture.directory("outside"))
        try outside.write("file", [9])
        for name in ["d/file", "file", "e/f/file"] { try fixture.source.write(name, [1]) }
        try fixture.source.makeDirectory("void", mode: 0o711)
        try await fixture.push()
        let before = try outside.nodes()
        try fixture.target.makeLink("d", to: "../outside")
        try fixture.target.makeLink("file", to: "../outside/file")
        try fixture.target.makeLink("e/f", to: outside.root.description)
        try fixture.target.makeLink("void", to: "../outside")
        let report = try await fixture.pull()
        #expect(report.failed.map(\.error.code) == [.exists, .exists, .exists])
        #expect(try outside.nodes() == before)
        // The link itself is what a file replaces.
        #expect(try fixture.target.read("file") == [1])
        let replaced = try await fixture.pull { $0.deletes = true }
        #expect(replaced.failed.isEmpty)
        #expect(try outside.nodes() == before)
        #expect(try fixture.target.paths() == ["d", "d/file", "e", "e/f", "e/f/file", "file", "void"])
    }

    @Test func removesWhatIsExtraOnlyIfAsked() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "d/keep"] { try fixture.source.write(name, [1]) }
        try fixture.source.makeDirectory("void")
        try await fixture.push()
        for name in ["b", "d/x", "e/f/g", "void/x"] { try fixture.target.write(name, [1]) }
        try fixture.target.write([0x80], [1])
        try fixture.target.makeDirectory("h/i")
        #expect(try await fixture.pull().removed == 0)
        let log = EventLog()
        let report = try await fixture.pull(with: { $0.deletes = true }, onEvent: { log($0) })
        #expect((report.removed, report.failed.count) == (6, 0))
        #expect(log.all == ["removed b", "removed g", "removed i", "removed x", "removed x", "removed \u{FFFD}"])
        // The vault has the one directory that became empty.
        #expect(try fixture.target.paths() == ["a", "d", "d/keep", "void"])
    }

    @Test(arguments: ["", "/", "//"])
    func keepsItsRootHoweverItIsSpelled(end: String) async throws {
        let fixture = try await TreeFixture()
        try fixture.source.makeDirectory("void")
        try await fixture.push()
        try fixture.target.write("x/y/z", [1])
        try fixture.target.makeDirectory("void")
        let root = LocalPath(fixture.target.root.description + end)
        #expect(try await fixture.pull("p/void", to: root) { $0.deletes = true }.removed == 2)
        #expect(try fixture.target.paths() == [])
        #expect(fixture.target.exists(""))
    }

    @Test func removesNothingWhereItWouldBeTooMuch() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1])
        try await fixture.push()
        for name in ["b", "c"] { try fixture.target.write(name, [1]) }
        #expect(await eventualCode { try await fixture.pull { ($0.deletes, $0.deleteMax) = (true, 1) } } == .conflict)
        #expect(try fixture.target.paths() == ["a", "b", "c"])
        #expect(try await fixture.pull { ($0.deletes, $0.deleteMax) = (true, 2) }.removed == 2)
    }

    @Test func removesNothingWhereSomethingFailed() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "d/x"] { try fixture.source.write(name, [1]) }
        try await fixture.push()
        for name in ["b", "d"] { try fixture.target.write(name, [1]) }
        let failing = RecordingVault(fixture.vault) { (call) async throws(VaultError) in
            if case .read = call { throw VaultError(.integrity, "A chunk is damaged.") }
        }
        let report = try await fixture.pull(from: failing) { $0.deletes = true }
        #expect(report.failed.map(\.error.code) == [.integrity, .exists])
        #expect(report.removed == 0)
        #expect(try fixture.target.paths() == ["b", "d"])
    }

    @Test func removesNothingAlongWithASingleFile() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("d/a", [1])
        try fixture.source.makeLink("link", to: "a")
        try await fixture.push()
        for name in ["x", "y/z"] { try fixture.target.write(name, [1]) }
        for prefix in ["p/d/a", "p/link"] {
            #expect(await eventualCode { try await fixture.pull(prefix) { $0.deletes = true } } == .invalid)
        }
        #expect(try fixture.target.paths() == ["x", "y", "y/z"])
        #expect(try await fixture.pull("p/d/a").saved == 1)
        #expect(try fixture.target.paths() == ["a", "x", "y", "y/z"])
    }

    @Test func removesNothingWhereTheVaultHoldsNothing() async throws {
        let fixture = try await TreeFixture()
        try fixture.target.write("x", [1])
        for prefix in ["", "p"] {
            #expect(await eventualCode { try await fixture.pull(prefix) { $0.deletes = true } } == .notFound)
        }
        #expect(try await fixture.pull("").saved == 0)
        #expect(await eventualCode { try await fixture.pull("p") } == .notFound)
        #expect(try fixture.target.paths() == ["x"])
    }

    @Test func replacesAFileByADirectoryIfItMayRemove() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("d/x/y", [1])
        try fixture.source.makeDirectory("void")
        try await fixture.push()
        try fixture.target.write("d", [2])
        try fixture.target.write("void", [2])
        let refused = try await fixture.pull()
        #expect(refused.failed.map(\.error.code) == [.exists, .exists])
        #expect(try fixture.target.paths() == ["d", "void"])
        let report = try await fixture.pull { $0.deletes = true }
        #expect((report.saved, report.removed, report.failed.count) == (2, 2, 0))
        #expect(try fixture.target.paths() == ["d", "d/x", "d/x/y", "void"])
    }

    @Test func replacesADirectoryByAFileIfItMayRemove() async throws {
        let fixture = try await TreeFixture()
        for name in ["d", "e"] { try fixture.source.write(name, [1]) }
        try await fixture.push()
        for name in ["d/x/y", "d/z"] { try fixture.target.write(name, [2]) }
        try fixture.target.makeDirectory("e")
        let refused = try await fixture.pull()
        #expect(refused.failed.map(\.error.code) == [.exists, .exists])
        let report = try await fixture.pull { $0.deletes = true }
        #expect((report.saved, report.removed, report.failed.count) == (2, 3, 0))
        #expect(try fixture.target.paths() == ["d", "e"])
    }

    @Test func leavesTheExcludedAlone() async throws {
        let fixture = try await TreeFixture()
        for name in ["a.c", "a.o", "d"] { try fixture.source.write(name, [1]) }
        try await fixture.push()
        for name in ["b.o", "e/x.o", "d/y.o", "build/z"] { try fixture.target.write(name, [2]) }
        let report = try await fixture.pull {
            $0.deletes = true
            $0.filter = try TreeFilter(exclude: ["*.o", "build/"])
        }
        // What is excluded keeps its directory, so the file cannot take its place.
        #expect(report.failed.map(\.error.code) == [.exists])
        #expect(report.removed == 0)
        #expect(try fixture.target.paths() == ["a.c", "b.o", "build", "build/z", "d", "d/y.o", "e", "e/x.o"])
    }

    @Test func replacesNothingIfItMayNot() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "b", "c"] { try fixture.source.write(name, Array(name.utf8)) }
        try fixture.source.makeLink("link", to: "a")
        try fixture.source.makeDirectory("void", mode: 0o700)
        try await fixture.push()
        try fixture.target.write("a", [9])
        try fixture.target.makeLink("b", to: "nowhere")
        try fixture.target.write("link", [9])
        try fixture.target.makeDirectory("void", mode: 0o711)
        let before = try fixture.target.nodes()
        let recording = RecordingVault(fixture.vault)
        let report = try await fixture.pull(from: recording) { $0.overwrites = false }
        #expect(report.failed.map(\.error.code) == [.exists, .exists, .exists])
        let after = try fixture.target.nodes()
        for (path, node) in before { #expect(after[path] == node) }
        #expect(try fixture.target.paths() == ["a", "b", "c", "link", "void"])
        // Nothing is fetched in vain.
        let read = recording.calls.flatMap { call -> [String] in
            if case .read(let reads) = call { reads.map(\.name.text) } else { [] }
        }
        #expect(read == ["p/c"])
    }

    @Test func readsSmallFilesTogetherAndSparesWhatIsEmpty() async throws {
        let fixture = try await TreeFixture()
        for count in 0..<600 { try fixture.source.write("d\(count / 100)/\(count)", Array("\(count)".utf8)) }
        try fixture.source.write("empty", [])
        try fixture.source.makeLink("link", to: "empty")
        try fixture.source.write("large", randomBytes(Limits.smallFileBytesMax + 1, seed: 1))
        try await fixture.push()
        let recording = RecordingVault(fixture.vault)
        _ = try await fixture.pull(from: recording)
        #expect(try fixture.target.nodes() == fixture.source.nodes())
        let reads = recording.calls.compactMap { if case .read(let reads) = $0 { reads.count } else { nil } }
        #expect(reads.reduce(0, +) == 601 && reads.count <= 4)
        let opened = recording.calls.compactMap { if case .openRead(let name) = $0 { name.text } else { nil } }
        #expect(opened == ["p/large"])
    }

    @Test func changesNothingInADryRun() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "d/x", "new/y"] { try fixture.source.write(name, [1, 2]) }
        try await fixture.push()
        for name in ["a", "d", "e"] { try fixture.target.write(name, [9]) }
        let before = try fixture.target.nodes()
        let log = EventLog()
        let report = try await fixture.pull(with: { ($0.deletes, $0.isDryRun) = (true, true) }, onEvent: { log($0) })
        #expect(log.all == ["removed d", "removed e", "would write a", "would write x", "would write y"])
        #expect((report.saved, report.removed, report.bytes, report.failed.count) == (3, 2, 6, 0))
        #expect(try fixture.target.nodes() == before)
        let missing = fixture.directory("missing/below")
        #expect(try await fixture.pull(to: missing) { ($0.deletes, $0.isDryRun) = (true, true) }.saved == 3)
        #expect((try? FileStatus(of: fixture.directory("missing"))) == nil)
    }

    @Test func makesItsRoot() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1])
        try await fixture.push()
        let root = fixture.directory("new/deep/root/")
        #expect(try await fixture.pull(to: root).saved == 1)
        #expect(try LocalTree.read(root.appending("a")) == [1])
        try fixture.target.write("file", [1])
        #expect(await eventualCode { try await fixture.pull(to: fixture.target.root.appending("file")) } != nil)
    }

    @Test func dryRunsFailWhereTheRunWould() async throws {
        let fixture = try await TreeFixture()
        for name in ["d/g", "e-x", "f/a", "g"] { try fixture.source.write(name, [1]) }
        try await fixture.push()
        for name in ["d", "f"] { fixture.source.remove(name) }
        for name in ["d", "d-x", "e", "f"] { try fixture.source.write(name, [2]) }
        for deletes in [false, true] {
            let dry = try await fixture.push { ($0.isDryRun, $0.deletes) = (true, deletes) }
            #expect(
                dry.failed.map(\.path.lastComponent) == (deletes ? [] : [Array("d".utf8)[...], Array("f".utf8)[...]]))
            #expect(dry.failed.allSatisfy { $0.error.code == .exists } && dry.saved == (deletes ? 4 : 2))
        }
        let real = try await fixture.push()
        #expect((real.failed.count, real.saved) == (2, 2))
        try fixture.target.write("g/in/the/way", [1])
        for isDryRun in [true, false] {
            let report = try await fixture.pull { $0.isDryRun = isDryRun }
            #expect((report.failed.map(\.error.code), report.saved) == ([.exists], 5))
        }
    }

    @Test func leavesAtMostAFileOfEachJobUnfinishedWhenItsTaskIsCancelled() async throws {
        let fixture = try await TreeFixture()
        for number in 0..<20 { try fixture.source.write("\(number)", randomBytes(1 << 20, seed: UInt64(number))) }
        let large = randomBytes(30 << 20, seed: 99)
        try fixture.source.write("large", large)
        try await fixture.push()
        let ending = await cancelling { cancel in
            let vault = RecordingVault(fixture.vault) { call in if case .fetch = call { cancel() } }
            return await eventualCode { try await fixture.pull(from: vault) { $0.deletes = true } }
        }
        #expect(ending == .cancelled)
        let paths = try fixture.target.paths()
        let unfinished = paths.filter { $0.hasPrefix(".") }
        // The mark that tells the next pull of them is one more.
        #expect(unfinished.isEmpty || (2...Limits.jobsInFlight + 1).contains(unfinished.count))
        // It may have been done before anybody noticed; then it is whole.
        if paths.contains("large") {
            #expect(try LocalTree.read(fixture.target.root.appending("large")) == large)
        }
        #expect(try await fixture.pull().failed.isEmpty)
        #expect(try fixture.target.paths() == fixture.source.paths())
    }

    @Test(arguments: [Int64.min, -1, 0, .max])
    func takesAnyTime(modified: Int64) async throws {
        let fixture = try await TreeFixture()
        let intent = SaveIntent(name: try Name("p/file"), attributes: Attributes(mode: 0o7777, modified: modified))
        _ = try await fixture.vault.save([SmallSave(intent: intent, chunk: nil)])
        #expect(try await fixture.pull().failed.isEmpty)
        let status = try FileStatus(of: fixture.target.root.appending("file"))
        if abs(modified / 2) < 1000 { #expect(status.modified == modified) }
        #expect(status.mode == 0o777)
    }
}
