package import VaultModel

extension StoredVault {
    package func verify(_ request: VerifyRequest) async throws(VaultError) -> VerifyReport {
        guard request.sample > 0, request.sample <= 1 else {
            throw VerifyRequest.notAShare("\(request.sample)")
        }
        try await checkPlace()
        var report = VerifyReport()
        let damaged =
            request.prefix.top == nil
            ? try await verifyAll(request.sample, &report)
            : try await verify(below: request.prefix, request.sample, &report)
        report.damagedChunks = damaged.count
        if request.prefix.top == nil { try await verifyJournal(request.sample, &report) }
        if access != .readOnly, !damaged.isEmpty { try await catalog.withdraw(damaged) }
        try await findDamagedVersions(request.prefix, &report)
        // The next push reads these files again, whatever their times say.
        let names = Set(report.damaged.map(\.name))
        if access != .readOnly, !names.isEmpty { try await catalog.forgetOrigins(of: names.sorted()) }
        return report
    }

    /// Refuses to look where there is nothing of the vault at all: everything would be taken for lost.
    private func checkPlace() async throws(VaultError) {
        guard isShared else { return }
        let known = try await catalog.packs()
        if known.isEmpty { return }
        let there = try await packs.list()
        if known.keys.contains(where: { there[$0] != nil }) { return }
        throw VaultError(
            .unavailable, "There is no pack of the vault in '\(place)': that is not where it is kept, or all is lost.")
    }

    /// Reads every chunk of the catalog, or a random share of them.
    private func verifyAll(_ sample: Double, _ report: inout VerifyReport) async throws(VaultError) -> [PackLocation:
        Digest]
    {
        var damaged: [PackLocation: Digest] = [:]
        var after: Digest?
        while true {
            if Task.isCancelled { throw .cancelled }
            let page = try await catalog.chunks(after: after, limit: 1 << 16)
            guard let last = page.last else { return damaged }
            after = last.digest
            let chosen = page.filter { !$0.isDamaged && (sample == 1 || Double.random(in: 0..<1) < sample) }
            damaged.merge(try await verify(chosen, &report)) { $1 }
            if access != .readOnly { try await reinstate(page.filter(\.isDamaged)) }
        }
    }

    /// Counts again what was once taken for damaged and can be read.
    private func reinstate(_ chunks: [StoredChunk]) async throws(VaultError) {
        var found: [PackLocation: Digest] = [:]
        try await recordReader.visit(chunks.map { .init($0) }) { index, _, record in
            if record != nil { found[chunks[index].location] = chunks[index].digest }
        }
        if !found.isEmpty { try await catalog.reinstate(found) }
    }

    /// Reads the journal, or a random share of it.
    private func verifyJournal(_ sample: Double, _ report: inout VerifyReport) async throws(VaultError) {
        let reader = recordReader
        var after: UInt64 = 0
        while true {
            if Task.isCancelled { throw .cancelled }
            let page = try await catalog.journal(after: after, limit: 4096)
            guard let last = page.last else { return }
            after = last.lastSequence
            let chosen = page.filter { _ in sample == 1 || Double.random(in: 0..<1) < sample }
            try await reader.visit(chosen.map { .init($0) }) { index, _, found in
                if found != nil { return }
                report.problems.append(
                    "The journal is damaged at sequence \(chosen[index].lastSequence): these changes only the catalog knows, "
                        + "so keep a backup of it."
                )
            }
        }
    }

