import Synchronization
package import VaultModel

extension StoredVault {
    package func collect() async throws(VaultError) -> CollectionReport {
        try await prepareToWrite()
        var report = CollectionReport()
        let before = try await packs.list().values.reduce(0) { $0 + $1.length }
        let reader = recordReader
        report.removedChunks = try await makingRoom { () throws(VaultError) in
            try await catalog.forgetUnused(at: clock()) { (digest) throws(VaultError) in
                try await reader.node(digest)
            }
        }
        // What is copied must not land in a pack that is about to be given up.
        await packs.close()
        report.changedPacks = try await makingRoom { () throws(VaultError) in try await removeUnusedPacks() }
        do throws(VaultError) {
            for pack in try await wastefulPacks() {
                let isRewritten = try await makingRoom { () throws(VaultError) in try await rewrite(pack) }
                if isRewritten { report.changedPacks += 1 }
            }
        } catch  where error.code == .quota && report.changedPacks > 0 {
            // No room for copies: with what has been freed, the next collection gets further.
        }
        // What was written to before is unfinished now, and may be taken over again.
        hasAdopted.store(false, ordering: .releasing)
        let after = try await packs.list().values.reduce(0) { $0 + $1.length }
        report.freedBytes = before > after ? before - after : 0
        report.keptBytes = after
        return report
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
            var continued: Set<Digest> = []
            while let item = try await scanner.next() {
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

    /// Packs of which too large a share is of no use, the emptiest first.
    private func wastefulPacks() async throws(VaultError) -> [PackID] {
        let used = try await catalog.usedBytes()
        return try await packs.list().filter { pack, status in
            guard let used = used[pack] else { return false }
            let length = Double(status.length) - Double(PackHeader.byteCount)
            return length - Double(used) > length * StoreLimits.wasteShare
        }.keys.sorted { (used[$0] ?? 0) < (used[$1] ?? 0) }
    }

    /// Copies what is in use of a pack to another one, and removes it.
    ///
    /// - Returns: false where a record in use could not be read: such a pack stays as it is.
    private func rewrite(_ pack: PackID) async throws(VaultError) -> Bool {
        guard let length = try await catalog.packs()[pack] else { return false }
        var scanner = PackScanner(pack, length: length, vault: id, packs: packs)
        var batch: [(RecordHeader, PackLocation)] = []
        var bytes = 0
        while let item = try await scanner.next() {
            guard case .record(let header, let location) = item, try await isInUse(header, location) else { continue }
            if bytes + Int(location.length) > Limits.batchBytesMax, !batch.isEmpty {
                guard try await copy(batch) else { return false }
                (batch, bytes) = ([], 0)
            }
            batch.append((header, location))
            bytes += Int(location.length)
        }
        guard try await copy(batch) else { return false }
        try await catalog.forget([pack])
        return try await delete([pack]) == 1
    }

    private func isInUse(_ header: RecordHeader, _ location: PackLocation) async throws(VaultError) -> Bool {
        let known =
            header.kind == .journalGroup
            ? try await catalog.journalLocations([header.digest]) : try await catalog.locations([header.digest])
        return known[0] == location
    }

    private func copy(_ batch: [(RecordHeader, PackLocation)]) async throws(VaultError) -> Bool {
        if batch.isEmpty { return true }
        var records: [PackRecord] = []
        for (header, location) in batch {
            guard let bytes = try await recordReader.payload(header.digest, at: location) else { return false }
            records.append(PackRecord(kind: header.kind, digest: header.digest, bytes: bytes))
        }
        let appended = try await packs.append(records)
        try await catalog.relocate(
            zip(batch, appended.locations).map { old, new in
                Relocation(kind: old.0.kind, digest: old.0.digest, from: old.1, to: new)
            })
        withExtendedLifetime(appended.hold) {}
        return true
    }
}
