import Synchronization
package import VaultModel

/// Bytes that uploads of this process have stored, or are about to, and that the catalog has not recorded.
package final class QuotaReservations: Sendable {
    private let reserved = Mutex<UInt64>(0)

    package init() {}

    package var bytes: UInt64 { reserved.withLock { $0 } }

    /// Reserves room for bytes.
    ///
    /// - Parameter usage: how much is recorded, and allowed.
    /// - Throws: `quota` where there is no room; what `usage` throws.
    package func reserve(
        _ bytes: UInt64, usage: () async throws(VaultError) -> VaultUsage
    ) async throws(VaultError) {
        var reserved = self.reserved.withLock { reserved in
            reserved += bytes
            return reserved
        }
        do throws(VaultError) {
            // What is recorded between the looks at both counts twice: so the second look decides.
            for _ in 0..<2 {
                let usage = try await usage()
                guard let quota = usage.quota, usage.storedBytes + reserved > quota else { return }
                reserved = self.bytes
            }
            if let quota = try await usage().quota { throw VaultError.usedUp(quota) }
        } catch {
            end(bytes)
            throw error
        }
    }

    /// Ends a reservation: its bytes are recorded, or given up.
    package func end(_ bytes: UInt64) {
        reserved.withLock { $0 -= min($0, bytes) }
    }
}
