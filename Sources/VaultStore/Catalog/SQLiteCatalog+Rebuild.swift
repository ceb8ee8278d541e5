import GRDB
import VaultModel

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

    /// Takes over records of the audit.
    func restore(_ records: [AuditRecord]) async throws(VaultError) {
        try await write { database in
            for record in records { try SQLiteCatalog.insert(record, database) }
        }
    }

    /// Applies a group of the journal again.
    func replay(_ group: JournalGroup, digest: Digest, at location: PackLocation) async throws(VaultError) {
        try await write { database in
            for (index, change) in group.changes.enumerated() {
                let sequence = group.firstSequence + UInt64(index)
                try SQLiteCatalog.apply(change, sequence: sequence, time: group.time, database)
            }
            try self.insert(
                StoredGroup(lastSequence: group.lastSequence, digest: digest, location: location, time: group.time),
                database)
            var update = try Query(database, "UPDATE vault SET sequence = ?")
            update.bind(group.lastSequence)
            try update.first()
        }
    }
}
