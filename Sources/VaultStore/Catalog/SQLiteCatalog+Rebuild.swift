import GRDB
package import VaultModel

extension SQLiteCatalog {
    /// Whether SQLite finds the file whole.
    func isSound() throws(VaultError) -> Bool {
        try read { try String.fetchAll($0, sql: "PRAGMA integrity_check") == ["ok"] }
    }

    /// Closes a catalog whose file is complete by itself afterwards, without a log beside it.
    func closeForMove() async throws(VaultError) {
        try emptyLog()
        do {
            try pool.close()
        } catch {
            throw catalogError(error, path)
        }
    }

    /// Makes the chunks found in a pack known.
    func restore(_ chunks: [StoredChunk], of pack: PackID, length: UInt64) async throws(VaultError) {
        try await write { database in
            let number = try self.number(database, of: pack, length: length)
            for chunk in chunks {
                var insert = try Query(
                    database, "INSERT OR IGNORE INTO chunk (digest, pack, offset, length) VALUES (?, ?, ?, ?)")
                insert.bind(chunk.digest)
                insert.bind(number)
                insert.bind(chunk.location.offset)
                insert.bind(Int64(chunk.location.length))
                try insert.first()
            }
            try database.execute(sql: SQLiteCatalog.countStoredBytes)
        }
    }

    package func restore(_ records: [AuditRecord]) async throws(VaultError) {
        try await write { database in
            for record in records { try SQLiteCatalog.insert(record, database) }
        }
    }

    package func replay(_ groups: [(group: JournalGroup, stored: StoredGroup)]) async throws(VaultError) {
        try await write { try SQLiteRows(database: $0, catalog: self).replay(groups) }
    }

    /// Applies a group again that the packs hold, whatever is lost before it.
    func replay(_ group: JournalGroup, _ stored: StoredGroup) async throws(VaultError) {
        try await write { database in
            try SQLiteRows(database: database, catalog: self).replay([(group, stored)], isContinuous: false)
        }
    }
}
