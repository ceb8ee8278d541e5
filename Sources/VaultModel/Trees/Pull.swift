/// Mirrors a prefix of a vault into a local directory.
package struct Pull: Sendable {
    private let vault: any Vault
    private let options: TreeOptions
    private let meter: TransferMeter?
    private let onEvent: @Sendable (TreeEvent) -> Void

    package init(
        from vault: any Vault, options: TreeOptions, meter: TransferMeter? = nil,
        onEvent: @escaping @Sendable (TreeEvent) -> Void = { _ in }
    ) {
        self.vault = vault
        self.options = options
        self.meter = meter
        self.onEvent = onEvent
    }

    /// Writes what differs under `prefix` below the directory `root`, which is made where it is missing;
    /// removes what the vault does not have, if asked to.
    ///
    /// Every entry is tried; nothing is removed when one fails. Links below `root` are never followed.
    /// A prefix that is a file or link is written under its last part.
    ///
    /// - Throws: what ends the whole pull, such as `notFound` for a prefix with nothing under it;
    ///   `invalid` for removals that go with a single file; `conflict` for more removals than allowed,
    ///   before any of them.
    package func run(_ prefix: NamePrefix, _ root: LocalPath) async throws(VaultError) -> TreeReport {
        try options.filter.check(below: root)
        let first = try await vault.list(ListQuery(prefix: prefix, selector: options.selector, limit: 1))
        try check(first.entries.first, prefix)
        let stores = StoreGuard([vault])
        try stores.check(root)
        if !options.isDryRun { try LocalDirectories.make(root, mode: 0o700, modeAbove: 0o700) }
        let mark = options.isDryRun ? nil : PullMark(root)
        // The first page pins the snapshot that the rest, and the removals, are of.
        var options = options
        if let next = first.next { options.selector = next.selector }
        let jobs = PullJobs(vault: vault, options: options, meter: meter, stores: stores, onEvent: onEvent)
        do throws(VaultError) {
            try await mirror(prefix, root, options, jobs)
        } catch {
            mark?.end(stores, isInterrupted: error.isInterruption, hasPartial: jobs.hasPartial)
            throw error
        }
        var report = jobs.report
        let isInterrupted = report.failed.contains { $0.error.isInterruption }
        mark?.end(stores, isInterrupted: isInterrupted, hasPartial: jobs.hasPartial)
        report.unmatched = options.filter.unmatched
        return report
    }

    private func mirror(
        _ prefix: NamePrefix, _ root: LocalPath, _ options: TreeOptions, _ jobs: PullJobs
    ) async throws(VaultError) {
        try await write(prefix, root, options, jobs)
        if options.deletes {
            if jobs.isComplete { try await removeExtra(prefix, root, options, jobs) }
            // What was in the way is removed now, or the failure is told.
            let blocked = jobs.takeBlocked()
            if !blocked.isEmpty { try await write(prefix, root, options, jobs, only: blocked) }
        }
    }

    private func check(_ first: Entry?, _ prefix: NamePrefix) throws(VaultError) {
        guard let first else {
            if let top = prefix.top {
                throw VaultError(.notFound, "The vault holds nothing under '\(top)'.", name: top)
            }
            if !options.deletes { return }
            throw VaultError(.notFound, "The vault holds nothing: nothing was removed.")
        }
        if options.deletes, first.name == prefix.top, first.kind != .directory {
            throw VaultError(
                .invalid, "'\(first.name)' is a \(first.kind) and no tree: nothing can be removed along with it.",
                name: first.name)
        }
    }

    private func write(
        _ prefix: NamePrefix, _ root: LocalPath, _ options: TreeOptions, _ jobs: PullJobs, only names: Set<Name>? = nil
    ) async throws(VaultError) {
        var entries = EntryStream(vault, ListQuery(prefix: prefix, selector: options.selector))
        var directories = try LocalDirectories(root, makesMissing: !options.isDryRun, stores: jobs.stores)
        let failure: VaultError? = await withTaskGroup(of: Void.self) { group in
            do throws(VaultError) {
                var batch = PullBatch()
                var running = 0
                while let entry = try await entries.next() {
                    if Task.isCancelled { throw .cancelled }
                    guard names?.contains(entry.name) ?? true, let path = path(of: entry, prefix, options) else {
                        continue
                    }
                    if options.isDryRun, names != nil, jobs.isComplete {
                        jobs.wouldWrite(entry, root.appending(path))
                        continue
                    }
                    let place: LocalPlace
                    do throws(VaultError) {
                        place = try directories.place(of: path)
                    } catch {
                        jobs.fail(entry, root.appending(path), error)
                        continue
                    }
                    if let store = place.store {
                        jobs.skip(store.path, "\(TreeWalk.Reason.store(store.kind))")
                        continue
                    }
                    batch.add(entry, place)
                    guard batch.isFull else { continue }
                    if running >= max(1, options.concurrency) {
                        await group.next()
                        running -= 1
                    }
                    running += 1
                    let full = batch.take()
                    group.addTask { await jobs.write(full) }
                }
                let rest = batch.take()
                group.addTask { await jobs.write(rest) }
                return nil
            } catch {
                group.cancelAll()
                return error
            }
        }
        if let failure { throw failure }
        if Task.isCancelled { throw .cancelled }
    }

    /// Where an entry goes below the root; nil for one that takes no part.
    private func path(of entry: Entry, _ prefix: NamePrefix, _ options: TreeOptions) -> [UInt8]? {
        let relative = prefix.relativePath(of: entry.name)
        if relative.isEmpty {
            // An empty directory at the top is the root itself.
            return entry.kind == .directory ? nil : entry.name.lastPathPart
        }
        return options.filter.takesAlone(relative, isDirectory: entry.kind == .directory) ? relative : nil
    }

    private func removeExtra(
        _ prefix: NamePrefix, _ root: LocalPath, _ options: TreeOptions, _ jobs: PullJobs
    ) async throws(VaultError) {
        if options.isDryRun, (try? FileStatus(of: root, followsLinks: true)) == nil { return }
        var join = try TreeJoin(vault, root, prefix, options)
        var extra: [LocalExtra] = []
        var kept: Set<[UInt8]> = []
        while let pair = try await join.next() {
            switch pair {
            case .both(let local, let entry):
                // A directory gives way to a file, and the other way round.
                let isDirectory = local.status.kind == .directory
                if isDirectory == (entry.kind == .directory) { continue }
                extra.append(LocalExtra(relative: local.relative, isDirectory: isDirectory))
            case .local(let local, _):
                extra.append(LocalExtra(relative: local.relative, isDirectory: local.status.kind == .directory))
            case .vault(let entry):
                if entry.kind == .directory { kept.insert(prefix.relativePath(of: entry.name)) }
            case .failed(let path, let error):
                return jobs.fail(path, error)
            case .skipped:
                break
            }
        }
        if let max = options.deleteMax, extra.count > max {
            throw VaultError(
                .conflict, "\(extra.count) files would be removed, and \(max) may be: nothing was removed.")
        }
        if Task.isCancelled { throw .cancelled }
        try jobs.remove(extra, keeping: kept, below: root)
    }
}
