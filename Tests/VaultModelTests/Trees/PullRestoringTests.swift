import Glibc
import TestSupport
import Testing

@testable import VaultModel

/// What a pull makes of what is there already, and of file systems that cannot hold everything.
@Suite struct PullRestoringTests {
    private func mode(_ path: LocalPath) throws -> UInt32 { try FileStatus(of: path).mode }

    @Test func directoriesAreTheOwnersAndNoFileRunsAsSomebodyElse() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("secret/key", [1], mode: 0o644)
        try fixture.source.write("tool", [2], mode: 0o6755)
        try fixture.source.makeDirectory("void", mode: 0o2775)
        try await fixture.push()
        let root = fixture.directory("new/root")
        try await fixture.pull(to: root)
        for path in [root, root.parent, root.appending("secret")] { #expect(try mode(path) == 0o700) }
        #expect(try mode(root.appending("tool")) == 0o755)
        #expect(try mode(root.appending("void")) == 0o775)
        #expect(try mode(root.appending("secret/key")) == 0o644)
        let again = try await fixture.pull(to: root)
        #expect((again.saved, again.skipped) == (0, 3))
    }

    @Test func takesNoBitThatProtectsOrRunsAsAnother() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("tool", [2], mode: 0o4755)
        try fixture.source.makeDirectory("tmp", mode: 0o1777)
        try await fixture.push()
        // The tree that was saved is the one that is written to.
        let same = try await fixture.pull(to: fixture.source.root)
        #expect((same.saved, same.skipped) == (0, 2))
        #expect(try mode(fixture.source.root.appending("tool")) == 0o4755)
        try await fixture.pull()
        #expect(try mode(fixture.target.root.appending("tmp")) == 0o1777)
        // Also where something else is to be set.
        try fixture.target.write("tool", [2], mode: 0o4755, modified: 7)
        _ = fixture.target.root.appending("tmp").withCString { chmod($0, 0o755) }
        for saved in [2, 0] { #expect(try await fixture.pull().saved == saved) }
        #expect(try mode(fixture.target.root.appending("tmp")) == 0o1777)
        #expect(try mode(fixture.target.root.appending("tool")) == 0o4755)
    }

