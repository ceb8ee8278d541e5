import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func known(_ digests: [Digest]) async throws(VaultError) -> [Bool] {
        try read { database in try digests.map { try SQLiteCatalog.isKnown(database, $0) } }
    }

    static func isKnown(_ database: Database, _ digest: Digest) throws -> Bool {
        var query = try Query(database, "SELECT 1 FROM chunk WHERE digest = ? AND damaged = 0")
        query.bind(digest)
        defer { query.finish() }
        return try query.step()
    }

    package func received(_ digests: [Digest], by user: String) async throws(VaultError) -> [Bool] {
        try read { database in
            try digests.map { digest in
                var query = try Query(
                    database,
                    // In this order: a look at the chunk first would take another time where others have it.
                    """
                    SELECT 1 FROM upload_chunk CROSS JOIN upload ON upload.id = upload_chunk.upload
                    CROSS JOIN chunk ON chunk.digest = upload_chunk.digest
                    WHERE upload_chunk.digest = ? AND upload.user = ? AND chunk.damaged = 0 LIMIT 1
                    """)
                query.bind(digest)
                query.bind(text: user)
                defer { query.finish() }
                return try query.step()
            }
        }
    }

    package func locations(_ digests: [Digest]) async throws(VaultError) -> [PackLocation?] {
        try locations(of: digests, in: "chunk", where: "chunk.damaged = 0")
    }

    package func journalLocations(_ digests: [Digest]) async throws(VaultError) -> [PackLocation?] {
        try locations(of: digests, in: "journal_group", where: "true")
    }

    private func locations(
        of digests: [Digest], in table: String, where condition: String
    ) throws(VaultError) -> [PackLocation?] {
        try read { database in
            let sql = """
                SELECT pack.id, \(table).offset, \(table).length FROM \(table) JOIN pack ON pack.number = \(table).pack
                WHERE \(table).digest = ? AND \(condition)
                """
            return try digests.map { digest in
                var query = try Query(database, sql)
                query.bind(digest)
                defer { query.finish() }
                return try query.step() ? SQLiteCatalog.location(query, from: 0) : nil
            }
        }
    }

    /// Reads a location from the columns pack id, offset, length.
    static func location(_ query: Query, from column: Int32) throws -> PackLocation {
        let (offset, length) = (try query.count(column + 1), try query.count(column + 2))
        guard let pack = UniqueID(query.bytes(column)), offset <= StoreLimits.packBytesMax,
            length <= UInt64(StoreLimits.recordBytesMax)
        else { throw query.damage("the place of a record") }
        return PackLocation(pack: PackID(pack), offset: offset, length: UInt32(length))
    }

    package func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UInt64 {
        try read { database in
            let rows = SQLiteRows(database: database, catalog: self)
            let transaction = try CommitTransaction(rows, at: 0, reservedBytes: 0)
            try transaction.check(intent, rows)
            return transaction.epoch
        }
    }

    package func epoch() async throws(VaultError) -> UInt64 {
        try read { try SQLiteRows(database: $0, catalog: self).state().epoch }
    }

    package func journal(after sequence: UInt64, limit: Int) async throws(VaultError) -> [StoredGroup] {
        try read { database in
            var query = try Query(
                database,
                """
                SELECT journal_group.last_sequence, journal_group.digest, pack.id, journal_group.offset, journal_group.length,
                  journal_group.time
                FROM journal_group JOIN pack ON pack.number = journal_group.pack
                WHERE last_sequence > ? ORDER BY last_sequence LIMIT ?
                """)
            query.bind(sequence)
            query.bind(Int64(limit))
            var groups: [StoredGroup] = []
            while try query.step() {
                let last = try query.count(0)
                try query.checkOrder(last > sequence)
                groups.append(
                    StoredGroup(
                        lastSequence: last, digest: try query.digest(1),
                        location: try SQLiteCatalog.location(query, from: 2), time: try query.int(5)))
            }
            return groups
        }
    }

    func insert(_ group: StoredGroup, _ database: Database) throws {
        var note = try Query(
            database,
            "UPDATE vault SET setbacks = setbacks + 1 WHERE (SELECT max(time) FROM journal_group) > ?")
        note.bind(group.time)
        try note.first()
        var count = try Query(database, "UPDATE vault SET journal_bytes = journal_bytes + ?")
        count.bind(group.location.storedBytes)
        try count.first()
        var insert = try Query(
            database,
            "INSERT INTO journal_group (last_sequence, time, digest, pack, offset, length) VALUES (?, ?, ?, ?, ?, ?)")
        insert.bind(group.lastSequence)
        insert.bind(group.time)
        insert.bind(group.digest)
        insert.bind(try number(database, of: group.location.pack, length: group.location.end))
        insert.bind(group.location.offset)
        insert.bind(Int64(group.location.length))
        try insert.first()
    }

    package func journalHead() async throws(VaultError) -> JournalHead {
        try read { try SQLiteCatalog.journalHead($0) }
    }

    static func journalHead(_ database: Database) throws -> JournalHead {
        let query = try Query(
            database, "SELECT last_sequence, digest, time FROM journal_group ORDER BY last_sequence DESC LIMIT 1")
        defer { query.finish() }
        guard try query.step() else { return JournalHead(sequence: 0, digest: nil, time: 0) }
        return JournalHead(sequence: try query.count(0), digest: try query.digest(1), time: try query.int(2))
    }

    /// Makes stored chunks known, unless they are known undamaged.
    ///
    /// The row of a chunk that is charged is written in any case: that costs as much as a new one.
    ///
    /// - Parameter isPending: whether only an unfinished upload needs them.
    /// - Returns: the bytes by which each counts from now on; 0 for one that counts already.
    func insert(stored: [ReceivedChunk], isPending: Bool, _ database: Database) throws -> [UInt64] {
        var numbers: [PackID: Int64] = [:]
        for (pack, chunks) in Dictionary(grouping: stored, by: \.location.pack) {
            numbers[pack] = try number(database, of: pack, length: chunks.map(\.location.end).max() ?? 0)
        }
        return try stored.map { chunk in
            var insert = try Query(
                database,
                chunk.isCharged
                    ? """
                    INSERT INTO chunk (digest, pack, offset, length, pending) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (digest) DO UPDATE
                    SET pack = iif(damaged, excluded.pack, pack), offset = iif(damaged, excluded.offset, offset),
                      length = iif(damaged, excluded.length, length), damaged = 0,
                      pending = min(pending, excluded.pending)
                    """
                    : """
                    INSERT INTO chunk (digest, pack, offset, length, pending) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (digest) DO UPDATE
                    SET pack = excluded.pack, offset = excluded.offset, length = excluded.length, damaged = 0,
                      pending = min(pending, excluded.pending)
                    WHERE damaged <> 0
                    """)
            insert.bind(chunk.digest)
            insert.bind(numbers[chunk.location.pack] ?? 0)
            insert.bind(chunk.location.offset)
            insert.bind(Int64(chunk.location.length))
            insert.bind(Int64(isPending ? 1 : 0))
            try insert.first()
            return database.changesCount > 0 ? chunk.location.storedBytes : 0
        }
    }

    package func packs() async throws(VaultError) -> [PackID: UInt64] {
        try read { database in
            let query = try Query(database, "SELECT id, length FROM pack")
            var packs: [PackID: UInt64] = [:]
            while try query.step() {
                guard let id = UniqueID(query.bytes(0)) else { throw query.damage("a pack's id") }
                packs[PackID(id)] = try query.count(1)
            }
            return packs
        }
    }
}
