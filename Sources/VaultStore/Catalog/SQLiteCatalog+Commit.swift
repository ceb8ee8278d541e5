import GRDB
import Synchronization
package import VaultModel

extension SQLiteCatalog {
    package func commit(
        _ calls: [CommitCall], vault: UniqueID, at time: Int64,
        append: ([PackRecord]) async throws(VaultError) -> Appended
    ) async throws(VaultError) -> [[Result<CommitResult, VaultError>]] {
        try await writeLock.withLock { () throws(VaultError) in
            try begin()
            do throws(VaultError) {
                var (results, transaction) = try access { database in
                    var transaction = try CommitTransaction(
                        database, at: time, reservedBytes: reservedBytes.withLock { $0 })
                    let results = try calls.map { try transaction.apply($0, database) }
                    return (results, transaction)
                }
                guard transaction.hasEffect else {
                    rollBack()
                    return results
                }
                let appended = try await append(transaction.records())
                try access { try transaction.finish($0, appended.locations, self) }
                try commitTransaction()
                endReservation(transaction.endedBytes)
                withExtendedLifetime(appended.hold) {}
                return results
            } catch {
                rollBack()
                throw error
            }
        }
    }
}
