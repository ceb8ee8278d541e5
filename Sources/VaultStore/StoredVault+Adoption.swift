import Synchronization
import VaultModel

extension StoredVault {
    var readOnly: VaultError {
        VaultError(.denied, "The vault in '\(place)' can only be read.", path: home?.directory)
    }

    /// Refuses a change of a vault that was opened for reading, and takes over an unfinished pack
    /// before the first one.
    func prepareToWrite() async throws(VaultError) {
        guard access != .readOnly else {
            throw readOnly
        }
        if hasAdopted.load(ordering: .acquiring) { return }
        try await adoption.withLock { () throws(VaultError) in
            guard !hasAdopted.load(ordering: .acquiring) else { return }
            let unfinished = try await catalog.packs().filter { $0.value < StoreLimits.packSealBytes }
            try await packs.adopt(Array(unfinished.keys)) { (pack) throws(VaultError) in
                try await committedLength(of: pack)
            }
            home?.reserve.fill()
            hasAdopted.store(true, ordering: .releasing)
        }
    }

    /// The length to which an unfinished pack may be cut.
    ///
    /// - Throws: `integrity` where the pack goes on with more than one commit that the catalog does not
    ///   know: a crash leaves one at most, so the catalog is an old copy, or has lost its log.
    private func committedLength(of pack: PackID) async throws(VaultError) -> UInt64? {
        guard let length = try await catalog.packs()[pack] else { return nil }
        var scanner = PackScanner(pack, from: length, length: StoreLimits.packBytesMax, vault: id, packs: packs)
        var continued: Set<Digest> = []
        while let item = try await scanner.next() {
            guard case .record(let header, let location) = item, header.kind == .journalGroup,
                let bytes = try await recordReader.payload(header.digest, at: location),
                let group = JournalGroup(decoding: bytes.bytes)
            else { continue }
            if group.isContinued { continued.insert(header.digest) }
            guard let previous = group.previous, !continued.contains(previous) else { continue }
            if try await catalog.journalLocations([previous])[0] == nil {
                throw VaultError(
                    .integrity,
                    "The catalog of '\(place)' is older than its packs: run 'minivault verify --repair' to rebuild it.",
                    path: home?.directory)
            }
        }
        return length
    }
}
