import Glibc
import Synchronization
import TestSupport
import Testing

@testable import VaultModel

/// Files that change or vanish while they are pushed.
@Suite struct PushMotionTests {
    private func jobs(_ fixture: TreeFixture, _ log: EventLog, isDryRun: Bool = false) -> PushJobs {
        var options = TreeOptions()
        options.isDryRun = isDryRun
        return PushJobs(vault: fixture.vault, options: options, meter: TransferMeter()) { log($0) }
    }

    @Test func whatVanishesAfterTheWalkIsALineAndNoFailure() async throws {
        for isDryRun in [false, true] {
            let fixture = try await TreeFixture()
            try fixture.source.write("a", [1])
            try fixture.source.write("d/large", randomBytes(1 << 20, seed: 1))
            try fixture.source.makeLink("link", to: "a")
            try fixture.source.write("stays", [2])
            var walk = try TreeWalk(fixture.source.root)
            var batch = Batch()
            while case .entry(let entry)? = walk.next() { batch.add(entry, try Name(pathBytes: entry.relative)) }
            for gone in ["a", "d", "link"] { fixture.source.remove(gone) }
            let log = EventLog()
            let jobs = jobs(fixture, log, isDryRun: isDryRun)
            try await jobs.save(batch)
            #expect(jobs.report.failed.isEmpty && jobs.isReadComplete)
            let isLinkRead = !isDryRun
            #expect((jobs.report.saved, jobs.report.skipped) == (isLinkRead ? 1 : 2, isLinkRead ? 3 : 2))
            #expect(log.all.contains("skipped a") && log.all.contains("skipped large"))
        }
    }

    @Test func aTreeThatHoldsNothingEmptiesNoPrefix() async throws {
        for isDryRun in [false, true] {
            let fixture = try await TreeFixture()
            try fixture.source.write("a", [1])
            try await fixture.push()
            fixture.source.remove("a")
            // An unmounted disk may well have left its mount point, and a pipe beside it.
            try fixture.source.makePipe("pipe")
            let code = await eventualCode { try await fixture.push { ($0.deletes, $0.isDryRun) = (true, isDryRun) } }
            #expect(code == .notFound)
            #expect(try await fixture.entry("a") != nil)
            // Where nothing would be removed, there is nothing to refuse.
            #expect(try await fixture.push("other") { $0.deletes = true }.removed == 0)
        }
    }

    /// A push with removals, during which the tree is changed once something has been saved.
    private func push(_ fixture: TreeFixture, _ change: @escaping @Sendable () throws -> Void) async throws {
        let vault = RecordingVault(fixture.vault) { (call) async throws(VaultError) in
            if case .save = call { try await mappingErrors { try change() } }
        }
        try await fixture.push(to: vault) { $0.deletes = true }
    }

    @Test func nothingIsRemovedForARootThatIsReplacedMeanwhile() async throws {
        for isReplaced in [false, true] {
            let fixture = try await TreeFixture()
            for name in ["a", "b", "c"] { try fixture.source.write(name, [1]) }
            try await fixture.push()
            fixture.source.remove("b")
            try fixture.source.write("new", [1])
            let root = fixture.source.root
            let code = await eventualCode {
                try await push(fixture) {
                    _ = root.withCString { root in "\(fixture.source.root).old".withCString { rename(root, $0) } }
                    if isReplaced { _ = root.withCString { mkdir($0, 0o755) } }
                }
            }
            #expect(code == .conflict)
            for name in ["a", "b"] { #expect(try await fixture.entry(name) != nil) }
        }
    }

    @Test func whatComesBackDuringThePushIsNotRemoved() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "b", "d/c", "e/f"] { try fixture.source.write(name, [1]) }
        try await fixture.push()
        for name in ["b", "d", "e"] { fixture.source.remove(name) }
        try fixture.source.write("new", [1])
        try fixture.source.makeLink("e", to: "d")
        try await push(fixture) {
            try fixture.source.write("b", [2])
            try fixture.source.write("d/f", [2])
        }
        #expect(try await fixture.entry("b") != nil)
        for name in ["d/c", "e/f"] { #expect(try await fixture.entry(name) == nil) }
    }

    /// A vault that changes the source's large file whenever chunks of it are offered.
    private func changing(_ fixture: TreeFixture, times: Int = .max) -> RecordingVault {
        let path = fixture.source.root.appending("large")
        let left = Mutex(times)
        return RecordingVault(fixture.vault) { (call) async throws(VaultError) in
            guard case .offer = call,
                left.withLock({
                    $0 -= 1
                    return $0 >= 0
                })
            else { return }
            let file = try OpenFile(path, flags: O_WRONLY | O_APPEND)
            try BufferSlice(copying: [7]).withUnsafeBytes { (bytes) throws(VaultError) in try file.append(bytes) }
        }
    }