    @Test func aFileThatItsOwnerMayNotOpenIsSetRightAllTheSame() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1], mode: 0o640, modified: 5_000_000_000)
        try await fixture.push()
        try fixture.target.write("a", [1], mode: 0, modified: 5_000_000_000)
        #expect(try await fixture.pull().unset == 0)
        #expect(try mode(fixture.target.root.appending("a")) == 0o640)
    }

    @Test func nothingWaitsForASocket() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1])
        try await fixture.push()
        let path = fixture.directory("socket")
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.bytes) }
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        #expect(isBound)
        let code = await eventualCode { try await FileRead(from: fixture.vault).read(Name("p/a"), to: path) }
        #expect(code == .invalid)
    }

    @Test func contentThatIsThereIsNotFetchedForAnotherModeOrTime() async throws {
        let fixture = try await TreeFixture()
        let bytes = randomBytes(5 << 20, seed: 1)
        for (name, content) in [("large", bytes), ("small", [1, 2])] { try fixture.source.write(name, content) }
        try await fixture.push()
        try await fixture.pull()
        try fixture.target.write("large", bytes, mode: 0o600, modified: 5)
        try fixture.target.write("small", [1, 2], mode: 0o644, modified: 7)
        let recording = RecordingVault(fixture.vault)
        let dry = try await fixture.pull(from: recording) { $0.isDryRun = true }
        #expect((dry.saved, dry.bytes) == (2, 0))
        let report = try await fixture.pull(from: recording)
        #expect((report.saved, report.bytes, report.unset) == (2, 0, 0))
        #expect(recording.calls.allSatisfy { if case .list = $0 { true } else { false } })
        #expect(try fixture.target.nodes() == fixture.source.nodes())
        // Equal size and another content is fetched all the same.
        try fixture.target.write("small", [9, 9], modified: 7)
        #expect(try await fixture.pull().bytes == 2)
        #expect(try fixture.target.read("small") == [1, 2])
    }

    @Test func devicesAndPipesAreNeverReplaced() async throws {
        let fixture = try await TreeFixture()
        for name in ["pipe", "read"] { try fixture.source.write(name, Array(name.utf8)) }
        try await fixture.push()
        try fixture.target.makePipe("pipe")
        let report = try await fixture.pull { $0.deletes = true }
        #expect(report.failed.map(\.error.code) == [.unavailable])
        #expect(try FileStatus(of: fixture.target.root.appending("pipe")).kind == .other)
        // With somebody who reads, what was saved arrives.
        let path = fixture.target.root.appending("pipe")
        let reader = try OpenFile(path, flags: O_RDONLY | O_NONBLOCK)
        #expect(try await fixture.pull().failed.isEmpty)
        let buffer = Buffer(byteCount: 4)
        #expect(try reader.read(into: buffer.memory) == 4 && Array(buffer.memory) == Array("pipe".utf8))
        let entry = try await FileRead(from: fixture.vault).read(Name("p/read"), to: path)
        #expect(try entry.size == 4 && reader.read(into: buffer.memory) == 4)
        #expect(Array(buffer.memory) == Array("read".utf8))
        #expect(await eventualCode { try await fixture.pull { $0.overwrites = false } } == nil)
        #expect(try FileStatus(of: path).kind == .other)
    }

    @Test func aReadWaitsUntilSomebodyReadsFromThePipe() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("f", randomBytes(1 << 20, seed: 3))
        try await fixture.push()
        try fixture.target.makePipe("pipe")
        let path = fixture.target.root.appending("pipe")
        let vault = fixture.vault
        let cancelled = Task { try await FileRead(from: vault).read(Name("p/f"), to: path) }
        cancelled.cancel()
        #expect(await eventualCode { try await cancelled.value } == .cancelled)
        let reading = Task { try await FileRead(from: vault).read(Name("p/f"), to: path) }
        let received = try await Task(executorPreference: BlockingExecutor.shared) {
            let reader = try OpenFile(path, flags: O_RDONLY)
            let buffer = Buffer(byteCount: 2 << 20)
            return try reader.read(into: buffer.memory)
        }.value
        #expect(received == 1 << 20)
        _ = try await reading.value
    }

    @Test func runsOfZerosBecomeHoles() async throws {
        let fixture = try await TreeFixture()
        var bytes = [UInt8](repeating: 0, count: 12 << 20)
        for index in [5_000_000, 5_000_001, 11_999_999] { bytes[index] = 1 }
        try fixture.source.write("disk", bytes)
        try fixture.source.write("zeros", [UInt8](repeating: 0, count: 200_000))
        try fixture.source.write("tail", [1] + [UInt8](repeating: 0, count: 100_000))
        try fixture.source.write("short", [0, 0, 0])
        try await fixture.push()
        try await fixture.pull()
        #expect(try fixture.target.nodes() == fixture.source.nodes())
        func blocks(_ name: String) -> Int {
            var status = stat()
            _ = fixture.target.root.appending(name).withCString { stat($0, &status) }
            return Int(status.st_blocks)
        }
        #expect(blocks("disk") < 1000 && blocks("zeros") == 0 && blocks("tail") <= 16)
    }

    @Test func wholeFilesAreThereBesideRefusedLinksToThem() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1])
        try await fixture.push()
        try await fixture.pull { $0.overwrites = false }
        #expect(try fixture.target.read("a") == [1])
        try fixture.target.write("a", [2, 2])
        let report = try await fixture.pull { $0.overwrites = false }
        #expect(report.failed.map(\.error.code) == [.exists])
        #expect(try fixture.target.read("a") == [2, 2])
        #expect(try fixture.target.paths() == ["a"])
    }

    @Test func timesThatCannotBeToldBecomeTheNearestThatCan() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("later", [1])
        try fixture.source.write("earlier", [1])
        try fixture.source.write("before 1970", [1], modified: -5_000_000_000)
        func set(_ name: String, _ seconds: Int) -> Bool {
            let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
            let path = fixture.source.root.appending(name)
            _ = path.withCString { utimensat(AT_FDCWD, $0, times, 0) }
            var status = stat()
            _ = path.withCString { stat($0, &status) }
            return status.st_mtim.tv_sec == seconds
        }
        let (isFar, isLongAgo) = (set("later", 10_413_792_000), set("earlier", -11_676_096_000))
        try await fixture.push()
        try await fixture.pull()
        func modified(_ name: String) throws -> Int64 {
            try FileStatus(of: fixture.target.root.appending(name)).modified
        }
        if isFar { #expect(try modified("later") == .max) }
        if isLongAgo { #expect(try modified("earlier") < -9_000_000_000_000_000_000) }
        #expect(try modified("before 1970") == -5_000_000_000)
        #expect(try await fixture.pull().saved == 0)
    }
}
