import Synchronization

/// The work of a push's children, and the report that they share.
final class PushJobs: Sendable {
    private struct State {
        var report = TreeReport()
        /// Saves that failed because names below them, or above, are still there.
        var blocked: Set<Name> = []
        var isLastTry = false
        /// Whether the vault has no room for more.
        var isFull = false
    }

    private let vault: any Vault
    private let options: TreeOptions
    private let meter: TransferMeter?
    private let onEvent: @Sendable (TreeEvent) -> Void
    /// Locked for a file that has a pipeline of its own, so that a push has no more in memory than a save.
    private let pipeline = AsyncLock()
    private let state = Mutex(State())

    init(
        vault: any Vault, options: TreeOptions, meter: TransferMeter?,
        onEvent: @escaping @Sendable (TreeEvent) -> Void
    ) {
        self.vault = vault
        self.options = options
        self.meter = meter
        self.onEvent = onEvent
    }

    var report: TreeReport { state.withLock { $0.report } }
    var isReadComplete: Bool { state.withLock { $0.report.failed.isEmpty } }
    /// Whether a file did not fit: others would fail alike.
    var isVaultFull: Bool { state.withLock { $0.isFull } }

    func count(skipped: Int) {
        state.withLock { $0.report.skipped += skipped }
    }

    /// Leaves something out, with a line that says why.
    func skip(_ path: LocalPath, _ reason: String) {
        count(skipped: 1)
        onEvent(.skipped(path, reason: reason))
    }

    func count(unchanged file: TreeEntry) {
        count(skipped: 1)
        meter?.expect(file.contentSize)
        meter?.advance(file.contentSize, reused: file.contentSize)
    }

    func fail(_ path: LocalPath, _ error: VaultError) {
        state.withLock { $0.report.failed.append(TreeReport.Failure(path: path, error: error)) }
        onEvent(.failed(path, error))
    }

    /// Saves the files of a batch: the small ones together, then the others.
    func save(_ batch: Batch) async throws(VaultError) {
        var small: [(TreeEntry, SmallSave)] = []
        var large: [(TreeEntry, Name)] = []
        for item in batch.files {
            let (file, name) = (item.local, item.name)
            do throws(VaultError) {
                if options.isDryRun {
                    try look(at: item)
                    continue
                }
                meter?.expect(file.contentSize)
                meter?.begin(name)
                if let save = try makeSmallSave(of: file, name) {
                    meter?.correct(file.contentSize, to: save.content.size)
                    small.append((file, save))
                } else {
                    large.append((file, name))
                }
            } catch {
                fail(file, error)
            }
        }
        try await save(small)
        for (file, name) in large { try await saveLarge(file, name) }
    }

    /// Finds out what a run that is not dry would do.
    private func look(at item: Batch.File) throws(VaultError) {
        let file = item.local
        let isSame: Bool
        if let current = item.current, file.wouldEqual(current, tags: options.tags) {
            // Its times tell nothing for sure, so a run would read it, and find this.
            isSame = try LocalDigest.content(file) == current.content
        } else {
            if file.status.kind == .file { _ = try open(file) }
            isSame = false
        }
        if isSame { return count(unchanged: file) }
        state.withLock { state in
            state.report.saved += 1
            state.report.bytes += file.contentSize
        }
        onEvent(.wouldSave(file.path, item.name))
    }

    /// Counts a failure to read a file. One that is gone since the walk is none.
    private func fail(_ file: TreeEntry, _ error: VaultError) {
        guard error.code == .notFound, file.isGone else { return fail(file.path, error) }
        if !options.isDryRun { meter?.correct(file.contentSize, to: 0) }
        skip(file.path, "vanished before it was read")
    }

    private func open(_ file: TreeEntry) throws(VaultError) -> OpenFile {
        try LocalReader.open(file.path, at: file.directory.open(), component: file.component)
    }

    private func makeSmallSave(of file: TreeEntry, _ name: Name) throws(VaultError) -> SmallSave? {
        var save: SmallSave?
        switch file.status.kind {
        case .directory: save = LocalReader.directory(as: name, status: file.status)
        case .link:
            save = try LocalReader.link(
                file.path, at: file.directory.open(), component: file.component, as: name, status: file.status)
        case .file where file.status.size <= UInt64(Limits.smallFileBytesMax):
            save = try LocalReader.small(open(file), as: name, isStrict: options.isStrict)
        case .file: return nil
        case .other: throw VaultError(.invalid, "'\(file.path)' is a socket, a pipe or a device.", path: file.path)
        }
        save?.intent.tags = options.tags
        return save
    }

