/// Mirrors a local tree into a vault.
package struct Push: Sendable {
    private let vault: any Vault
    private let options: TreeOptions
    private let meter: TransferMeter?
    private let onEvent: @Sendable (TreeEvent) -> Void

    package init(
        to vault: any Vault, options: TreeOptions, meter: TransferMeter? = nil,
        onEvent: @escaping @Sendable (TreeEvent) -> Void = { _ in }
    ) {
        self.vault = vault
        self.options = options
        self.meter = meter
        self.onEvent = onEvent
    }

    /// Saves what is new or changed under `root` below `prefix`; removes what is gone, if asked to.
    ///
    /// Every file is tried, until one does not fit the vault's quota. Nothing is removed when anything of the tree could
    /// not be read.
    ///
    /// - Throws: what ends the whole push: the root cannot be opened, the vault fails as a whole, `notFound` for removals
    ///   that go with a tree that holds nothing, or `conflict` for more removals than allowed and for a root that was
    ///   replaced, before any of them.
    package func run(_ root: LocalPath, _ prefix: NamePrefix) async throws(VaultError) -> TreeReport {
        try options.filter.check(below: root)
        var join = try TreeJoin(vault, root, prefix, options)
        let jobs = PushJobs(vault: vault, options: options, meter: meter, onEvent: onEvent)
        var gone = GoneNames()
        var isEmpty = true
        try await mappingErrors {
            try await withThrowingTaskGroup(of: Void.self) { group in
                var queue = JobQueue(limit: options.concurrency)
                var batch = Batch()
                var held = HeldFiles()
                while !jobs.isVaultFull, let pair = try await join.next() {
                    try Task.checkCancellation()
                    if let name = pair.name { for file in held.take(before: name) { batch.add(file.local, file.name) } }
                    if pair.hasLocal { isEmpty = false }
                    switch pair {
                    case .both(let local, let entry) where isUnchanged(local, entry):
                        jobs.count(unchanged: local)
                    case .both(let local, let entry):
                        batch.add(local, entry.name, over: entry)
                    case .local(let local, let name):
                        // What a directory has replaced goes once something in the directory is saved.
                        let replaced = gone.takeReplaced(by: name)
                        if !replaced.isEmpty { try await jobs.remove(replaced, root, prefix) }
                        if options.isDryRun, !options.deletes, local.status.kind != .directory {
                            held.add(local, name)
                        } else {
                            batch.add(local, name)
                        }
                    case .vault(let entry):
                        for file in held.take(above: entry.name) {
                            jobs.fail(file.local.path, .namesBelow(file.name))
                        }
                        let path = root.appending(prefix.relativePath(of: entry.name))
                        gone.add(entry, isReplaced: (try? FileStatus(of: path))?.kind == .directory)
                    case .skipped(let path, let reason):
                        jobs.skip(path, "\(reason)")
                    case .failed(let path, let error):
                        jobs.fail(path, error)
                    }
                    if batch.isFull {
                        try await queue.add(&group, batch.take(), jobs)
                    }
                }
                for file in held.takeAll() { batch.add(file.local, file.name) }
                try await queue.add(&group, batch.take(), jobs)
                try await queue.drain(&group)
            }
        }
        if options.deletes {
            // A tree that is not what it was meant to be, such as a disk that is not mounted, must not empty the vault.
            if isEmpty, !gone.all.isEmpty {
                throw VaultError(
                    .notFound, "'\(root)' holds nothing to save: nothing was removed. 'minivault remove' removes all.",
                    path: root)
            }
            try await removeGone(gone.all, root, prefix, jobs, join.walk)
            try await saveBlocked(root, prefix, jobs)
        }
        var report = jobs.report
        report.unmatched = options.filter.unmatched
        return report
    }

    private func isUnchanged(_ local: TreeEntry, _ entry: Entry) -> Bool {
        if local.status.kind == .directory, entry.kind == .directory {
            return local.status.mode == entry.attributes.mode
        }
        // Tags that others have set do not make a file a changed one.
        return !options.checksum && local.status.isSameKind(as: entry) && local.status.isUnchanged(since: entry)
            && options.tags.allSatisfy { entry.tags[$0.key] == $0.value }
    }

    private func removeGone(
        _ gone: [GoneNames.Version], _ root: LocalPath, _ prefix: NamePrefix, _ jobs: PushJobs, _ walk: TreeWalk
    ) async throws(VaultError) {
        guard jobs.isReadComplete else { return }
        if !gone.isEmpty { try walk.checkRoot() }
        // What a move has put into its place meanwhile is not gone.
        var absent: [GoneNames.Version] = []
        for version in gone {
            let relative = prefix.relativePath(of: version.name)
            do throws(VaultError) {
                if try !Push.isFile(relative, below: root) { absent.append(version) }
            } catch {
                return jobs.fail(root.appending(relative), error)
            }
        }
        let gone = absent
        if let max = options.deleteMax, gone.count > max {
            throw VaultError(
                .conflict, "\(gone.count) names would be removed, and \(max) may be: nothing was removed.")
        }
        if Task.isCancelled { throw .cancelled }
        try await jobs.remove(gone, root, prefix)
    }

    /// Whether a file or a link is at a path below the root, with no link on the way.
    private static func isFile(_ relative: [UInt8], below root: LocalPath) throws(VaultError) -> Bool {
        for end in relative.indices where relative[end] == slash {
            guard try kind(Array(relative[..<end]), below: root) == .directory else { return false }
        }
        return try [.file, .link].contains(kind(relative, below: root))
    }

    /// What is at a path below the root; nil for nothing, and for a path that no file can have.
    private static func kind(_ relative: [UInt8], below root: LocalPath) throws(VaultError) -> FileStatus.Kind? {
        do throws(VaultError) {
            return try FileStatus(of: root.appending(relative)).kind
        } catch  where [.notFound, .invalid].contains(error.code) {
            return nil
        }
    }

    /// Tries again what names stood in the way of that are removed now, or tells the failure.
    private func saveBlocked(
        _ root: LocalPath, _ prefix: NamePrefix, _ jobs: PushJobs
    ) async throws(VaultError) {
        let blocked = jobs.takeBlocked()
        if blocked.isEmpty { return }
        var walk = try TreeWalk(root, filter: options.filter, stores: StoreGuard([vault]))
        var batch = Batch()
        while let item = walk.next() {
            if Task.isCancelled { throw .cancelled }
            guard case .entry(let entry) = item, let name = try? prefix.name(ofPath: entry.relative),
                blocked.contains(name)
            else { continue }
            batch.add(entry, name)
            if batch.isFull { try await jobs.save(batch.take()) }
        }
        try await jobs.save(batch)
    }
}

