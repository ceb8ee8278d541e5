package import VaultModel

/// How much a vault stores, and how much it may.
package struct VaultUsage: Sendable, Equatable {
    /// Bytes of chunks and list nodes of versions, headers included.
    package var contentBytes: UInt64
    /// The same of unfinished uploads. What nobody is at work on gives way where there would be no room.
    package var pendingBytes: UInt64 = 0
    package var journalBytes: UInt64 = 0
    /// Bytes of the catalog: names, tags, versions, answers, audit.
    package var catalogBytes: UInt64 = 0
    /// Nil for no limit.
    package var quota: UInt64?

    package init(
        contentBytes: UInt64, pendingBytes: UInt64 = 0, journalBytes: UInt64 = 0, catalogBytes: UInt64 = 0,
        quota: UInt64?
    ) {
        // Whatever a catalog says, the sum of a few can be made.
        let bytesMax: UInt64 = 1 << 60
        self.contentBytes = min(contentBytes, bytesMax)
        self.pendingBytes = min(pendingBytes, bytesMax)
        self.journalBytes = min(journalBytes, bytesMax)
        self.catalogBytes = min(catalogBytes, bytesMax)
        self.quota = quota.map { min($0, bytesMax) }
    }

    mutating func give(back freed: FreedRoom) {
        pendingBytes -= min(pendingBytes, freed.pendingBytes)
        catalogBytes -= min(catalogBytes, freed.catalogBytes)
    }

    /// Bytes that count for what is there. Records that every vault has are free.
    package var storedBytes: UInt64 {
        let recordBytes = journalBytes + catalogBytes
        return contentBytes + (recordBytes - min(recordBytes, StoreLimits.freeRecordBytes))
    }

    /// Whether there are more records than are free.
    package var areRecordsCounted: Bool { journalBytes + catalogBytes > StoreLimits.freeRecordBytes }

    /// How far the vault is above its quota; 0 where it is not.
    ///
    /// - Parameters:
    ///   - reserved: bytes that are about to be stored.
    ///   - isMakingRoom: whether it is for a removal, which may go somewhat beyond.
    package func excess(_ reserved: UInt64 = 0, isMakingRoom: Bool = false) -> UInt64 {
        guard let quota else { return 0 }
        let room = isMakingRoom ? quota + quota / 32 + StoreLimits.removalRoomBytes : quota
        let used = storedBytes + pendingBytes + reserved
        return used - min(used, room)
    }
}

extension StoredVault {
    package func usage() async throws(VaultError) -> VaultUsage {
        try await catalog.usage()
    }

    /// Sets how many bytes the vault may store; nil for no limit.
    ///
    /// A quota below what is stored removes nothing: it refuses what is new with `quota`. Dropped versions count until
    /// the next collection.
    package func setQuota(_ bytes: UInt64?) async throws(VaultError) {
        guard access != .readOnly else { throw readOnly }
        try await catalog.setQuota(bytes)
    }
}

extension VaultError {
    package static func usedUp(_ quota: UInt64) -> VaultError {
        VaultError(
            .quota,
            "The vault's quota of \(text(quota)) is used up: remove what is not needed, then 'minivault keep' and "
                + "'minivault gc' make room, or ask for more.")
    }

    /// In the largest unit that shows it whole.
    private static func text(_ bytes: UInt64) -> String {
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] as [(UInt64, String)]
        where bytes >= 1 << shift && bytes % (1 << shift) == 0 {
            return "\(bytes >> shift) \(unit)"
        }
        return "\(bytes) bytes"
    }
}