    private func save(_ saves: [(TreeEntry, SmallSave)]) async throws(VaultError) {
        if saves.isEmpty { return }
        let results: [Result<SaveOutcome, VaultError>]
        do throws(VaultError) {
            results = try await vault.save(saves.map(\.1))
        } catch  where error.code == .quota {
            results = saves.map { _ in .failure(error) }
        }
        guard results.count == saves.count else { throw .unanswered }
        for ((file, save), result) in zip(saves, results) {
            if case .success(let outcome) = result {
                let size = save.content.size
                meter?.advance(size, reused: size - min(outcome.newBytes, size))
            }
            finish(file, save.intent.name, result)
        }
    }

    private func saveLarge(_ file: TreeEntry, _ name: Name) async throws(VaultError) {
        let result: Result<SaveOutcome, VaultError>
        do throws(VaultError) {
            result = .success(
                try await pipeline.withLock(if: file.status.size > Limits.pipelineBytesMin) {
                    () async throws(VaultError) in
                    try await FileSave(to: vault, meter: meter, isStrict: options.isStrict)
                        .saveLarge(open(file), as: name, tags: options.tags)
                })
        } catch {
            // These are the vault's or the user's, not this file's.
            if [.cancelled, .unavailable, .internal].contains(error.code), error.path == nil { throw error }
            result = .failure(error)
        }
        finish(file, name, result)
    }

    private func finish(_ file: TreeEntry, _ name: Name, _ result: Result<SaveOutcome, VaultError>) {
        switch result {
        case .success(let outcome):
            meter?.finishFile()
            state.withLock { state in
                if outcome.isCreated { state.report.saved += 1 } else { state.report.skipped += 1 }
                if outcome.isCreated { state.report.bytes &+= outcome.entry.size }
                state.report.newBytes &+= outcome.newBytes
                if outcome.entry.isChangedWhileRead { state.report.changed += 1 }
            }
            onEvent(.saved(file.path, outcome))
        case .failure(let error):
            if error.code == .quota { state.withLock { $0.isFull = true } }
            let isPutOff = state.withLock { state in
                guard options.deletes, error.code == .exists, !state.isLastTry else { return false }
                return state.blocked.insert(name).inserted
            }
            if isPutOff { return }
            // An empty directory here may well have names below it in the vault.
            if file.status.kind == .directory, error.code == .exists { return count(skipped: 1) }
            fail(file, error)
        }
    }

    /// The saves to try again, now or never.
    func takeBlocked() -> Set<Name> {
        state.withLock { state in
            state.isLastTry = true
            defer { state.blocked = [] }
            return state.blocked
        }
    }

    /// Removes names from the vault.
    func remove(
        _ gone: [GoneNames.Version], _ root: LocalPath, _ prefix: NamePrefix
    ) async throws(VaultError) {
        for start in stride(from: 0, to: gone.count, by: Limits.pageEntries) {
            let page = Array(gone[start..<min(start + Limits.pageEntries, gone.count)])
            // With its version, a name that has become a directory meanwhile does not take along what is in it.
            let results: [Result<ChangeOutcome, VaultError>] =
                options.isDryRun
                ? page.map { _ in .success(ChangeOutcome(count: 1, entry: nil)) }
                : try await vault.change(page.map { .remove(NamePrefix($0.name), ifVersion: $0.version) })
            guard results.count == page.count else { throw .unanswered }
            for (item, result) in zip(page, results) {
                if case .failure(let error) = result {
                    // Gone already is as good as removed, and what has come since is somebody else's.
                    if error.code == .notFound || error.code == .conflict { continue }
                    fail(root.appending(prefix.relativePath(of: item.name)), error.about(item.name))
                    continue
                }
                state.withLock { $0.report.removed += 1 }
                onEvent(.removed(item.name))
            }
        }
    }
}

extension TreeEntry {
    /// Bytes of content, as far as they are known before it is read.
    var contentSize: UInt64 { status.kind == .directory ? 0 : status.size }

    /// Whether the file has vanished since the walk.
    var isGone: Bool {
        do throws(VaultError) {
            _ = try FileStatus(of: component, in: directory.open())
            return false
        } catch {
            return error.code == .notFound
        }
    }

    /// Whether a save of this file would make a version that equals `entry`, if the content is the same.
    fileprivate func wouldEqual(_ entry: Entry, tags: [TagText: TagText]) -> Bool {
        status.isSameKind(as: entry) && status.size == entry.size && status.mode == entry.attributes.mode
            && (entry.isChangedWhileRead || status.modified == entry.attributes.modified)
            && tags.allSatisfy { entry.tags[$0.key] == $0.value }
    }
}
