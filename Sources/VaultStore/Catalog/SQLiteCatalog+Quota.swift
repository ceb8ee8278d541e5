import Synchronization
package import VaultModel

extension SQLiteCatalog {
    package func reserve(_ bytes: UInt64) async throws(VaultError) {
        var reserved = reservedBytes.withLock { reserved in
            reserved += bytes
            return reserved
        }
        do throws(VaultError) {
            // What is recorded between the looks at both counts twice: so the second look decides.
            for _ in 0..<2 {
                let usage = try await usage()
                guard let quota = usage.quota, usage.storedBytes + reserved > quota else { return }
                reserved = reservedBytes.withLock { $0 }
            }
            if let quota = try await usage().quota { throw VaultError.usedUp(quota) }
        } catch {
            await giveBack(bytes)
            throw error
        }
    }

    package func giveBack(_ bytes: UInt64) async {
        endReservation(bytes)
    }

    func endReservation(_ bytes: UInt64) {
        reservedBytes.withLock { $0 -= min($0, bytes) }
    }
}
