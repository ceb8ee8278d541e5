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
    /// Every file is tried. Nothing is removed when anything of the tree could not be read.
    ///
    /// - Throws: what ends the whole push: the root cannot be opened, the vault fails as a whole, or
    ///   `conflict` for more removals than allowed, before any of them.
    package func run(_ root: LocalPath, _ prefix: NamePrefix) async throws(VaultError) -> TreeReport {
        var join = try TreeJoin(vault, root, prefix, options)
        let jobs = PushJobs(vault: vault, options: options, meter: meter, onEvent: onEvent)
        var gone: [Name] = []
        try await mappingErrors {
            try await withThrowingTaskGroup(of: Void.self) { group in
                var queue = JobQueue(limit: options.concurrency)
                var batch = Batch()
                while let pair = try await join.next() {
                    try Task.checkCancellation()
                    switch pair {
                    case .both(let local, let entry) where isUnchanged(local, entry):
                        jobs.count(skipped: 1)
                        meter?.advance(local.status.size, reused: local.status.size)
                        continue
                    case .both(let local, let entry):
                        batch.add(local, entry.name)
                    case .local(let local, let name):
                        batch.add(local, name)
                    case .vault(let entry):
                        if try isDirectory(root, prefix, entry) {
                            try await queue.drain(&group)
                            try await jobs.remove([entry.name])
                        } else {
                            gone.append(entry.name)
                        }
                    case .skipped(let path):
                        jobs.count(skipped: 1)
                        onEvent(.skipped(path, reason: "is a socket, a pipe or a device"))
                    case .failed(let path, let error):
                        jobs.fail(path, error)
                    }
                    if batch.isFull {
                        try await queue.add(&group, batch.take(), jobs)
                    }
                }
                try await queue.add(&group, batch.take(), jobs)
                try await queue.drain(&group)
            }
        }
        if options.deletes { try await removeGone(gone, jobs) }
        return jobs.report
    }

    private func isUnchanged(_ local: TreeEntry, _ entry: Entry) -> Bool {
        if local.status.kind == .directory, entry.kind == .directory {
            return local.status.mode == entry.attributes.mode
        }
        return !options.checksum && local.status.isSameKind(as: entry) && local.status.isUnchanged(since: entry)
            && entry.tags == options.tags
    }

    /// Whether a name of the vault stands where the tree now has a directory with something in it.
    private func isDirectory(_ root: LocalPath, _ prefix: NamePrefix, _ entry: Entry) throws(VaultError) -> Bool {
        let path = root.appending(prefix.relativePath(of: entry.name))
        return entry.kind != .directory && (try? FileStatus(of: path))?.kind == .directory
    }

    private func removeGone(_ gone: [Name], _ jobs: PushJobs) async throws(VaultError) {
        guard jobs.isReadComplete else { return }
        if let max = options.deleteMax, gone.count > max {
            throw VaultError(
                .conflict, "\(gone.count) names would be removed, and \(max) may be: nothing was removed.")
        }
        try await jobs.remove(gone)
        try await jobs.saveAgain()
    }
}

/// Files to be saved together: many small ones, or one that is not.
struct Batch: Sendable {
    private(set) var files: [(TreeEntry, Name)] = []
    private var bytes: UInt64 = 0

    mutating func add(_ file: TreeEntry, _ name: Name) {
        files.append((file, name))
        bytes += file.status.kind == .file ? file.status.size : 0
    }

    var isFull: Bool {
        files.count >= Limits.batchFilesMax || bytes >= UInt64(Limits.batchBytesMax)
    }

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