    @Test func aFileThatKeepsChangingIsSavedAsItWasRead() async throws {
        let fixture = try await TreeFixture()
        let bytes = randomBytes(48 << 20, seed: 1)
        try fixture.source.write("large", bytes, modified: 1_000)
        try fixture.source.write("other", [1])
        let report = try await fixture.push(to: changing(fixture)) { $0.deletes = true }
        #expect((report.saved, report.failed.count, report.changed) == (2, 0, 1))
        let saved = try #require(try await fixture.entry("large"))
        #expect(saved.tags == [.changed: .whileRead] && saved.size >= UInt64(bytes.count))
        #expect(saved.attributes.origin == nil)
        #expect(try await fixture.entry("other")?.tags == [:])
    }

    @Test func aFileThatChangesOnceIsReadOnceMore() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("large", randomBytes(48 << 20, seed: 1))
        let report = try await fixture.push(to: changing(fixture, times: 1))
        #expect((report.saved, report.failed.count, report.changed) == (1, 0, 0))
        let saved = try #require(try await fixture.entry("large"))
        #expect(saved.size == UInt64(48 << 20) + 1 && saved.tags.isEmpty)
    }

    @Test func aStrictPushFailsForIt() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("large", randomBytes(48 << 20, seed: 1))
        let report = try await fixture.push(to: changing(fixture)) { $0.isStrict = true }
        #expect(report.failed.map(\.error.code) == [.conflict])
        #expect(try await fixture.entry("large") == nil)
    }

    @Test func theNextPushReadsItAgainAndTakesTheMarkAwayWithoutAVersion() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("large", randomBytes(48 << 20, seed: 1))
        try await fixture.push(to: changing(fixture)) { $0.tags = ["k": "v"] }
        // The file is now what was read, but for the bytes of the last change.
        let marked = try #require(try await fixture.entry("large"))
        _ = try fixture.source.root.appending("large").withCString { path in
            try retrying("cut", fixture.source.root) { truncate(path, off_t(marked.size)) }
        }
        let dry = try await fixture.push { $0.isDryRun = true }
        #expect((dry.saved, dry.skipped) == (0, 1))
        let report = try await fixture.push()
        #expect((report.saved, report.skipped, report.changed) == (0, 1, 0))
        let settled = try #require(try await fixture.entry("large"))
        #expect(settled.version == marked.version && settled.tags == ["k": "v"])
        let status = try FileStatus(of: fixture.source.root.appending("large"))
        #expect(settled.attributes.modified == status.modified)
        // A later change makes a version of its own, without the mark.
        try fixture.source.write("large", randomBytes(48 << 20, seed: 2))
        try await fixture.push()
        #expect(try await fixture.entry("large")?.tags == ["k": "v"])
    }

    @Test func smallFilesThatKeepChangingAreSavedToo() async throws {
        let directory = try TemporaryDirectory()
        let path = directory("log")
        let tree = try LocalTree(directory.path)
        try tree.write("log", [UInt8](repeating: 1, count: 100_000))
        let isOver = Shared(false)
        var writer = pthread_t()
        let context = Unmanaged.passRetained(Appender(path, isOver))
        pthread_create(&writer, nil, { Appender.run($0) }, context.toOpaque())
        defer {
            isOver.change { $0 = true }
            pthread_join(writer, nil)
            context.release()
        }
        // Each look finds the file changed sooner or later; what is read is whole as far as it goes.
        let save = try await BlockingExecutor.run { () async throws(VaultError) in
            var save: SmallSave?
            for _ in 0..<100_000 where save?.intent.changedWhileRead != true {
                save = try LocalReader.small(LocalReader.open(path), as: Name("log"))
            }
            return save
        }
        let intent = try #require(save).intent
        #expect(intent.changedWhileRead && intent.attributes.origin == nil)
    }

    @Test func filesThatTellNoSizeAreSavedByWhatTheyGive() async throws {
        let fixture = try await TreeFixture()
        for path in ["/proc/version", "/proc/filesystems"] {
            let file = try OpenFile(LocalPath(path), flags: O_RDONLY)
            let buffer = Buffer(byteCount: 100_000)
            let count = try file.read(into: buffer.memory)
            let outcome = try await FileSave(to: fixture.vault).save(LocalPath(path), as: Name("version"))
            #expect(count > 0 && outcome.entry.size == UInt64(count))
            #expect(
                try await ContentRead(from: fixture.vault).read(Name("version"), .current)
                    == Array(buffer.memory[..<count]))
        }
    }
}

/// Appends to a file until it is told to stop, from a thread of its own.
private final class Appender: Sendable {
    private let path: LocalPath
    private let isOver: Shared<Bool>

    init(_ path: LocalPath, _ isOver: Shared<Bool>) {
        self.path = path
        self.isOver = isOver
    }

    static func run(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let context else { return nil }
        let appender = Unmanaged<Appender>.fromOpaque(context).takeUnretainedValue()
        while !appender.isOver.value {
            if let file = try? OpenFile(appender.path, flags: O_WRONLY | O_APPEND) {
                // It stays small, however long it takes until a look finds it changed.
                if let size = try? file.status.size, size > 200_000 { try? file.resize(to: 100_000) }
                try? BufferSlice(copying: [2]).withUnsafeBytes { (bytes) throws(VaultError) in try file.append(bytes) }
            }
        }
        return nil
    }
}