/// The names of the vault that the tree no longer has.
struct GoneNames {
    /// A name with the version that goes: a later one, or what has come below it, stays.
    struct Version: Sendable {
        var name: Name
        var version: UInt64
    }

    /// Those that nothing replaces.
    private var gone: [Version] = []
    /// Those where the tree has a directory now, of which nothing has been saved yet. The walk comes to
    /// the directory soon, so there are few.
    private var replaced: [(version: Version, isDirectory: Bool)] = []

    /// All names to remove, once the whole tree has been walked.
    var all: [Version] { (gone + replaced.map(\.version)).sorted { $0.name < $1.name } }

    mutating func add(_ entry: Entry, isReplaced: Bool) {
        let version = Version(name: entry.name, version: entry.version)
        if isReplaced { replaced.append((version, entry.kind == .directory)) } else { gone.append(version) }
    }

    /// Takes what has to go before `name`, which is below it, is saved; names come in their order.
    ///
    /// An empty directory does not have to: a save below replaces it.
    mutating func takeReplaced(by name: Name) -> [Version] {
        var taken: [Version] = []
        replaced.removeAll { candidate in
            if NamePrefix(candidate.version.name).contains(name) {
                if !candidate.isDirectory { taken.append(candidate.version) }
                return true
            }
            let end = candidate.version.name.bytes + [slash + 1]
            guard end.lexicographicallyPrecedes(name.bytes) else { return false }
            gone.append(candidate.version)
            return true
        }
        return taken
    }
}

/// New files of a dry run that names in the vault may be below: those come behind them in the order of names, and a few
/// others between.
struct HeldFiles {
    private var files: [(local: TreeEntry, name: Name)] = []

    mutating func add(_ local: TreeEntry, _ name: Name) { files.append((local, name)) }

    /// Takes those that `name` is below.
    mutating func take(above name: Name) -> [(local: TreeEntry, name: Name)] {
        take { NamePrefix($0).contains(name) }
    }

    /// Takes those that no name from `name` on can be below.
    mutating func take(before name: Name) -> [(local: TreeEntry, name: Name)] {
        if files.isEmpty { return [] }
        return take { !name.bytes.lexicographicallyPrecedes($0.bytes + [slash + 1]) }
    }

    mutating func takeAll() -> [(local: TreeEntry, name: Name)] { take { _ in true } }

    private mutating func take(where isTaken: (Name) -> Bool) -> [(local: TreeEntry, name: Name)] {
        let taken = files.filter { isTaken($0.name) }
        files.removeAll { isTaken($0.name) }
        return taken
    }
}

/// Files to be saved together: many small ones, or one that is not.
struct Batch: Sendable {
    struct File: Sendable {
        var local: TreeEntry
        var name: Name
        /// The version that the name has; nil for none, and where that is not known.
        var current: Entry?
    }

    private(set) var files: [File] = []
    private var bytes: UInt64 = 0

    mutating func add(_ file: TreeEntry, _ name: Name, over current: Entry? = nil) {
        files.append(File(local: file, name: name, current: current))
        bytes += file.status.kind == .file ? file.status.size : 0
    }

    var isFull: Bool { files.count >= Limits.batchFilesMax || bytes >= UInt64(Limits.batchBytesMax) }

    mutating func take() -> Batch {
        defer { self = Batch() }
        return self
    }
}

/// Runs the batches of a push as children of its group, a few at a time.
private struct JobQueue {
    let limit: Int
    private var running = 0

    init(limit: Int) {
        self.limit = max(1, limit)
    }

    mutating func add(
        _ group: inout ThrowingTaskGroup<Void, any Error>, _ batch: Batch, _ jobs: PushJobs
    ) async throws {
        if batch.files.isEmpty { return }
        if running == limit {
            try await group.next()
            running -= 1
        }
        running += 1
        group.addTask { try await jobs.save(batch) }
    }

    mutating func drain(_ group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        while running > 0 {
            try await group.next()
            running -= 1
        }
    }
}

extension FileStatus {
    /// Whether a file of this kind is saved as an entry of that kind.
    func isSameKind(as entry: Entry) -> Bool {
        switch (kind, entry.kind) {
        case (.file, .file), (.link, .link), (.directory, .directory): true
        default: false
        }
    }
}
