import Glibc
import TestSupport
import Testing
import VaultStore

@testable import VaultModel

/// Saving and reading single files on a vault of this machine.
@Suite struct TransferTests {
    private let directory: TemporaryDirectory
    private let tree: LocalTree
    private let vault: any Vault

    init() async throws {
        directory = try TemporaryDirectory()
        tree = try LocalTree(directory("tree"))
        vault = try await StoredVault.open(directory("vault"), access: .create)
    }

    private func save(
        _ file: String, to other: (any Vault)? = nil, as name: String = "name", isStrict: Bool = false
    ) async throws -> SaveOutcome {
        try await FileSave(to: other ?? vault, isStrict: isStrict).save(tree.root.appending(file), as: Name(name))
    }

    @Test(arguments: [
        0, 1, Chunker.minimumSize, Chunker.minimumSize + 1, Limits.bufferBytes - 1, Limits.bufferBytes,
        Limits.bufferBytes + 1, 20 << 20,
    ])
    func bringsAFileBackByteForByte(size: Int) async throws {
        let bytes = randomBytes(size, seed: UInt64(size))
        try tree.write("file", bytes, mode: 0o640, modified: 1_234_567_890_123_456_789)
        let meter = TransferMeter()
        let outcome = try await FileSave(to: vault, meter: meter).save(tree.root.appending("file"), as: Name("a/b"))
        #expect(outcome.isCreated)
        #expect(outcome.entry.size == UInt64(size))
        #expect(outcome.newBytes == UInt64(size))
        #expect(outcome.entry.content == (try LocalDigest.content(LocalReader.open(tree.root.appending("file")))))
        #expect((meter.reading.done, meter.reading.total) == (UInt64(size), UInt64(size)))
        let entry = try await FileRead(from: vault, meter: meter).read(Name("a/b"), to: tree.root.appending("copy"))
        #expect(entry == outcome.entry)
        #expect((meter.reading.done, meter.reading.total) == (2 * UInt64(size), 2 * UInt64(size)))
        let nodes = try tree.nodes()
        #expect(nodes[Array("file".utf8)] == nodes[Array("copy".utf8)])
        #expect(try tree.paths() == ["copy", "file"])
    }

    @Test func sendsNothingThatTheVaultHas() async throws {
        try tree.write("file", randomBytes(20 << 20, seed: 1), modified: 5)
        let recording = RecordingVault(vault)
        #expect(try await save("file", to: recording).isCreated)
        recording.forget()
        let again = try await save("file", to: recording)
        #expect((again.isCreated, again.newBytes, again.entry.version) == (false, 0, 1))
        let other = try await save("file", to: recording, as: "other")
        #expect((other.isCreated, other.newBytes) == (true, 0))
        #expect(recording.putDigests.isEmpty)
    }

    @Test func resumesWithWhatIsMissing() async throws {
        let bytes = randomBytes(40 << 20, seed: 2)
        try tree.write("file", bytes)
        let puts = Shared(0)
        let failing = RecordingVault(vault) { (call) async throws(VaultError) in
            guard case .put = call,
                puts.change({ count in
                    count += 1
                    return count >= 3
                })
            else { return }
            throw VaultError(.unavailable, "The connection is lost.")
        }
        #expect(await eventualCode { try await save("file", to: failing) } == .unavailable)
        #expect(try await vault.stat(Name("name"), .current) == nil)
        let arrived = failing.calls.compactMap { call -> [Digest]? in
            if case .put(let chunks) = call { chunks.map(\.digest) } else { nil }
        }
        let resuming = RecordingVault(vault)
        let outcome = try await save("file", to: resuming)
        // The third put and those behind it never reached the vault.
        #expect(arrived.count >= 3)
        #expect(Set(resuming.putDigests).isDisjoint(with: arrived[..<2].joined()))
        let all = resuming.calls.flatMap { call -> [Digest] in
            if case .offer(let chunks) = call { chunks.map(\.digest) } else { [] }
        }
        #expect(Set(all) == Set(resuming.putDigests).union(arrived[..<2].joined()))
        #expect(outcome.entry.size == UInt64(bytes.count))
        #expect(outcome.newBytes < UInt64(bytes.count))
        _ = try await FileRead(from: vault).read(Name("name"), to: tree.root.appending("copy"))
        #expect(try tree.read("copy") == bytes)
    }

