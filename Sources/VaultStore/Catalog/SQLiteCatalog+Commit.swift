import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func commit(
        _ calls: [CommitCall], at time: Int64, into packs: any PackStore
    ) async throws(VaultError) -> [[Result<CommitResult, VaultError>]] {
        try await writeLock.withLock { () throws(VaultError) in
            try begin()
            let storage = CommitStorage(packs)
            do throws(VaultError) {
                var (results, transaction) = try access { try decide(calls, at: time, storage, $0) }
                guard transaction.hasEffect else {
                    rollBack()
                    return results
                }
                var noted = Result<Void, VaultError>.failure(.unplaced)
                let appended = try await storage.store(transaction.records()) { locations in
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
                await storage.discard()
                throw error
            }
        }
    }

    private func decide(
        _ calls: [CommitCall], at time: Int64, _ storage: CommitStorage, _ database: Database
    ) throws -> ([[Result<CommitResult, VaultError>]], CommitTransaction<SQLiteRows>) {
        let rows = SQLiteRows(database: database, catalog: self)
        var transaction = try CommitTransaction(
            rows, at: time, reservedBytes: reservations.bytes, spill: { try storage.spill($0) })
        return (try transaction.apply(calls, rows, within: StoreLimits.fileCommitWork), transaction)
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
