import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func commit(
        _ calls: [CommitCall], vault: UniqueID, at time: Int64,
        append: ([PackRecord], ([PackLocation]) -> Void) async throws(VaultError) -> Appended
    ) async throws(VaultError) -> [[Result<CommitResult, VaultError>]] {
        try await writeLock.withLock { () throws(VaultError) in
            try begin()
            do throws(VaultError) {
                var (results, transaction) = try access { database in
                    let rows = SQLiteRows(database: database, catalog: self)
                    var transaction = try CommitTransaction(
                        rows, at: time, reservedBytes: reservations.bytes)
                    let results = try calls.map { try transaction.apply($0, rows) }
                    return (results, transaction)
                }
                guard transaction.hasEffect else {
                    rollBack()
                    return results
                }
                var noted = Result<Void, VaultError>.failure(.unplaced)
                let appended = try await append(transaction.records()) { locations in
                    noted = Result { () throws(VaultError) in
                        try access { database in
                            try transaction.finish(SQLiteRows(database: database, catalog: self), locations)
                        }
                    }
                }
                try noted.get()
                try commitTransaction()
                reservations.end(transaction.endedBytes)
                withExtendedLifetime(appended.hold) {}
                return results
            } catch {
                rollBack()
                throw error
            }
        }
    }

    package func answer(
        toCommit change: UniqueID, of user: String
    ) async throws(VaultError) -> Result<CommitResult, VaultError>? {
        try read { try SQLiteRows(database: $0, catalog: self).result(ofCommit: change, of: user) }
    }

    package func results(
        ofRepeated call: CommitCall
    ) async throws(VaultError) -> [Result<CommitResult, VaultError>]? {
        try read { try SQLiteRows(database: $0, catalog: self).results(ofRepeated: call) }
    }
}