    @Test func putsAChunkOnceThatAFileHasOften() async throws {
        try tree.write("zeros", [UInt8](repeating: 0, count: 40 << 20))
        let recording = RecordingVault(vault)
        let outcome = try await save("zeros", to: recording)
        #expect(recording.putDigests.count == Set(recording.putDigests).count)
        #expect(outcome.newBytes <= 2 * UInt64(Chunker.maximumSize))
        _ = try await FileRead(from: vault).read(Name("name"), to: tree.root.appending("copy"))
        #expect(try tree.read("copy") == tree.read("zeros"))
    }

    @Test(arguments: [100, 48 << 20])
    func savesNothingOfAFileThatKeepsChangingIfItMustNot(size: Int) async throws {
        try tree.write("file", randomBytes(size, seed: 3))
        let path = tree.root.appending("file")
        let file = try OpenFile(path, flags: O_WRONLY | O_APPEND)
        let grow: @Sendable () throws(VaultError) -> Void = { () throws(VaultError) in
            var byte: UInt8 = 1
            try retrying("write", path) { write(file.descriptor, &byte, 1) }
        }
        let meddling = RecordingVault(vault) { (call) async throws(VaultError) in
            if case .offer = call { try grow() }
        }
        // A small file is at hand completely before the vault is asked.
        let expected: VaultError.Code? = size <= Chunker.minimumSize ? nil : .conflict
        #expect(await eventualCode { try await save("file", to: meddling, isStrict: true) } == expected)
        #expect(try await vault.stat(Name("name"), .current)?.version == (expected == nil ? 1 : nil))
        let commits = meddling.calls.filter { if case .commit = $0 { true } else { false } }
        #expect(commits.isEmpty)
    }

    @Test func savesAFileThatChangedOnceAsItIsThen() async throws {
        // So large that it cannot be read to its end before the first offer.
        let bytes = randomBytes(48 << 20, seed: 4)
        try tree.write("file", randomBytes(48 << 20, seed: 3))
        let tree = tree
        let hasMeddled = Shared(false)
        let meddling = RecordingVault(vault) { (call) async throws(VaultError) in
            guard case .offer = call,
                hasMeddled.change({ hasMeddled in
                    defer { hasMeddled = true }
                    return !hasMeddled
                })
            else { return }
            do { try tree.write("file", bytes) } catch { throw VaultError(error) }
        }
        let outcome = try await save("file", to: meddling)
        #expect(outcome.entry.version == 1)
        _ = try await FileRead(from: vault).read(Name("name"), to: tree.root.appending("copy"))
        #expect(try tree.read("copy") == bytes)
    }

    @Test func holdsFewBuffersAtOnce() async throws {
        let size = 120 << 20
        try tree.write("file", [])
        #expect(tree.root.appending("file").withCString { truncate($0, off_t(size)) } == 0)
        let path = tree.root.appending("file")
        // Chunks that differ, so that all are put.
        let file = try OpenFile(path, flags: O_WRONLY)
        for offset in stride(from: 0, to: size, by: 256 << 10) {
            try randomBytes(64, seed: UInt64(offset)).withUnsafeBytes { try file.write($0, at: UInt64(offset)) }
        }
        let inFlight = Shared((now: 0, peak: 0))
        let counting = CountingVault(vault) { change in
            inFlight.change { flight in
                flight.now += change
                flight.peak = max(flight.peak, flight.now)
            }
        }
        _ = try await save("file", to: counting)
        #expect(inFlight.value.now == 0)
        #expect((1...Limits.segmentsInFlight * Limits.bufferBytes).contains(inFlight.value.peak))
        inFlight.change { $0.peak = 0 }
        _ = try await FileRead(from: counting).read(Name("name"), to: tree.root.appending("copy"))
        #expect((1...Limits.segmentsInFlight * Limits.fetchBytesMax).contains(inFlight.value.peak))
    }

