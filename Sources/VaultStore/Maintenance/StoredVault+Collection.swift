import Synchronization
package import VaultModel

extension StoredVault {
    package func collect() async throws(VaultError) -> CollectionReport {
        try await makingRoom { () throws(VaultError) in try await prepareToWrite() }
        var report = CollectionReport()
        let before = try await packs.list().values.reduce(0) { $0 + $1.length }
        let reader = recordReader
        let forgotten = try await makingRoom { () throws(VaultError) in
            try await catalog.forgetUnused(at: clock()) { (digest) throws(VaultError) in
                try await reader.node(digest)
            }
        }
        report.removedChunks = forgotten.chunks
        let bound = try await wasteBound()
        let (changed, parts, used) = try await compact(leaving: bound.map { $0.packs / 2 })
        report.changedPacks = changed
        try await catalog.shrink(leaving: StoreLimits.freePageBytes)
        let left = try await packs.list()
        let after = left.values.reduce(0) { $0 + $1.length }
        report.freedBytes = before > after ? before - after : 0
        report.keptBytes = after
        report.retained = forgotten.retained
        let isPartlyRewritten = parts.joined().contains { left[$0] != nil }
        report.retained += try await retained(
            in: left, used: isPartlyRewritten ? try await catalog.usedBytes() : used, at: clock())
        return report
    }

    /// Removes what is of no use in packs.
    ///
    /// - Parameters:
    ///   - bound: bytes of it that may stay; nil where it does not matter.
    ///   - copiedMax: bytes in use that are copied for it, about; nil for as many as that takes.
    /// - Returns: how many packs were changed, those that should be, and bytes in use by pack before they were rewritten.
    func compact(
        leaving bound: UInt64?, copyingAtMost copiedMax: UInt64? = nil
    ) async throws(VaultError) -> (changed: Int, parts: [[PackID]], used: [PackID: UInt64]) {
        // What is copied must not land in a pack that is about to be given up.
        await packs.close()
        // What was written to before is unfinished now, and may be taken over again.
        defer { hasAdopted.store(false, ordering: .releasing) }
        var changed = try await makingRoom { () throws(VaultError) in try await removeUnusedPacks() }
        let used = try await catalog.usedBytes()
        let parts = try await wastefulPacks(used, leaving: bound)
        do throws(VaultError) {
            let lengths = parts.isEmpty ? [:] : try await catalog.packs()
            var copied: UInt64 = 0
            for packs in parts {
                if let copiedMax, copied >= copiedMax { break }
                copied += packs.reduce(0) { $0 + (used[$1] ?? 0) }
                changed += try await makingRoom { () throws(VaultError) in try await rewrite(packs, lengths) }
            }
        } catch  where error.code == .quota && changed > 0 {
            // No room for copies: with what has been freed, the next collection gets further.
        }
        return (changed, parts, used)
    }

    /// What is of no use in packs that stay.
    ///
    /// - Parameters:
    ///   - left: the packs that are there.
    ///   - used: bytes in use by pack, as far as a collection has not written the pack itself.
    private func retained(
        in left: [PackID: PackStatus], used: [PackID: UInt64], at time: Int64
    ) async throws(VaultError) -> [CollectionReport.Retained] {
        let known = try await catalog.packs()
        var waste = CollectionReport.Retained(.packs, count: 0, bytes: 0)
        var writing = CollectionReport.Retained(.writing, count: 0, bytes: 0)
        var isFresh = true
        for (pack, status) in left {
            // Behind what the catalog knows is what somebody has not recorded yet.
            let recorded = min(known[pack] ?? 0, status.length)
            if status.length > recorded {
                writing.count += 1
                writing.bytes += status.length - recorded
                isFresh = isFresh && status.isFresh
            }
            let needed = (used[pack] ?? recorded) + UInt64(PackHeader.byteCount)
            if recorded > needed {
                waste.count += 1
                waste.bytes += recorded - needed
            }
        }
        // Objects that nobody makes known are given up after a while; a pack of a directory has a writer that lives.
        if isFresh { writing.endsAt = time + StoreLimits.unrecordedSeconds }
        return [waste, writing].filter { $0.count > 0 }
    }

    /// Removes packs with nothing in use, and files of packs that the catalog does not know.
    private func removeUnusedPacks() async throws(VaultError) -> Int {
        let used = try await catalog.usedBytes()
        let known = try await catalog.packs()
        let forgotten = known.keys.filter { used[$0] == nil }
        try await catalog.forget(Array(forgotten))
        let left = try await packs.list().filter { known[$0.key] == nil && !$0.value.isFresh }
        if isShared { try await checkHistory(in: left) }
        return try await delete(forgotten + left.keys)
    }

    /// Refuses to remove packs that go on with the vault's history: the catalog is an old copy then. One commit that it
    /// does not know is what a failure leaves.
    private func checkHistory(in unknown: [PackID: PackStatus]) async throws(VaultError) {
        for (pack, status) in unknown {
            var scanner = PackScanner(pack, length: status.length, vault: id, packs: packs)
            func next() async throws(VaultError) -> PackScanner.Item? {
                do throws(VaultError) {
                    return try await scanner.next()
                } catch  where error.code == .notFound {
                    // Another collection was first.
                    return nil
                }
            }
            var continued: Set<Digest> = []
            while let item = try await next() {
                if Task.isCancelled { throw .cancelled }
                guard case .record(let header, let location) = item, header.kind == .journalGroup,
                    let bytes = try await recordReader.payload(header.digest, at: location),
                    let group = JournalGroup(decoding: bytes.bytes)
                else { continue }
                if group.isContinued { continued.insert(header.digest) }
                guard let previous = group.previous, !continued.contains(previous),
                    try await catalog.journalLocations([previous])[0] == nil
                else { continue }
                throw VaultError(
                    .integrity,
                    "The catalog of '\(place)' is older than its packs: restore a newer copy of it; nothing was removed."
                )
            }
        }
    }

