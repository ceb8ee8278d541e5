import Glibc
import Synchronization

/// The work of a pull's children, and the report that they share.
final class PullJobs: Sendable {
    private let vault: any Vault
    private let options: TreeOptions
    private let meter: TransferMeter?
    private let onEvent: @Sendable (TreeEvent) -> Void
    private struct State {
        var report = TreeReport()
        /// Entries that something local stands in the way of, which is going to be removed.
        var blocked: Set<Name> = []
        /// Paths that are left out and have been told of.
        var skipped: Set<LocalPath> = []
        var isLastTry = false
        var hasPartial = false
    }

    /// Held for an entry that is fetched in several stretches at once, for the same reason as in a push.
    private let pipeline = AsyncLock()
    private let state = Mutex(State())
    let stores: StoreGuard

    init(
        vault: any Vault, options: TreeOptions, meter: TransferMeter?, stores: StoreGuard,
        onEvent: @escaping @Sendable (TreeEvent) -> Void
    ) {
        self.vault = vault
        self.stores = stores
        self.options = options
        self.meter = meter
        self.onEvent = onEvent
    }

    var report: TreeReport { state.withLock { $0.report } }
    var isComplete: Bool { state.withLock { $0.report.failed.isEmpty } }

    func fail(_ path: LocalPath, _ error: VaultError) {
        // What ends the pull as a whole is not one file's failure.
        if error.code == .cancelled, Task.isCancelled { return }
        state.withLock { $0.report.failed.append(TreeReport.Failure(path: path, error: error)) }
        onEvent(.failed(path, error))
    }

    /// Counts a failure to write an entry; one that a removal may help against is put off.
    func fail(_ entry: Entry, _ path: LocalPath, _ error: VaultError) {
        let isPutOff = state.withLock { state in
            guard error.code == .exists, options.deletes, options.overwrites, !state.isLastTry else { return false }
            return state.blocked.insert(entry.name).inserted
        }
        if !isPutOff { fail(path, error) }
    }

    /// The entries to try again, now or never.
    func takeBlocked() -> Set<Name> {
        state.withLock { state in
            state.isLastTry = true
            defer { state.blocked = [] }
            return state.blocked
        }
    }

    /// Leaves something out, with a line that says why, once for each path.
    func skip(_ path: LocalPath, _ reason: String) {
        let isFirst = state.withLock { state in
            guard state.skipped.insert(path).inserted else { return false }
            state.report.skipped += 1
            return true
        }
        if isFirst { onEvent(.skipped(path, reason: reason)) }
    }

    /// Whether a large file was broken off, and is there unfinished.
    var hasPartial: Bool { state.withLock { $0.hasPartial } }

    private func noticePartial() { state.withLock { $0.hasPartial = true } }

    /// Removes what is local only.
    func remove(_ extra: [LocalExtra], keeping kept: Set<[UInt8]>, below root: LocalPath) throws(VaultError) {
        var directories = try LocalDirectories(root, makesMissing: false, stores: stores)
        for item in extra {
            let path = root.appending(item.relative)
            do throws(VaultError) {
                if !options.isDryRun {
                    guard try directories.remove(item.relative, isDirectory: item.isDirectory, keeping: kept) else {
                        continue
                    }
                }
                state.withLock { $0.report.removed += 1 }
                onEvent(.removedLocal(path))
            } catch {
                fail(path, error)
            }
        }
    }

    /// Writes the entries of a batch, unless what is there is the same: the small ones together, then the others.
    func write(_ batch: PullBatch) async {
        var small: [(entry: Entry, place: LocalPlace)] = []
        for (entry, place) in batch.entries {
            if Task.isCancelled { return }
            do throws(VaultError) {
                if let kind = try storeKind(of: place, entry) {
                    skip(place.path, "\(TreeWalk.Reason.store(kind))")
                    continue
                }
                meter?.begin(entry.name)
                meter?.expect(entry.size)
                switch try likeness(of: place, to: entry) {
                case .same:
                    state.withLock { $0.report.skipped += 1 }
                    meter?.advance(entry.size, reused: entry.size)
                case .otherAttributes:
                    meter?.advance(entry.size, reused: entry.size)
                    try setAttributes(of: entry, place)
                case .other where options.isDryRun:
                    if let directory = try place.directory?.open() {
                        let writer = LocalWriter(directory: directory, overwrites: options.overwrites)
                        if entry.kind == .directory {
                            try writer.checkRoomForDirectory(place.component, path: place.path)
                        } else {
                            _ = try writer.isSpecial(place.component, path: place.path)
                        }
                    }
                    wouldWrite(entry, place.path)
                case .other:
                    guard let directory = try place.directory?.open() else { continue }
                    let writer = LocalWriter(
                        directory: directory, overwrites: options.overwrites, onPartial: { [self] in noticePartial() })
                    // Nothing is fetched that could not be written.
                    if entry.kind != .directory { _ = try writer.isSpecial(place.component, path: place.path) }
                    if entry.content == .empty {
                        let content = SmallContent(entry: entry, chunk: nil)
                        let attributing = try writer.write(content, as: place.component, path: place.path)
                        finish(entry, place, attributing)
                    } else if entry.isSmall {
                        small.append((entry, place))
                    } else {
                        finish(entry, place, try await replace(entry, place, writer))
                    }
                }
            } catch {
                fail(entry, place.path, error)
            }
        }
        await write(small)
    }

