import GRDB
package import VaultModel

extension SQLiteCatalog {
    /// Whether SQLite finds the file whole, and every row of the vault's truth can be read.
    func isSound() async throws(VaultError) -> Bool {
        let isWhole = try read { database in
            let check = try Query(database, "PRAGMA integrity_check(1)")
            defer { check.finish() }
            return try check.step() && check.text(0) == "ok"
        }
        guard isWhole else { return false }
        do throws(VaultError) {
            try await readAll()
            return true
        } catch {
            if error.code == .integrity { return false }
            throw error
        }
    }

    private func readAll() async throws(VaultError) {
        try read { database in
            for table in ["entry", "version"] {
                let rows = try Query(
                    database,
                    table == "entry"
                        ? "SELECT object, since, coalesce(name, '-'), \(SQLiteCatalog.versionColumns) FROM entry"
                        : "SELECT object, until, '-', \(SQLiteCatalog.versionColumns) FROM version")
                while try rows.step() { _ = try SQLiteCatalog.storedVersion(rows) }
            }
            let former = try Query(database, "SELECT name, since, object, until FROM former_name")
            while try former.step() {
                _ = try former.name(0)
                for column: Int32 in 1...3 { _ = try former.count(column) }
            }
            let retired = try Query(database, "SELECT name, last_version FROM retired_name")
            while try retired.step() { _ = (try retired.name(0), try retired.count(1)) }
            _ = try SQLiteRows(database: database, catalog: self).state()
        }
        _ = try await packs()
        var digest: Digest?
        while let last = try await chunks(after: digest, limit: StoreLimits.recordsVisitedMax).last {
            digest = last.digest
        }
        var sequence: UInt64 = 0
        while let last = try await journal(after: sequence, limit: StoreLimits.recordsVisitedMax).last {
            sequence = last.lastSequence
        }
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