    private func delete(_ unused: [PackID]) async throws(VaultError) -> Int {
        let (catalog, clock) = (catalog, clock())
        return try await packs.delete(unused) { (packs) throws(VaultError) in
            try await catalog.disown(packs, at: clock)
        }.count
    }

    /// Packs that are better copied, in parts that are copied together: those of which too large a share is of no use,
    /// the emptiest first, and those that are small, where there are many.
    ///
    /// - Parameters:
    ///   - used: bytes in use by pack.
    ///   - bound: bytes of no use that may stay in the others together.
    private func wastefulPacks(_ used: [PackID: UInt64], leaving bound: UInt64?) async throws(VaultError) -> [[PackID]]
    {
        var packs: [PackID: UInt64] = [:]
        var small: [PackID: UInt64] = [:]
        var others: [(pack: PackID, used: UInt64, waste: UInt64)] = []
        for (pack, status) in try await self.packs.list() {
            guard let used = used[pack] else { continue }
            let length = status.length - min(status.length, UInt64(PackHeader.byteCount))
            let waste = length - min(length, used)
            if Double(waste) > Double(length) * StoreLimits.wasteShare {
                packs[pack] = used
            } else {
                others.append((pack, used, waste))
                if status.length < StoreLimits.smallPackBytes { small[pack] = used }
            }
        }
        var left = others.reduce(0) { $0 + $1.waste }
        // Those first from which most is gained for what must be copied.
        if let bound, left > bound {
            for other in others.sorted(by: {
                Double($0.waste) / Double($0.used + 1) > Double($1.waste) / Double($1.used + 1)
            })
            where left > bound {
                packs[other.pack] = other.used
                left -= other.waste
            }
        }
        if small.count >= StoreLimits.smallPacksMax { packs.merge(small) { $1 } }
        var parts: [[PackID]] = []
        var bytes: UInt64 = 0
        for (pack, used) in packs.sorted(by: { $0.value < $1.value }) {
            bytes += used
            if parts.isEmpty || bytes > UInt64(Limits.batchBytesMax) {
                parts.append([])
                bytes = used
            }
            parts[parts.count - 1].append(pack)
        }
        return parts
    }

    /// Copies what is in use of packs to others, and removes them.
    ///
    /// - Parameter lengths: of all packs, as the catalog knew them; what came later keeps its pack.
    /// - Returns: how many were removed: one stays in which a record in use could not be read.
    private func rewrite(_ packs: [PackID], _ lengths: [PackID: UInt64]) async throws(VaultError) -> Int {
        var batch: [RecordReader.Expected] = []
        var bytes = 0
        for pack in packs {
            try await eachRecordInUse(of: pack, length: lengths[pack] ?? 0) { (record) throws(VaultError) in
                if bytes + Int(record.location.length) > Limits.batchBytesMax, !batch.isEmpty {
                    try await move(batch)
                    (batch, bytes) = ([], 0)
                }
                batch.append(record)
                bytes += Int(record.location.length)
            }
        }
        try await move(batch)
        try await catalog.forget(packs)
        return try await delete(packs)
    }

    private func eachRecordInUse(
        of pack: PackID, length: UInt64, _ body: (RecordReader.Expected) async throws(VaultError) -> Void
    ) async throws(VaultError) {
        var scanner = PackScanner(pack, length: length, vault: id, packs: packs)
        var records: [RecordReader.Expected] = []
        var isAtEnd = false
        while !isAtEnd {
            if Task.isCancelled { throw .cancelled }
            let item: PackScanner.Item?
            do throws(VaultError) {
                item = try await scanner.next()
            } catch  where error.code == .notFound || error.code == .integrity {
                // Another collection was first, or the disk cannot read on: what is there stays.
                item = nil
            }
            if let item {
                guard case .record(let header, let location) = item else { continue }
                records.append(.init(header.digest, at: location, isGroup: header.kind == .journalGroup))
                if records.count < StoreLimits.recordsVisitedMax { continue }
            } else {
                isAtEnd = true
            }
            for record in try await recordReader.needed(records) { try await body(record) }
            records = []
        }
    }

    /// Copies records to another pack; one that cannot be read stays where it is.
    private func move(_ batch: [RecordReader.Expected]) async throws(VaultError) {
        let found = zip(batch, try await recordReader.copies(of: batch, follows: false)).compactMap { old, copy in
            copy.map { (old, $0) }
        }
        if found.isEmpty { return }
        let appended = try await packs.append(found.map(\.1))
        try await catalog.relocate(
            zip(found, appended.locations).map { old, new in
                Relocation(kind: old.1.kind, digest: old.1.digest, from: old.0.location, to: new)
            })
        withExtendedLifetime(appended.hold) {}
    }
}