    /// Reads the chunks of the current entries under a prefix.
    private func verify(
        below prefix: NamePrefix, _ sample: Double, _ report: inout VerifyReport
    ) async throws(VaultError) -> [PackLocation: Digest] {
        var damaged: [PackLocation: Digest] = [:]
        var entries = EntryStream(self, ListQuery(prefix: prefix))
        var isEmpty = true
        while let entry = try await entries.next() {
            if Task.isCancelled { throw .cancelled }
            isEmpty = false
            var walk = ContentWalk(entry.content, reader: recordReader)
            while let digests = try await walk.nextReadable() {
                let chosen = digests.filter { _ in sample == 1 || Double.random(in: 0..<1) < sample }
                let locations = try await catalog.locations(chosen)
                let stored = zip(chosen, locations).compactMap { digest, location in
                    location.map { StoredChunk(digest: digest, location: $0, isDamaged: false) }
                }
                damaged.merge(try await verify(stored, &report)) { $1 }
            }
        }
        if isEmpty, let top = prefix.top {
            throw VaultError(.notFound, "The vault holds nothing under '\(top)'.", name: top)
        }
        return damaged
    }

    /// Reads chunks in the order of their packs.
    private func verify(
        _ chunks: [StoredChunk], _ report: inout VerifyReport
    ) async throws(VaultError) -> [PackLocation: Digest] {
        let ordered = chunks.sorted { $0.location.isBefore($1.location) }
        let reader = recordReader
        var damaged: [PackLocation: Digest] = [:]
        for start in stride(from: 0, to: ordered.count, by: StoreLimits.recordsVisitedMax) {
            if Task.isCancelled { throw .cancelled }
            let part = ordered[start..<min(start + StoreLimits.recordsVisitedMax, ordered.count)]
            let found = try await mappingErrors {
                try await withThrowingTaskGroup(of: [StoredChunk].self) { group in
                    for half in [part.prefix(part.count / 2), part.dropFirst(part.count / 2)] {
                        group.addTask { try await reader.unreadable(Array(half)) }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
            }
            for chunk in found { damaged[chunk.location] = chunk.digest }
            report.checkedChunks += part.count
            report.checkedBytes += part.reduce(0) { $0 + UInt64($1.location.length) }
        }
        return damaged
    }

    /// Finds the versions that need a chunk which is damaged or missing.
    private func findDamagedVersions(
        _ prefix: NamePrefix, _ report: inout VerifyReport
    ) async throws(VaultError) {
        var entries = EntryStream(self, ListQuery(prefix: prefix, includesVersions: true))
        var whole: Set<Digest> = []
        while let entry = try await entries.next() {
            if Task.isCancelled { throw .cancelled }
            guard entry.size > 0, !whole.contains(entry.content.root) else { continue }
            var walk = ContentWalk(entry.content, reader: recordReader)
            var isWhole = true
            while let digests = try await walk.nextReadable() {
                if try await catalog.known(digests).contains(false) { isWhole = false }
            }
            if !isWhole || walk.hasDamage {
                report.damaged.append(VerifyReport.DamagedVersion(name: entry.name, version: entry.version))
            } else if entry.content.depth > 0 {
                whole.insert(entry.content.root)
            }
        }
    }
}

/// Walks the chunks and list nodes of a content, and each node once, however often the content has it: a few nodes can name
/// each other so often that nobody sees the end.
private struct ContentWalk {
    private let reader: RecordReader
    private var pending: [(digest: Digest, depth: UInt8)]
    private var walked: Set<Digest> = []
    /// Whether a node could not be read.
    private(set) var hasDamage = false

    init(_ content: Content, reader: RecordReader) {
        self.reader = reader
        pending = content.size > 0 ? [(content.root, content.depth)] : []
    }

    /// The next digests of the content, which may be none; nil behind the last.
    mutating func nextReadable() async throws(VaultError) -> [Digest]? {
        guard let next = pending.popLast() else { return nil }
        guard next.depth > 0 else { return [next.digest] }
        guard walked.insert(next.digest).inserted else { return [] }
        let node: ListNode
        do {
            node = try await reader.node(next.digest)
        } catch  where error.code == .integrity {
            hasDamage = true
            return [next.digest]
        }
        guard node.level == next.depth else {
            hasDamage = true
            return [next.digest]
        }
        if node.level > 1 {
            pending += node.references.reversed().map { ($0.digest, node.level - 1) }
            return [next.digest]
        }
        return [next.digest] + node.references.map(\.digest)
    }
}
