import Glibc
import TestSupport
import Testing

@testable import VaultModel

@Suite struct PushTests {
    @Test func bringsATreeBackByteForByte() async throws {
        let fixture = try await TreeFixture()
        try fixture.fillSource()
        let report = try await fixture.push()
        #expect(report.failed.isEmpty)
        #expect(report.removed == 0)
        let pulled = try await fixture.pull()
        #expect(pulled.failed.isEmpty)
        #expect(pulled.saved == report.saved)
        #expect(pulled.bytes == report.bytes)
        let (sent, received) = (try fixture.source.nodes(), try fixture.target.nodes())
        #expect(Set(sent.keys) == Set(received.keys))
        for (path, node) in sent { #expect(received[path] == node, "\(printable(path))") }
        #expect(try await fixture.compare { $0.checksum = true } == [])
    }

    @Test func sendsNothingTheSecondTime() async throws {
        let fixture = try await TreeFixture()
        try fixture.fillSource()
        let first = try await fixture.push()
        // The files are younger than what is trusted by its times, so they are read, and found to be the same.
        let recording = RecordingVault(fixture.vault)
        let second = try await fixture.push(to: recording) { $0.deletes = true }
        #expect(second.failed.isEmpty)
        #expect((second.saved, second.removed, second.newBytes) == (0, 0, 0))
        #expect(second.skipped == first.saved)
        #expect(recording.calls.allSatisfy { if case .put = $0 { false } else { true } })
        #expect(try await fixture.entry("plain")?.version == 1)
    }

    @Test func readsNothingThatItsTimesTellUnchanged() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1, 2, 3])
        try fixture.source.write("b", [1, 2, 3])
        try await fixture.push()
        // As if they had been saved long after they were changed: the catalog learns by what to know them.
        for name in ["a", "b"] {
            let status = try FileStatus(of: fixture.source.root.appending(name))
            let intent = SaveIntent(
                name: try Name("p/" + name), attributes: status.attributes(now: status.changed + 3_000_000_000))
            let content = BufferSlice(copying: [1, 2, 3])
            let chunk = Chunk(digest: Digest(of: [1, 2, 3]), bytes: content)
            _ = try await fixture.vault.save([SmallSave(intent: intent, chunk: chunk)])
        }
        let recording = RecordingVault(fixture.vault)
        #expect(try await fixture.push(to: recording).skipped == 2)
        #expect(recording.calls.allSatisfy { if case .save = $0 { false } else { true } })
        // A tag that somebody set does not make it a changed file; a tag that is asked for does.
        _ = try await fixture.vault.change([.tag(Name("p/a"), ["by": "hook"])])
        _ = try await fixture.push(to: recording)
        let tagged = try await fixture.push(to: recording) { $0.tags = ["k": "v"] }
        #expect(tagged.saved == 2)
        // With checksums all is read.
        _ = try await fixture.push(to: recording) { $0.checksum = true }
        #expect(recording.putDigests.count == 2 + 2)
    }

    @Test func sendsOnlyTheChunksThatChanged() async throws {
        let fixture = try await TreeFixture()
        var bytes = randomBytes(20 << 20, seed: 8)
        try fixture.source.write("large", bytes)
        try await fixture.push()
        bytes[10 << 20] ^= 1
        try fixture.source.write("large", bytes)
        let report = try await fixture.push()
        #expect(report.saved == 1)
        #expect(report.newBytes > 0 && report.newBytes <= 2 * UInt64(Chunker.maximumSize))
        #expect(try await fixture.entry("large")?.version == 2)
    }

    @Test func replacesAFileByADirectory() async throws {
        for deletes in [false, true] {
            let fixture = try await TreeFixture()
            try fixture.source.write("a", [1])
            try fixture.source.write("a-b", [2])
            try await fixture.push()
            fixture.source.remove("a")
            try fixture.source.write("a/x/y", [3])
            let report = try await fixture.push { $0.deletes = deletes }
            #expect(report.failed.isEmpty)
            #expect((report.saved, report.removed) == (1, 1))
            #expect(try await fixture.names() == ["a-b", "a/x/y"])
        }
    }

    @Test func replacesADirectoryByAFileIfItMayRemove() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("d/x", [1])
        try fixture.source.write("d/y", [2])
        try await fixture.push()
        fixture.source.remove("d")
        try fixture.source.write("d", [3])
        let refused = try await fixture.push()
        #expect(refused.failed.map(\.error.code) == [.exists])
        #expect(try await fixture.names() == ["d/x", "d/y"])
        let report = try await fixture.push { $0.deletes = true }
        #expect(report.failed.isEmpty)
        #expect((report.saved, report.removed) == (1, 2))
        #expect(try await fixture.names() == ["d"])
    }

    @Test func keepsWhatFillsADirectoryThatWasEmpty() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.makeDirectory("d")
        try await fixture.push()
        #expect(try await fixture.names() == ["d"])
        try fixture.source.write("d/x", [1])
        let report = try await fixture.push { $0.deletes = true }
        #expect(try await fixture.names() == ["d/x"])
        #expect((report.saved, report.removed, report.failed.count) == (1, 0, 0))
    }

    @Test func savesADirectoryThatBecameEmpty() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("d/x", [1])
        try await fixture.push()
        fixture.source.remove("d/x")
        let kept = try await fixture.push()
        #expect(kept.failed.isEmpty)
        #expect(try await fixture.names() == ["d/x"])
        let report = try await fixture.push { $0.deletes = true }
        #expect(report.failed.isEmpty)
        #expect(try await fixture.names() == ["d"])
    }

    @Test func removesWhatIsGoneOnlyIfAsked() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "b", "c/d", "日"] { try fixture.source.write(name, Array(name.utf8)) }
        try fixture.source.write([0x80], [1])
        try await fixture.push()
        for name in ["a", "c"] { fixture.source.remove(name) }
        #expect(try await fixture.push().removed == 0)
        #expect(try await fixture.names().count == 5)
        let log = EventLog()
        let report = try await fixture.push(with: { $0.deletes = true }, onEvent: { log($0) })
        #expect(report.removed == 2)
        #expect(log.all.filter { $0.hasPrefix("removed") } == ["removed p/a", "removed p/c/d"])
        #expect(try await fixture.names() == ["b", "‛80", "日"])
    }

    @Test func removesNothingWhereItWouldBeTooMuch() async throws {
        let fixture = try await TreeFixture()
        for number in 0..<5 { try fixture.source.write("\(number)", [1]) }
        try await fixture.push()
        for number in 0..<3 { fixture.source.remove("\(number)") }
        let tooMuch = await eventualCode {
            try await fixture.push {
                $0.deletes = true
                $0.deleteMax = 2
            }
        }
        #expect(tooMuch == .conflict)
        #expect(try await fixture.names().count == 5)
        let report = try await fixture.push {
            $0.deletes = true
            $0.deleteMax = 3
        }
        #expect(report.removed == 3)
    }

    @Test func removesNothingWhereSomethingCouldNotBeRead() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "b", "d/x"] { try fixture.source.write(name, Array(name.utf8)) }
        try await fixture.push()
        for name in ["a", "b", "d"] { fixture.source.remove(name) }
        try fixture.source.write("b", [7, 7])
        try fixture.source.write("d", [8])
        try fixture.source.makePipe("pipe")
        // The walk comes to the pipe behind the file, and before the file is read.
        let report = try await fixture.push(
            with: { $0.deletes = true },
            onEvent: { event in
                guard case .skipped = event else { return }
                fixture.source.remove("b")
                try? fixture.source.makeDirectory("b")
            })
        #expect(report.failed.map(\.error.code) == [.invalid, .exists])
        #expect(report.removed == 0)
        #expect(try await fixture.names() == ["a", "b", "d/x"])
    }

    @Test(.enabled(if: geteuid() != 0, "The superuser reads every directory."))
    func removesNothingWhereADirectoryCannotBeRead() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "d", "e/x"] { try fixture.source.write(name, [1]) }
        try await fixture.push()
        for name in ["a", "d"] { fixture.source.remove(name) }
        try fixture.source.write("d/y", [1])
        for name in ["d", "e"] { _ = fixture.source.root.appending(name).withCString { chmod($0, 0) } }
        let report = try await fixture.push { $0.deletes = true }
        #expect(report.failed.map(\.error.code) == [.denied, .denied])
        #expect(report.removed == 0)
        #expect(try await fixture.names() == ["a", "d", "e/x"])
    }

    @Test func removesNothingWhereAPathCannotBeAName() async throws {
        let fixture = try await TreeFixture()
        let part = String(repeating: "x", count: 250)
        let prefix = Array(repeating: part, count: 16).joined(separator: "/")
        try fixture.source.write("a", [1])
        try await fixture.push(prefix)
        fixture.source.remove("a")
        try fixture.source.write(part, [1])
        try fixture.source.write("b", [2])
        let report = try await fixture.push(prefix) { $0.deletes = true }
        #expect(report.failed.map(\.error.code) == [.invalid])
        #expect((report.saved, report.removed) == (1, 0))
    }

    @Test func keepsAFileWhoseDirectoryGivesNothingToSave() async throws {
        let fixture = try await TreeFixture()
        for name in ["f", "f-1", "f0"] { try fixture.source.write(name, [1]) }
        try await fixture.push()
        for name in ["f", "f-1"] { fixture.source.remove(name) }
        try fixture.source.write("f/x.o", [1])
        let filter = try TreeFilter(exclude: ["*.o", "f/"])
        #expect(try await fixture.push { $0.filter = filter }.removed == 0)
        #expect(try await fixture.names() == ["f", "f-1", "f0"])
        let report = try await fixture.push { ($0.filter, $0.deletes) = (filter, true) }
        #expect(report.removed == 2)
        #expect(try await fixture.names() == ["f0"])
    }

    @Test func leavesTheExcludedAlone() async throws {
        let fixture = try await TreeFixture()
        for name in ["a.o", "a.c", "build/x", "d/b.o", "e/only.o"] { try fixture.source.write(name, Array(name.utf8)) }
        try fixture.source.makeDirectory("empty/build")
        try await fixture.push()
        let before = try await fixture.names()
        for name in ["a.o", "build", "d/b.o", "empty/build"] { fixture.source.remove(name) }
        for _ in 0..<2 {
            let report = try await fixture.push {
                $0.deletes = true
                $0.filter = try TreeFilter(exclude: ["*.o", "build/"])
            }
            #expect(report.failed.isEmpty)
            #expect(report.removed == 0)
        }
        #expect(try await fixture.names() == before)
    }

    @Test func changesNothingInADryRun() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1])
        try fixture.source.write("f", [1])
        try fixture.source.write("d/x", [1])
        try await fixture.push()
        fixture.source.remove("a")
        fixture.source.remove("f")
        fixture.source.remove("d")
        try fixture.source.write("f/x", [1, 2])
        try fixture.source.write("d", [1, 2, 3])
        try fixture.source.makeDirectory("void")
        let log = EventLog()
        let recording = RecordingVault(fixture.vault)
        let report = try await fixture.push(
            to: recording, with: { ($0.deletes, $0.isDryRun) = (true, true) }, onEvent: { log($0) })
        #expect(recording.calls.allSatisfy { if case .list = $0 { true } else { false } })
        #expect(
            log.all == [
                "removed p/a", "removed p/d/x", "removed p/f", "would save d", "would save void", "would save x",
            ])
        #expect((report.saved, report.removed, report.bytes) == (3, 3, 5))
        #expect(try await fixture.names() == ["a", "d/x", "f"])
    }

    @Test func leavesAloneWhatSomebodyElseSavesMeanwhile() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "b"] { try fixture.source.write(name, [1]) }
        try await fixture.push()
        fixture.source.remove("a")
        let vault = fixture.vault
        let meddling = RecordingVault(vault) { (call) async throws(VaultError) in
            guard case .change = call else { return }
            let chunk = Chunk(digest: Digest(of: [9]), bytes: BufferSlice(copying: [9]))
            let intent = SaveIntent(name: try Name("p/a"), attributes: Attributes(mode: 0o644, modified: 5))
            _ = try await vault.save([SmallSave(intent: intent, chunk: chunk)])
        }
        let report = try await fixture.push(to: meddling) { $0.deletes = true }
        #expect((report.removed, report.failed.count) == (0, 0))
        #expect(try await fixture.entry("a")?.version == 2)
    }

    @Test func skipsPipes() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.makePipe("pipe")
        try fixture.source.write("a", [1])
        let log = EventLog()
        let report = try await fixture.push(onEvent: { log($0) })
        #expect((report.saved, report.skipped, report.failed.count) == (1, 1, 0))
        #expect(log.all == ["saved a", "skipped pipe"])
    }

    @Test func tellsWhatStandsInTheWayOfATree() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("x/y", [1])
        let chunk = Chunk(digest: Digest(of: [9]), bytes: BufferSlice(copying: [9]))
        let intent = SaveIntent(name: try Name("p"), attributes: Attributes(mode: 0o644, modified: 5))
        _ = try await fixture.vault.save([SmallSave(intent: intent, chunk: chunk)])
        for deletes in [false, true] {
            let report = try await fixture.push { $0.deletes = deletes }
            #expect(report.failed.map(\.error.code) == [.exists])
            #expect(try await fixture.vault.stat(Name("p"), .current)?.version == 1)
        }
    }

    @Test func endsWithTheFailureOfTheVault() async throws {
        let fixture = try await TreeFixture()
        for number in 0..<600 { try fixture.source.write("\(number)", Array("\(number)".utf8)) }
        let failing = RecordingVault(fixture.vault) { (call) async throws(VaultError) in
            if case .save = call { throw VaultError(.unavailable, "The server is gone.") }
        }
        #expect(await eventualCode { try await fixture.push(to: failing) { $0.deletes = true } } == .unavailable)
        #expect(try await fixture.names().isEmpty)
    }

    @Test(arguments: [10, 1 << 20]) func stopsAtAQuotaAndReportsWhatItHadDone(size: Int) async throws {
        let fixture = try await TreeFixture()
        for number in 0..<600 { try fixture.source.write("a\(number)", Array("\(number)".utf8)) }
        try fixture.source.write("b", randomBytes(size, seed: 2))
        for number in 0..<600 { try fixture.source.write("c\(number)", Array("\(number)".utf8)) }
        let full = RecordingVault(fixture.vault) { (call) async throws(VaultError) in
            let error = VaultError(.quota, "The vault is full.")
            switch call {
            case .save(let saves) where saves.contains(where: { $0.intent.name.text == "p/b" }): throw error
            case .beginUpload: throw error
            default: break
            }
        }
        try fixture.source.write("gone", [1])
        try await fixture.push { $0.filter = try TreeFilter(include: ["gone"]) }
        fixture.source.remove("gone")
        let report = try await fixture.push(to: full) {
            $0.deletes = true
            $0.concurrency = 1
        }
        #expect(report.saved >= 256 && report.saved < 1200 && report.removed == 0)
        #expect(!report.failed.isEmpty && report.failed.allSatisfy { $0.error.code == .quota })
        #expect(try await fixture.names().contains("gone"))
    }

    @Test func endsWhenItsTaskIsCancelled() async throws {
        let fixture = try await TreeFixture()
        for number in 0..<600 { try fixture.source.write("\(number)", Array("\(number)".utf8)) }
        try fixture.source.write("z", randomBytes(20 << 20, seed: 1))
        let ending = await cancelling { cancel in
            let vault = RecordingVault(fixture.vault) { call in if case .save = call { cancel() } }
            return await eventualCode { try await fixture.push(to: vault) { $0.deletes = true } }
        }
        #expect(ending == .cancelled)
        #expect(try await !fixture.names().contains("z"))
    }
}