    @Test func endsWithoutATraceWhenItsTaskIsCancelled() async throws {
        try tree.write("file", randomBytes(40 << 20, seed: 5))
        let saving = await cancelling { cancel in
            let vault = RecordingVault(self.vault) { call in if case .put = call { cancel() } }
            return await eventualCode { try await save("file", to: vault) }
        }
        #expect(saving == .cancelled)
        #expect(try await vault.stat(Name("name"), .current) == nil)
        _ = try await save("file")
        let reading = await cancelling { cancel in
            let vault = RecordingVault(self.vault) { call in if case .fetch = call { cancel() } }
            return await eventualCode {
                try await FileRead(from: vault).read(Name("name"), to: tree.root.appending("copy"))
            }
        }
        #expect(reading == .cancelled)
        #expect(try tree.paths() == ["file"])
    }

    @Test func savesLinksAndRefusesWhatIsNoFile() async throws {
        try tree.makeLink("link", to: "no\u{1}where")
        try tree.makePipe("pipe")
        try tree.makeDirectory("directory")
        let outcome = try await save("link")
        #expect((outcome.entry.kind, outcome.entry.size) == (.link, 8))
        _ = try await FileRead(from: vault).read(Name("name"), to: tree.root.appending("copy"))
        #expect(try tree.nodes()[Array("copy".utf8)]?.bytes == Array("no\u{1}where".utf8))
        #expect(await eventualCode { try await save("pipe") } == .invalid)
        #expect(await eventualCode { try await save("directory") } == .invalid)
        #expect(await eventualCode { try await save("missing") } == .notFound)
    }

    @Test func opensNothingButRegularFiles() throws {
        try tree.makePipe("pipe")
        try tree.makeLink("link", to: "file")
        try tree.write("file")
        for name in ["pipe", "", "link"] {
            #expect(code { try LocalReader.open(tree.root.appending(name)) } == .invalid)
        }
        #expect(code { try LocalReader.open(LocalPath("/dev/zero")) } == .invalid)
    }

    @Test func replacesAFileButNoDirectory() async throws {
        try tree.write("file", [1])
        _ = try await save("file")
        try tree.write("other", [2, 2])
        try tree.makeLink("link", to: "other")
        try tree.makeDirectory("directory")
        let read = FileRead(from: vault)
        #expect(
            await eventualCode { try await read.read(Name("name"), to: tree.root.appending("directory")) } == .exists)
        #expect(
            await eventualCode {
                try await read.read(Name("name"), to: tree.root.appending("other"), overwrites: false)
            }
                == .exists)
        #expect(
            await eventualCode { try await read.read(Name("name"), to: tree.root.appending("no/where")) } == .notFound)
        #expect(
            await eventualCode { try await read.read(Name("nothing"), to: tree.root.appending("new")) } == .notFound)
        #expect(await eventualCode { try await read.read(Name("name"), to: tree.root.appending("..")) } == .exists)
        #expect(try tree.read("other") == [2, 2])
        _ = try await read.read(Name("name"), to: tree.root.appending("link"))
        _ = try await read.read(Name("name"), to: tree.root.appending("other"))
        _ = try await read.read(Name("name"), to: tree.root.appending("new"), overwrites: false)
        for name in ["link", "other", "new"] { #expect(try tree.read(name) == [1]) }
        #expect(try tree.paths() == ["directory", "file", "link", "new", "other"])
    }

    @Test func checksTheVersionThatMustBeCurrent() async throws {
        for size in [10, 1 << 20] {
            let name = try Name("n\(size)")
            try tree.write("file", randomBytes(size, seed: 1))
            let (save, path) = (FileSave(to: vault), tree.root.appending("file"))
            #expect(try await save.save(path, as: name, ifVersion: 0).entry.version == 1)
            try tree.write("file", randomBytes(size, seed: 2))
            #expect(await eventualCode { try await save.save(path, as: name, ifVersion: 0) } == .exists)
            #expect(await eventualCode { try await save.save(path, as: name, ifVersion: 2) } == .conflict)
            #expect(try await save.save(path, as: name, tags: ["k": "v"], ifVersion: 1).entry.tags == ["k": "v"])
        }
    }
}
