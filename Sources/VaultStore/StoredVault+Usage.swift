package import VaultModel

/// How much a vault stores, and how much it may.
package struct VaultUsage: Sendable, Equatable {
    /// Bytes of chunks and list nodes of versions and of uploads, headers included.
    package var storedBytes: UInt64
    /// Nil for no limit.
    package var quota: UInt64?

    package init(storedBytes: UInt64, quota: UInt64?) {
        self.storedBytes = storedBytes
        self.quota = quota
    }
}

extension StoredVault {
    package func usage() async throws(VaultError) -> VaultUsage {
        try await catalog.usage()
    }

    /// Sets how many bytes the vault may store; nil for no limit.
    ///
    /// A quota below what is stored removes nothing: it refuses what is new with `quota`. Dropped
    /// versions count until the next collection.
    package func setQuota(_ bytes: UInt64?) async throws(VaultError) {
        guard access != .readOnly else { throw readOnly }
        try await catalog.setQuota(bytes)
    }
}

extension VaultError {
    package static func usedUp(_ quota: UInt64) -> VaultError {
        VaultError(
            .quota, "The vault's quota of \(text(quota)) is used up: remove what is not needed, or ask for more.")
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
