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
    /// - Throws: `notFound` where there is no vault at all, and where it cannot be told: `invalid` for a newer format,
    ///   whose catalog is not to be replaced by an older one, `denied` and `unavailable`.
    package func catalogIsSound() async throws(VaultError) -> Bool {
        switch try layout.state {
        case .vault: break
        case .packsOnly: return false
        case .absent, .other:
            throw .noVault(in: layout.directory)
        }
        do throws(VaultError) {
            let catalog = try await SQLiteCatalog(layout.catalog, files: files)
            let isSound: Result<Bool, VaultError>
            do throws(VaultError) {
                isSound = .success(try await catalog.isSound())
            } catch {
                isSound = .failure(error)
            }
            await catalog.close()
            return try isSound.get()
        } catch {
            if error.code == .integrity { return false }
            throw error
        }
    }

    /// Replaces the catalog by one made from the packs. The old file is kept beside it.
    ///
    /// The journal's groups form a chain, each naming the one before (see `JournalChain`). What a
    /// failed commit left is ignored. A crash leaves the vault to be repaired again.
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
        let chain = JournalChain(groups)
        for sequence in chain.gaps {
            report.problems.append("The journal before sequence \(sequence) has a gap: what was changed there is lost.")
        }
        if chain.groups.isEmpty, report.chunks > 0 {
            report.problems.append(
                "The packs hold chunks and no journal: which names and versions they were of is lost with the catalog.")
        }
        try await replay(chain.groups, packs, into: catalog, &report)
        try await takeOver(into: catalog)
        try await catalog.closeForMove()
        try put(path)
        return report
    }

    private func put(_ rebuilt: LocalPath) throws(VaultError) {
        let catalog = layout.catalog
        let old = layout.directory.appending("catalog.sqlite.damaged")
        try removeDatabase(old)
        // Step by step on the disk too: the old catalog without its log would be an older state, and
        // its log beside the new catalog would be taken for that one's.
        for suffixes in [[""], ["-wal", "-shm", "-journal"]] {
            for suffix in suffixes {
                do {
                    try files.rename(LocalPath(catalog.bytes + suffix.utf8), to: LocalPath(old.bytes + suffix.utf8))
                } catch  where error.code == .notFound {
                    continue
                }
            }
            try files.syncDirectory(layout.directory)
        }
        try files.rename(rebuilt, to: catalog)
        try files.syncDirectory(layout.directory)
    }

    /// Copies what the packs do not hold, the quota and the audit, as far as the old catalog still tells.
    private func takeOver(into catalog: SQLiteCatalog) async throws(VaultError) {
        guard let old = try? await SQLiteCatalog(layout.catalog, files: files, isReadOnly: true) else { return }
        if let quota = (try? await old.usage())?.quota { try await catalog.setQuota(quota) }
        var sequence: UInt64 = 0
        while let page = try? await old.audit(since: .min, after: sequence, limit: 4096), let last = page.last {
            try await catalog.restore(page)
            sequence = last.sequences.upperBound
        }
        await old.close()
    }

    private func removeDatabase(_ path: LocalPath) throws(VaultError) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
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

    private func scan(
        _ packs: DirectoryPackStore, _ vault: UniqueID, into catalog: SQLiteCatalog, _ report: inout Report
    ) async throws(VaultError) -> [FoundGroup] {
        let reader = RecordReader(vault: vault, catalog: catalog, packs: packs)
        var groups: [FoundGroup] = []
        for (pack, status) in try await packs.list().sorted(by: { $0.key.value.high < $1.key.value.high }) {
            let length = status.length
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
                guard header.kind == .journalGroup else {
                    found.append(StoredChunk(digest: header.digest, location: location, isDamaged: false))
                    continue
                }
                guard let group = JournalGroup(decoding: bytes.bytes) else {
                    report.problems.append(
                        "Pack \(pack.value) has a journal group of an unknown format at \(location.offset).")
                    continue
                }
                groups.append(
                    FoundGroup(
                        digest: header.digest, previous: group.previous, firstSequence: group.firstSequence,
                        lastSequence: group.lastSequence, isContinued: group.isContinued, time: group.time,
                        location: location))
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

    private func replay(
        _ chain: [FoundGroup], _ packs: DirectoryPackStore, into catalog: SQLiteCatalog, _ report: inout Report
    ) async throws(VaultError) {
        let reader = RecordReader(vault: catalog.vault, catalog: catalog, packs: packs)
        for found in chain {
            guard let bytes = try await reader.payload(found.digest, at: found.location),
                let group = JournalGroup(decoding: bytes.bytes)
            else { throw VaultError(.integrity, "A journal group can no longer be read.") }
            let stored = StoredGroup(
                lastSequence: group.lastSequence, digest: found.digest, location: found.location, time: group.time)
            try await catalog.replay(group, stored)
            report.groups += 1
            report.changes += group.changes.count
        }
    }
}
