import Synchronization

/// Makes a prefix of one vault hold what it holds in another, chunk by chunk.
///
/// Only chunks that the target lacks are read from the source. Content, kind, mode, times and tags become
/// equal; versions and their numbers are each vault's own.
package struct Replicate: Sendable {
    private let source: any Vault
    private let target: any Vault
    private let options: TreeOptions
    private let meter: TransferMeter?

    package init(from source: any Vault, to target: any Vault, options: TreeOptions, meter: TransferMeter? = nil) {
        self.source = source
        self.target = target
        self.options = options
        self.meter = meter
    }

    /// Every entry is tried; nothing is removed when one fails.
    ///
    /// - Throws: what ends the whole: a vault fails as a whole, the source holds nothing under the prefix, or
    ///   `conflict` for more removals than allowed, before any of them.
    package func run(_ prefix: NamePrefix) async throws(VaultError) -> TreeReport {
        var join = VaultJoin(
            EntryStream(source, ListQuery(prefix: prefix, selector: options.selector)),
            EntryStream(target, ListQuery(prefix: prefix)), filter: options.filter, prefix: prefix)
        let jobs = ReplicateJobs(source, target, options, meter)
        var gone: [Entry] = []
        var isEmpty = true
        while let pair = try await join.next() {
            if Task.isCancelled { throw .cancelled }
            switch pair {
            case .target(let entry):
                gone.append(entry)
            case .source(let entry):
                isEmpty = false
                try await jobs.copy(entry, over: nil)
            case .both(let entry, let other):
                isEmpty = false
                try await jobs.copy(entry, over: other)
            }
        }
        if isEmpty, let top = prefix.top {
            throw VaultError(.notFound, "The source holds nothing under '\(top)'.", name: top)
        }
        // A source that is not what it was meant to be must not empty the target.
        if isEmpty, options.deletes {
            throw VaultError(.notFound, "The source holds nothing: nothing was removed.")
        }
        try await jobs.finish()
        if options.deletes {
            try await remove(gone, jobs)
            try await jobs.copyBlocked()
        }
        var report = jobs.report
        report.unmatched = options.filter.unmatched
        return report
    }

    private func remove(_ gone: [Entry], _ jobs: ReplicateJobs) async throws(VaultError) {
        guard jobs.report.failed.isEmpty else { return }
        if let max = options.deleteMax, gone.count > max {
            throw VaultError(
                .conflict, "\(gone.count) names would be removed, and \(max) may be: nothing was removed.")
        }
        try await jobs.remove(gone)
    }
}

/// The entries of two vaults under one prefix side by side, in the order of names.
private struct VaultJoin {
    enum Pair {
        case source(Entry)
        case target(Entry)
        case both(Entry, Entry)
    }

    private var source: EntryStream
    private var target: EntryStream
    private let filter: TreeFilter
    private let prefix: NamePrefix
    private var nextSource: Entry?
    private var nextTarget: Entry?
    private var isStarted = false

    init(_ source: EntryStream, _ target: EntryStream, filter: TreeFilter, prefix: NamePrefix) {
        self.source = source
        self.target = target
        self.filter = filter
        self.prefix = prefix
    }

    mutating func next() async throws(VaultError) -> Pair? {
        if !isStarted {
            isStarted = true
            nextSource = try await takeSource()
            nextTarget = try await takeTarget()
        }
        switch (nextSource, nextTarget) {
        case (nil, nil): return nil
        case (let entry?, let other?) where entry.name == other.name:
            nextSource = try await takeSource()
            nextTarget = try await takeTarget()
            return .both(entry, other)
        case (let entry?, let other) where other.map({ entry.name < $0.name }) ?? true:
            nextSource = try await takeSource()
            return .source(entry)
        case (_, let other?):
            nextTarget = try await takeTarget()
            return .target(other)
        case (.some, nil): return nil
        }
    }

    private mutating func takeSource() async throws(VaultError) -> Entry? {
        while let entry = try await source.next() { if takes(entry) { return entry } }
        return nil
    }

    private mutating func takeTarget() async throws(VaultError) -> Entry? {
        while let entry = try await target.next() { if takes(entry) { return entry } }
        return nil
    }

    private func takes(_ entry: Entry) -> Bool {
        let relative = prefix.relativePath(of: entry.name)
        return relative.isEmpty || filter.takesAlone(relative, isDirectory: entry.kind == .directory)
    }
}
