import Synchronization
package import VaultModel

/// Bytes that uploads of this process have stored, or are about to, and that the catalog has not recorded; and the
/// uploads that are under way.
package final class QuotaReservations: Sendable {
    private let reserved = Mutex<UInt64>(0)
    private let held = Mutex<Set<UploadID>>([])

    package init() {}

    package var bytes: UInt64 { reserved.withLock { $0 } }

    package func hold(_ upload: UploadID) { _ = held.withLock { $0.insert(upload) } }
    package func release(_ upload: UploadID) { _ = held.withLock { $0.remove(upload) } }
    package func isHeld(_ upload: UploadID) -> Bool { held.withLock { $0.contains(upload) } }

    /// Reserves room for bytes.
    ///
    /// - Parameters:
    ///   - usage: how much is recorded, and allowed.
    ///   - makeRoom: forgets so many bytes of uploads that nobody is at work on, as far as there are some.
    /// - Throws: `quota` where there is no room; what the parameters throw.
    package func reserve(
        _ bytes: UInt64, usage: () async throws(VaultError) -> VaultUsage,
        makeRoom: (UInt64) async throws(VaultError) -> Void
    ) async throws(VaultError) {
        var reserved = self.reserved.withLock { reserved in
            reserved += bytes
            return reserved
        }
        do throws(VaultError) {
            // Bytes that are recorded between the looks at both count twice: so one look more decides.
            for look in 0..<4 {
                let usage = try await usage()
                let excess = usage.excess(reserved)
                if excess == 0 { return }
                if look == 1 { try await makeRoom(excess) }
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
