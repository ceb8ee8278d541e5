package import VaultModel

/// Brings all that a vault holds into another one that stands on other engines: every version with its number, time and
/// tags, what hooks keep and are to be told, the audit and the quota.
///
/// The journal of the one becomes the journal of the other, so that both can be compared by its end: the digest of the
/// last group covers all groups before it. What was copied before is not copied again, so that a migration that was cut
/// off goes on where it was, and one that has ended brings what was changed since.
package struct VaultMigration: Sendable {
    /// What has been copied, and checked.
    package struct Report: Sendable, Equatable {
        package var chunks = 0
        package var bytes: UInt64 = 0
        package var changes = 0
        /// Chunks of the source that are damaged: their files cannot be read there either.
        package var damagedChunks = 0
        package var checkedChunks = 0
        package var sequence: UInt64 = 0
    }

    private let source: StoredVault
    private let target: StoredVault
    private let meter: TransferMeter?

    /// - Parameter meter: is told of the bytes that are copied.
    package init(from source: StoredVault, to target: StoredVault, meter: TransferMeter? = nil) {
        self.source = source
        self.target = target
        self.meter = meter
    }

    /// Copies what the target lacks, and reads it back.
    ///
    /// The source may be read meanwhile, and changed: what comes too late for this run the next one brings.
    ///
    /// - Throws: `conflict` for a target that has a history of its own, `integrity` where the copy cannot be read.
    package func run() async throws(VaultError) -> Report {
        try await target.prepareToWrite()
        // What the source needs now, it keeps until this has ended.
        let lease = try await source.holdLease()
        do throws(VaultError) {
            try await checkTarget()
            target.catalog.hold(upload)
            defer { target.catalog.release(upload) }
            let head = try await source.catalog.journalHead()
            var report = Report()
            try await copyChunks(lease, &report)
            try await copyJournal(until: head.sequence, lease, &report)
            // From here on nothing of it can give way; what has until now, the look at the whole finds.
            try await target.catalog.settle(upload)
            try await copyRest()
            try await check(&report)
            report.sequence = head.sequence
            await source.releaseLease(lease)
            return report
        } catch {
            await source.releaseLease(lease)
            throw error
        }
    }

    /// What the target has must be the beginning of what the source has.
    private func checkTarget() async throws(VaultError) {
        let there = try await target.catalog.journalHead()
        guard let digest = there.digest else { return }
        if try await source.catalog.journalLocations([digest])[0] == nil {
            throw VaultError(
                .conflict, "The vault in '\(target.place)' has a history of its own: migrate to an empty one.")
        }
    }

    // MARK: Content

    /// As which the chunks are stored until versions need them: the same in each run, so that none forgets another's.
    private var upload: UploadID { UploadID(target.id) }

    private func copyChunks(_ lease: UniqueID?, _ report: inout Report) async throws(VaultError) {
        var after: Digest?
        var mark: UInt64?
        while true {
            try await source.renewLease(lease)
            let page = try await source.catalog.chunks(after: after, limit: StoreLimits.migrationPage)
            guard let last = page.last else { return }
            after = last.digest
            report.damagedChunks += page.filter(\.isDamaged).count
            let reliance = try await target.catalog.rely(
                on: page.map(\.digest), for: upload, of: "", isCharged: false, at: target.clock(), mark: mark)
            guard let known = reliance?.areThere else { throw wayGiven }
            mark = reliance?.mark
            // In the order of the packs, so that neighbours are read together.
            let missing = zip(page, known).filter { !$0.0.isDamaged && !$0.1 }.map(\.0).sorted {
                $0.location.isBefore($1.location)
            }
            mark = try await copy(missing, mark, &report)
        }
    }

    private var wayGiven: VaultError {
        VaultError(
            .unavailable,
            "A collection in '\(target.place)', or its quota, has taken away what was copied: migrate again.",
            isRetryable: true)
    }

    /// - Parameter mark: see ``Catalog/record(_:of:by:at:mark:)``.
    private func copy(
        _ chunks: [StoredChunk], _ mark: UInt64?, _ report: inout Report
    ) async throws(VaultError) -> UInt64? {
        var mark = mark
        var rest = chunks[...]
        while !rest.isEmpty {
            if Task.isCancelled { throw .cancelled }
            var batchBytes: UInt64 = 0
            let batch = Array(
                rest.prefix { chunk in
                    defer { batchBytes += chunk.location.storedBytes }
                    return batchBytes == 0
                        || batchBytes + chunk.location.storedBytes <= UInt64(StoreLimits.commitBytesMax)
                })
            rest = rest.dropFirst(batch.count)
            let copies = try await source.recordReader.copies(of: batch.map { .init($0) })
            let records = copies.compactMap(\.self)
            let missing = zip(batch, copies).filter { $0.1 == nil }.map { RecordReader.Expected($0.0) }
            // What nothing needs any more, a collection may have removed.
            report.damagedChunks += try await source.recordReader.needed(missing).count
            let appended = try await target.packs.append(records)
            let received = zip(records, appended.locations).map {
                ReceivedChunk(digest: $0.digest, location: $1, hold: appended.hold)
            }
            mark = try await target.catalog.record(
                UnrecordedChunks(received: received), of: upload, by: "", at: target.clock(), mark: mark)
            guard mark != nil else { throw wayGiven }
            report.chunks += records.count
            let bytes = records.reduce(0) { $0 + UInt64($1.bytes.count) }
            report.bytes += bytes
            meter?.advance(bytes)
        }
        return mark
    }

    // MARK: The journal

    private func copyJournal(
        until end: UInt64, _ lease: UniqueID?, _ report: inout Report
    ) async throws(VaultError) {
        var after = try await target.catalog.journalHead().sequence
        while after < end {
            try await source.renewLease(lease)
            let page = try await source.catalog.journal(after: after, limit: StoreLimits.migrationGroups)
                .filter { $0.lastSequence <= end }
            guard let last = page.last else { return }
            var groups: [JournalGroup] = []
            var records: [PackRecord] = []
            let copies = try await source.recordReader.copies(of: page.map { .init($0) })
            for (stored, copy) in zip(page, copies) {
                guard let copy, let group = JournalGroup(decoding: copy.bytes.bytes) else {
                    throw VaultError(
                        .integrity,
                        "The journal of '\(source.place)' is damaged at sequence \(stored.lastSequence): it cannot be migrated."
                    )
                }
                groups.append(group)
                records.append(copy)
            }
            let appended = try await target.packs.append(records)
            try await target.catalog.replay(
                zip(groups, zip(page, appended.locations)).map { group, stored in
                    (
                        group,
                        StoredGroup(
                            lastSequence: stored.0.lastSequence, digest: stored.0.digest, location: stored.1,
                            time: stored.0.time)
                    )
                })
            withExtendedLifetime(appended.hold) {}
            report.changes += groups.reduce(0) { $0 + $1.changes.count }
            after = last.lastSequence
        }
    }

    // MARK: What is beside the journal

    private func copyRest() async throws(VaultError) {
        try await target.catalog.setQuota(try await source.catalog.usage().quota)
        var last: UInt64 = 0
        while let end = try await target.catalog.audit(since: .min, after: last, limit: 4096).last {
            last = end.sequences.upperBound
        }
        while true {
            let page = try await source.catalog.audit(since: .min, after: last, limit: 4096)
            guard let end = page.last else { break }
            try await target.catalog.restore(page)
            last = end.sequences.upperBound
        }
        var key = ""
        while true {
            let page = try await source.catalog.hookValues(after: key, limit: 1000)
            guard let end = page.last else { break }
            for (key, value) in page {
                let there = try await target.catalog.hookValue(key)
                if there.value == value.value { continue }
                _ = try await target.catalog.store(value.value, as: key, ifVersion: there.version)
            }
            key = end.key
        }
        try await copyOutbox()
    }

    /// Events that were not told, or set aside, are told by the servers of the target; one that they have told already is
    /// told again where a later run still finds it at the source.
    private func copyOutbox() async throws(VaultError) {
        var there: Set<UniqueID> = []
        try await eachEvents(of: target) { there.formUnion($0.map(\.id)) }
        try await eachEvents(of: source) { (events) throws(VaultError) in
            try await target.catalog.tell(events.filter { !there.contains($0.id) })
        }
    }

    private func eachEvents(
        of vault: StoredVault, _ body: ([OutboxEvent]) async throws(VaultError) -> Void
    ) async throws(VaultError) {
        for failed in [false, true] {
            var number: UInt64 = 0
            while true {
                let page = try await vault.catalog.outbox(failed: failed, after: number, limit: 1000)
                guard let end = page.last else { break }
                try await body(page.map(\.event))
                number = end.number
            }
        }
    }

    // MARK: The look at the whole

    private func check(_ report: inout Report) async throws(VaultError) {
        let found = try await target.verify(VerifyRequest())
        report.checkedChunks = found.checkedChunks
        guard found.problems.isEmpty, found.damaged.isEmpty || report.damagedChunks > 0 else {
            throw VaultError(
                .integrity, "The copy in '\(target.place)' is not whole: migrate again.",
                cause: found.problems.first ?? "\(found.damaged.count) versions cannot be read")
        }
    }
}
