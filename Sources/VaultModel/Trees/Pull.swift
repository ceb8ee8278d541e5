import Glibc
import Synchronization

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
    /// Every entry is tried. Links below `root` are never followed.
    ///
    /// - Throws: what ends the whole pull, such as `notFound` for a prefix with nothing under it, or
    ///   `conflict` for more removals than allowed, before any of them.
    package func run(_ prefix: NamePrefix, _ root: LocalPath) async throws(VaultError) -> TreeReport {
        let report = Mutex(TreeReport())
        let first = try await vault.list(ListQuery(prefix: prefix, selector: options.selector, limit: 1))
        if first.entries.isEmpty, let top = prefix.top {
            throw VaultError(.notFound, "The vault holds nothing under '\(top)'.", name: top)
        }
        if !options.isDryRun { try LocalDirectories.make(root) }
        // The first page pins the snapshot that the rest, and the removals, are of.
        var options = options
        if let next = first.next { options.selector = next.selector }
        let directories = try LocalDirectories(root, isDryRun: options.isDryRun)
        try await write(prefix, directories, options, report)
        if options.deletes, report.withLock({ $0.failed.isEmpty }) {
            try await removeExtra(prefix, root, options, report)
        }
        return report.withLock { $0 }
    }

    private func write(
        _ prefix: NamePrefix, _ directories: LocalDirectories, _ options: TreeOptions,
        _ report: borrowing Mutex<TreeReport>
    ) async throws(VaultError) {
        var entries = EntryStream(vault, ListQuery(prefix: prefix, selector: options.selector))
        let jobs = PullJobs(vault: vault, options: options, meter: meter, onEvent: onEvent)
        var directories = directories
        let failure: VaultError? = await withTaskGroup(of: Void.self) { group in
            do throws(VaultError) {
                var running = 0
                while let entry = try await entries.next() {
                    if Task.isCancelled { throw .cancelled }
                    let relative = prefix.relativePath(of: entry.name)
                    let path = relative.isEmpty ? entry.name.lastPathPart : relative
                    guard relative.isEmpty || options.filter.takesAlone(relative, isDirectory: entry.kind == .directory)
                    else { continue }
                    let place: LocalPlace
                    do throws(VaultError) {
                        place = try directories.place(of: path)
                    } catch {
                        jobs.fail(directories.root.appending(path), error)
                        continue
                    }
                    if running >= options.concurrency {
                        await group.next()
                        running -= 1
                    }
                    running += 1
                    group.addTask { await jobs.write(entry, to: place) }
                }
                return nil
            } catch {
                group.cancelAll()
                return error
            }
        }
        if let failure { throw failure }
        if Task.isCancelled { throw .cancelled }
        let done = jobs.report
        report.withLock { $0 = done }
    }

    private func removeExtra(
        _ prefix: NamePrefix, _ root: LocalPath, _ options: TreeOptions, _ report: borrowing Mutex<TreeReport>
    ) async throws(VaultError) {
        var join = try TreeJoin(vault, root, prefix, options)
        var extra: [TreeEntry] = []
        while let pair = try await join.next() {
            switch pair {
            case .local(let entry, _): extra.append(entry)
            case .failed(let path, let error):
                report.withLock { $0.failed.append(TreeReport.Failure(path: path, error: error)) }
                return onEvent(.failed(path, error))
            case .both, .vault, .skipped: break
            }
        }
        if let max = options.deleteMax, extra.count > max {
            throw VaultError(
                .conflict, "\(extra.count) files would be removed, and \(max) may be: nothing was removed.")
        }
        for entry in extra {
            do throws(VaultError) {
                if !options.isDryRun { try LocalDirectories.remove(entry, below: root) }
                report.withLock { $0.removed += 1 }
                onEvent(.removedLocal(entry.path))
            } catch {
                report.withLock { $0.failed.append(TreeReport.Failure(path: entry.path, error: error)) }
                onEvent(.failed(entry.path, error))
            }
        }
    }
}
