import Glibc
package import VaultModel

/// Rebuilds a catalog that is lost or damaged from the packs, which hold all of its truth.
package struct VaultRepair: Sendable {
    /// What a rebuild found.
    package struct Report: Sendable {
        package var groups = 0
        package var changes = 0
        package var chunks = 0
        /// Damage in the packs, one sentence each.
        package var problems: [String] = []
    }

    private let layout: VaultLayout
    private let files: any StoreFiles

    package init(_ directory: LocalPath, files: any StoreFiles = SystemFiles()) {
        layout = VaultLayout(directory)
        self.files = files
    }

    /// Whether the catalog is there and whole.
    ///
    /// - Throws: where that cannot be told: `invalid` for a newer format, whose catalog is not to be replaced by an
    ///   older one, `denied` and `unavailable`.
    package func catalogIsSound() async throws(VaultError) -> Bool {
        guard (try? FileStatus(of: layout.catalog)) != nil else { return false }
        do throws(VaultError) {
            let catalog = try await SQLiteCatalog(layout.catalog, files: files)
            let isSound = Result { () throws(VaultError) in try catalog.isSound() }
            await catalog.close()
            return try isSound.get()
        } catch {
            if error.code == .integrity { return false }
            throw error
        }
    }

    /// Replaces the catalog by one made from the packs. The old file is kept beside it.
    ///
    /// The journal's groups form a chain, each naming the one before; branches that ended in a failed
    /// commit are ignored. A crash leaves the vault to be repaired again.
    ///
    /// - Throws: `unavailable` while others use the vault, `integrity` where no pack can be read.
    package func rebuild() async throws(VaultError) -> Report {
        let use = try VaultUse(layout.lock, isExclusive: true, isReadOnly: false)
        defer { use.end() }
        let vault = try await vaultID()
        let packs = DirectoryPackStore(layout.packs, vault: vault, files: files)
        let path = layout.directory.appending("catalog.sqlite.rebuilt")
        try removeDatabase(path)
        let catalog = try await SQLiteCatalog(path, files: files, creating: vault)
        var report = Report()
        let groups = try await scan(packs, vault, into: catalog, &report)
        try await replay(chain(of: groups, &report), packs, into: catalog, &report)
        try catalog.checkpoint()
        await catalog.close()
        try await put(path)
        return report
    }

    private func put(_ rebuilt: LocalPath) async throws(VaultError) {
        let catalog = layout.catalog
        let old = layout.directory.appending("catalog.sqlite.damaged")
        if (try? FileStatus(of: catalog)) != nil {
            try removeDatabase(old)
            try files.rename(catalog, to: old)
        }
        // Logs of the old catalog must not be taken for the new one's.
        for path in [catalog, rebuilt] {
            for suffix in ["-wal", "-shm"] { try? files.remove(LocalPath(path.bytes + suffix.utf8)) }
        }
        try files.rename(rebuilt, to: catalog)
        try files.syncDirectory(layout.directory)
    }

    private func removeDatabase(_ path: LocalPath) throws(VaultError) {
        for suffix in ["", "-wal", "-shm"] {
            do {
                try files.remove(LocalPath(path.bytes + suffix.utf8))
            } catch  where error.code == .notFound {
                continue
            }
        }
    }

    /// The vault that the packs name, each in its header.
    private func vaultID() async throws(VaultError) -> UniqueID {
        let packs = DirectoryPackStore(layout.packs, vault: UniqueID(), files: files)
        for pack in try await packs.list().keys {
            let bytes = Buffer(byteCount: PackHeader.byteCount)
            guard try await packs.read(pack, at: 0, into: bytes.memory) == PackHeader.byteCount,
                let header = PackHeader(decoding: Array(bytes.memory)), header.pack == pack
            else { continue }
            return header.vault
        }
        throw VaultError(
            .integrity, "No pack in '\(layout.packs)' can be read: there is nothing to rebuild from.",
            path: layout.packs)
    }

    // MARK: Reading the packs

    /// A journal group that was found, without its changes.
    private struct FoundGroup {
        var digest: Digest
        var previous: Digest?
        var lastSequence: UInt64
        var time: Int64
        var location: PackLocation
    }

    private func scan(
        _ packs: DirectoryPackStore, _ vault: UniqueID, into catalog: SQLiteCatalog, _ report: inout Report
    ) async throws(VaultError) -> [FoundGroup] {
        let reader = RecordReader(vault: vault, catalog: catalog, packs: packs)
        var groups: [FoundGroup] = []
        for (pack, length) in try await packs.list().sorted(by: { $0.key.value.high < $1.key.value.high }) {
            var scanner = PackScanner(pack, length: length, vault: vault, packs: packs)
            var found: [StoredChunk] = []
            var end = UInt64(PackHeader.byteCount)
            while let item = try await scanner.next() {
                guard case .record(let header, let location) = item,
                    let bytes = try await reader.payload(header.digest, at: location)
                else {
                    report.problems.append(problem(item, pack, length))
                    continue
                }
                end = location.end
                if header.kind == .journalGroup, let group = JournalGroup(decoding: bytes.bytes) {
                    groups.append(
                        FoundGroup(
                            digest: header.digest, previous: group.previous, lastSequence: group.lastSequence,
                            time: group.time, location: location))
                } else {
                    found.append(StoredChunk(digest: header.digest, location: location, isDamaged: false))
                }
            }
            report.chunks += found.count
            try await catalog.restore(found, of: pack, length: end)
        }
        return groups
    }

    private func problem(_ item: PackScanner.Item, _ pack: PackID, _ length: UInt64) -> String {
        switch item {
        case .gap(let range):
            range.upperBound == length
                ? "Pack \(pack.value) ends in \(range.count) bytes that are no record, as a crash leaves them."
                : "Pack \(pack.value) has \(range.count) damaged bytes at \(range.lowerBound)."
        case .record(_, let location):
            "Pack \(pack.value) has a damaged record at \(location.offset)."
        }
    }

    /// The chain that ends in the group with the highest sequence, oldest first.
    private func chain(of groups: [FoundGroup], _ report: inout Report) -> [FoundGroup] {
        let byDigest = Dictionary(groups.map { ($0.digest, $0) }) { first, _ in first }
        let head = byDigest.values.max { ($0.lastSequence, $0.time) < ($1.lastSequence, $1.time) }
        var chain: [FoundGroup] = []
        var next = head
        while let group = next {
            chain.append(group)
            guard let previous = group.previous else { break }
            next = byDigest[previous]
            if next == nil {
                report.problems.append(
                    "The journal before sequence \(group.lastSequence) is lost: what was last saved before is missing.")
            }
        }
        return chain.reversed()
    }

    private func replay(
        _ chain: [FoundGroup], _ packs: DirectoryPackStore, into catalog: SQLiteCatalog, _ report: inout Report
    ) async throws(VaultError) {
        let reader = RecordReader(vault: catalog.vault, catalog: catalog, packs: packs)
        for found in chain {
            guard let bytes = try await reader.payload(found.digest, at: found.location),
                let group = JournalGroup(decoding: bytes.bytes)
            else { throw VaultError(.integrity, "A journal group can no longer be read.") }
            try await catalog.replay(group, digest: found.digest, at: found.location)
            report.groups += 1
            report.changes += group.changes.count
        }
    }
}