    /// Whether a directory entry stands for the directory of a vault or a server.
    private func storeKind(of place: LocalPlace, _ entry: Entry) throws(VaultError) -> StoreGuard.Kind? {
        guard entry.kind == .directory, let parent = place.directory,
            let directory = try? TreeDirectory(place.component, in: parent)
        else { return nil }
        return try stores.kind(of: directory)
    }

    /// Sets mode and time of what has the entry's content already.
    private func setAttributes(of entry: Entry, _ place: LocalPlace) throws(VaultError) {
        guard let directory = try place.directory?.open() else { return }
        if options.isDryRun, options.overwrites {
            onEvent(.wouldWrite(place.path, entry))
            return state.withLock { $0.report.saved += 1 }
        }
        let writer = LocalWriter(directory: directory, overwrites: options.overwrites)
        let before = try FileStatus(of: place.component, in: directory)
        let isSet = options.overwrites && writer.apply(entry, to: place.component, before, path: place.path) == .set
        let after = try FileStatus(of: place.component, in: directory)
        // A file system with coarse times takes them, and keeps what it has.
        guard isSet, before.mode != after.mode || before.modified != after.modified else {
            return state.withLock { state in
                state.report.skipped += 1
                if options.overwrites, !isSet { state.report.unset += 1 }
            }
        }
        state.withLock { $0.report.saved += 1 }
        onEvent(.wrote(place.path, entry))
    }

    private func write(_ batch: [(entry: Entry, place: LocalPlace)]) async {
        if batch.isEmpty { return }
        let results: [Result<SmallContent, VaultError>]
        do throws(VaultError) {
            // By the listing's snapshot, since a name may be younger than its version.
            results = try await vault.read(
                batch.map { SmallRead(name: $0.entry.name, selector: options.selector, length: Int($0.entry.size)) })
            guard results.count == batch.count else { throw .unanswered }
        } catch {
            for file in batch { fail(file.entry, file.place.path, error) }
            return
        }
        for (file, result) in zip(batch, results) {
            do throws(VaultError) {
                let small = try result.get()
                guard let directory = try file.place.directory?.open() else { continue }
                let attributing = try LocalWriter(directory: directory, overwrites: options.overwrites)
                    .write(small, as: file.place.component, path: file.place.path)
                meter?.advance(small.entry.size)
                finish(file.entry, file.place, attributing)
            } catch {
                fail(file.entry, file.place.path, error)
            }
        }
    }

    private func finish(_ entry: Entry, _ place: LocalPlace, _ attributing: LocalWriter.Attributing) {
        if attributing == .refused { state.withLock { $0.report.unset += 1 } }
        onEvent(.wrote(place.path, entry))
        meter?.finishFile()
        count(written: entry)
    }

    /// Counts what a dry run does not write.
    func wouldWrite(_ entry: Entry, _ path: LocalPath) {
        onEvent(.wouldWrite(path, entry))
        count(written: entry)
    }

    private func count(written entry: Entry) {
        state.withLock { state in
            state.report.saved += 1
            // What a vault says in a listing may be anything.
            state.report.bytes &+= entry.size
            state.report.newBytes &+= entry.size
        }
    }

    private func replace(
        _ entry: Entry, _ place: LocalPlace, _ writer: LocalWriter
    ) async throws(VaultError) -> LocalWriter.Attributing {
        // By the listing's snapshot, since the name may be younger than its version.
        let read = try await vault.openRead(entry.name, options.selector)
        let result: Result<LocalWriter.Attributing, VaultError>
        do throws(VaultError) {
            result = .success(
                try await pipeline.withLock(if: entry.size > Limits.pipelineBytesMin) {
                    () async throws(VaultError) in
                    try await writer.write(
                        read, as: place.component, path: place.path, download: Download(from: vault, meter: meter))
                })
        } catch {
            result = .failure(error)
        }
        await vault.closeRead(read.id)
        return try result.get()
    }

    /// The parts of an entry that are in its place already.
    private enum Likeness {
        case same
        /// The content is there, with another mode or time.
        case otherAttributes
        case other
    }

    private func likeness(of place: LocalPlace, to entry: Entry) throws(VaultError) -> Likeness {
        guard let directory = try place.directory?.open(),
            let status = try? FileStatus(of: place.component, in: directory), status.isSameKind(as: entry)
        else { return .other }
        // A pull gives no special bits and takes none away.
        let isOfMode =
            status.kind == .link || status.mode == entry.restoredMode(over: status.mode)
        if status.kind == .directory { return isOfMode ? .same : .otherAttributes }
        guard status.size == entry.size else { return .other }
        let isOfTime = status.modified == entry.attributes.modified
        // Equal sizes and times stand for equal content, as in a push.
        if status.kind != .file || options.checksum || !isOfTime {
            let content = try? LocalDigest.content(
                place.path, at: directory, component: place.component, status: status)
            if Task.isCancelled { throw .cancelled }
            guard content == entry.content else { return .other }
        }
        return isOfMode && isOfTime ? .same : .otherAttributes
    }
}

/// Entries to be written together: many small ones, or one that is not.
struct PullBatch: Sendable {
    private(set) var entries: [(Entry, LocalPlace)] = []
    private var bytes: UInt64 = 0

    mutating func add(_ entry: Entry, _ place: LocalPlace) {
        entries.append((entry, place))
        bytes &+= entry.size
    }

    var isFull: Bool { entries.count >= Limits.batchFilesMax || bytes >= UInt64(Limits.batchBytesMax) }

    mutating func take() -> PullBatch {
        defer { self = PullBatch() }
        return self
    }
}

/// Something local that the vault does not have.
struct LocalExtra: Sendable {
    var relative: [UInt8]
    var isDirectory: Bool
}
