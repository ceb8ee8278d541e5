import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func lease(_ id: UniqueID, at time: Int64) async throws(VaultError) {
        try await write { database in
            var insert = try Query(
                database,
                """
                INSERT INTO lease (id, sequence, renewed_at) SELECT ?, sequence, ? FROM vault WHERE true
                ON CONFLICT (id) DO UPDATE SET renewed_at = excluded.renewed_at
                """)
            insert.bind(blob: id.bytes)
            insert.bind(time)
            try insert.first()
        }
    }

    package func endLease(_ id: UniqueID) async throws(VaultError) {
        try await write { database in
            var delete = try Query(database, "DELETE FROM lease WHERE id = ?")
            delete.bind(blob: id.bytes)
            try delete.first()
        }
    }

    package func forgetUnused(
        at time: Int64, node: (Digest) async throws(VaultError) -> ListNode
    ) async throws(VaultError) -> ForgottenContent {
        try await writeLock.withLock { () throws(VaultError) in
            try begin()
            do throws(VaultError) {
                try accessInterruptibly { database in
                    try SQLiteCatalog.startMarking(database, at: time)
                    try SQLiteCatalog.markRoots(of: ["entry", "version"], for: .versions, database)
                }
                try await mark(for: .versions, node)
                try accessInterruptibly { try SQLiteCatalog.markRoots(of: ["dropped"], for: .reads, $0) }
                try await mark(for: .reads, node)
                let retained = try accessInterruptibly { database in
                    try SQLiteCatalog.markUploads(database)
                    return try SQLiteCatalog.retained(database)
                }
                let count = try accessInterruptibly { try SQLiteCatalog.sweep($0) }
                try commitTransaction()
                return ForgottenContent(chunks: count, retained: retained)
            } catch {
                rollBack()
                throw error
            }
        }
    }

    private func accessInterruptibly<Value>(_ body: (Database) throws -> Value) throws(VaultError) -> Value {
        try access { database in try interruptible(database) { try body(database) } }
    }

    /// Removes what has run out, so that nothing is marked for it. What is dated far ahead has been dated by a clock that
    /// was wrong, and would stay for as long.
    private static func startMarking(_ database: Database, at time: Int64) throws {
        try database.execute(
            sql: """
                CREATE TEMP TABLE IF NOT EXISTS live (digest BLOB PRIMARY KEY, need INTEGER NOT NULL) WITHOUT ROWID;
                CREATE INDEX IF NOT EXISTS temp.live_need ON live (need) WHERE need > 0;
                CREATE TEMP TABLE IF NOT EXISTS node (digest BLOB PRIMARY KEY) WITHOUT ROWID;
                DELETE FROM live;
                DELETE FROM node;
                """)
        try database.execute(
            sql: "DELETE FROM upload WHERE touched_at NOT BETWEEN ? AND ?",
            arguments: [time - StoreLimits.uploadSeconds, time + StoreLimits.uploadSeconds])
        try database.execute(sql: "DELETE FROM upload_chunk WHERE upload NOT IN (SELECT id FROM upload)")
        try database.execute(
            sql: "DELETE FROM lease WHERE renewed_at NOT BETWEEN ? AND ?",
            arguments: [time - StoreLimits.leaseSeconds, time + StoreLimits.leaseSeconds])
        try database.execute(
            sql:
                "DELETE FROM dropped WHERE sequence <= (SELECT coalesce(min(sequence), 9223372036854775807) FROM lease)"
        )
        try pruneAudit(at: time, database)
    }

    /// Marks the roots of versions: those there are, and those that leases still protect.
    private static func markRoots(of tables: [String], for need: Need, _ database: Database) throws {
        for table in tables {
            try database.execute(sql: "INSERT OR IGNORE INTO live SELECT root, \(need.rawValue) FROM \(table)")
            try database.execute(sql: "INSERT OR IGNORE INTO node SELECT root FROM \(table) WHERE depth > 0")
        }
    }

    private static func markUploads(_ database: Database) throws {
        try database.execute(
            sql: "INSERT OR IGNORE INTO live SELECT digest, \(Need.uploads.rawValue) FROM upload_chunk")
    }

    /// Chunks that are marked for reads and for uploads only.
    private static func retained(_ database: Database) throws -> [CollectionReport.Retained] {
        let bytes = try Query(
            database,
            """
            SELECT live.need, sum(chunk.length + \(RecordHeader.byteCount)) FROM live
            JOIN chunk ON chunk.digest = live.digest WHERE live.need > 0 GROUP BY live.need ORDER BY live.need
            """)
        var retained: [CollectionReport.Retained] = []
        while try bytes.step() {
            guard let need = Need(rawValue: try bytes.int(0)), let holders = need.holders() else { continue }
            let query = try Query(database, holders)
            defer { query.finish() }
            guard try query.step() else { continue }
            let found = need.retained(
                bytes: try bytes.count(1), holders: try query.int(0), newest: try query.int(1))
            if let found { retained.append(found) }
        }
        return retained
    }

    /// Marks what the marked list nodes name, level by level.
    private func mark(
        for need: Need, _ read: (Digest) async throws(VaultError) -> ListNode
    ) async throws(VaultError) {
        while let digest = try access({ try SQLiteCatalog.popNode($0) }) {
            if Task.isCancelled { throw .cancelled }
            let node = try await read(digest)
            try access { database in
                for reference in node.references {
                    var insert = try Query(database, "INSERT OR IGNORE INTO live VALUES (?, ?)")
                    insert.bind(reference.digest)
                    insert.bind(need.rawValue)
                    try insert.first()
                    // A node that was marked before has been, or will be, looked into.
                    guard node.level > 1, database.changesCount > 0 else { continue }
                    var descend = try Query(database, "INSERT OR IGNORE INTO node VALUES (?)")
                    descend.bind(reference.digest)
                    try descend.first()
                }
            }
        }
    }

    private static func popNode(_ database: Database) throws -> Digest? {
        let query = try Query(database, "SELECT digest FROM node LIMIT 1")
        guard try query.step() else { return nil }
        let digest = try query.digest(0)
        query.finish()
        var delete = try Query(database, "DELETE FROM node WHERE digest = ?")
        delete.bind(digest)
        try delete.first()
        return digest
    }

    private static func sweep(_ database: Database) throws -> Int {
        try database.execute(sql: "DELETE FROM chunk WHERE digest NOT IN (SELECT digest FROM live)")
        let count = database.changesCount
        try database.execute(
            sql: """
                UPDATE chunk SET pending = 1 WHERE pending = 0
                AND digest IN (SELECT digest FROM live WHERE need = \(Need.uploads.rawValue))
                """)
        // A chunk that only uploads need may give way, also under one that has been told that the vault has it.
        let isLess = count > 0 || database.changesCount > 0
        try database.execute(
            sql: """
                UPDATE chunk SET pending = 0 WHERE pending <> 0
                AND digest IN (SELECT digest FROM live WHERE need <> \(Need.uploads.rawValue));
                DELETE FROM live;
                \(countStoredBytes);
                """)
        if isLess { try database.execute(sql: "UPDATE vault SET epoch = epoch + 1") }
        return count
    }

    /// Counts anew what the quota is about: undamaged chunks and list nodes, those of uploads, and the journal.
    static let countStoredBytes = """
        UPDATE vault SET stored_bytes =
          (SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0) FROM chunk WHERE damaged = 0 AND pending = 0),
          pending_bytes = (SELECT coalesce(sum(bytes), 0) FROM upload_chunk) +
            (SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0) FROM chunk WHERE damaged = 0 AND pending <> 0),
          journal_bytes = (SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0) FROM journal_group)
        """

    package func usedBytes() async throws(VaultError) -> [PackID: UInt64] {
        try read { database in
            let header = RecordHeader.byteCount
            let query = try Query(
                database,
                """
                SELECT pack.id, sum(used.bytes) FROM (
                  SELECT pack, sum(length + \(header)) AS bytes FROM chunk GROUP BY pack
                  UNION ALL
                  SELECT pack, sum(length + \(header)) FROM journal_group GROUP BY pack
                ) AS used JOIN pack ON pack.number = used.pack GROUP BY pack.id
                """)
            var used: [PackID: UInt64] = [:]
            while try query.step() {
                if let id = UniqueID(query.bytes(0)) { used[PackID(id)] = try query.count(1) }
            }
            return used
        }
    }

    package func relocate(_ moved: [Relocation]) async throws(VaultError) {
        try await write { database in
            for move in moved {
                let table = move.kind == .journalGroup ? "journal_group" : "chunk"
                var update = try Query(
                    database,
                    """
                    UPDATE \(table) SET pack = ?, offset = ? WHERE digest = ? AND offset = ?
                    AND pack = (SELECT number FROM pack WHERE id = ?)
                    """)
                update.bind(try self.number(database, of: move.to.pack, length: move.to.end))
                update.bind(move.to.offset)
                update.bind(move.digest)
                update.bind(move.from.offset)
                update.bind(blob: move.from.pack.value.bytes)
                try update.first()
            }
        }
    }

    package func forget(_ packs: [PackID]) async throws(VaultError) {
        try await write { database in
            // No index leads from packs to their records: one look at all of these is for all packs.
            var used: Set<Int64> = []
            let query = try Query(database, "SELECT DISTINCT pack FROM chunk UNION SELECT pack FROM journal_group")
            while try query.step() { used.insert(try query.int(0)) }
            for pack in packs {
                var find = try Query(database, "SELECT number FROM pack WHERE id = ?")
                find.bind(blob: pack.value.bytes)
                let number = try find.step() ? find.int(0) : nil
                find.finish()
                guard let number, !used.contains(number) else { continue }
                var delete = try Query(database, "DELETE FROM pack WHERE number = ?")
                delete.bind(number)
                try delete.first()
            }
        }
    }

    package func disown(_ packs: [PackID], at time: Int64) async throws(VaultError) -> Set<PackID> {
        try read { database in
            Set(
                try packs.filter { pack in
                    var query = try Query(database, "SELECT 1 FROM pack WHERE id = ?")
                    query.bind(blob: pack.value.bytes)
                    defer { query.finish() }
                    return try !query.step()
                })
        }
    }

    package func forgetOrigins(of names: [Name]) async throws(VaultError) {
        try await write { database in
            for name in names {
                var update = try Query(database, "UPDATE entry SET changed = NULL, inode = NULL WHERE name = ?")
                update.bind(text: name.bytes)
                try update.first()
            }
        }
    }

    package func withdraw(_ damaged: [PackLocation: Digest]) async throws(VaultError) {
        try await mark(damaged, isDamaged: true)
    }

    package func reinstate(_ found: [PackLocation: Digest]) async throws(VaultError) {
        try await mark(found, isDamaged: false)
    }

    private func mark(_ chunks: [PackLocation: Digest], isDamaged: Bool) async throws(VaultError) {
        try await write { database in
            for (location, digest) in chunks {
                var update = try Query(
                    database,
                    """
                    UPDATE chunk SET damaged = ? WHERE digest = ? AND offset = ?
                    AND pack = (SELECT number FROM pack WHERE id = ?)
                    """)
                update.bind(Int64(isDamaged ? 1 : 0))
                update.bind(digest)
                update.bind(location.offset)
                update.bind(blob: location.pack.value.bytes)
                try update.first()
            }
            try database.execute(sql: "UPDATE vault SET epoch = epoch + 1; \(SQLiteCatalog.countStoredBytes)")
        }
    }

    package func chunks(after: Digest?, limit: Int) async throws(VaultError) -> [StoredChunk] {
        try read { database in
            var query = try Query(
                database,
                """
                SELECT chunk.digest, pack.id, chunk.offset, chunk.length, chunk.damaged
                FROM chunk LEFT JOIN pack ON pack.number = chunk.pack
                WHERE chunk.digest > ? ORDER BY chunk.digest LIMIT ?
                """)
            if let after { query.bind(after) } else { query.bind(blob: []) }
            query.bind(Int64(limit))
            var chunks: [StoredChunk] = []
            while try query.step() {
                let isLost = query.isNull(1)
                chunks.append(
                    StoredChunk(
                        digest: try query.digest(0),
                        location: isLost
                            ? PackLocation(pack: PackID(), offset: 0, length: 0)
                            : try SQLiteCatalog.location(query, from: 1),
                        isDamaged: try isLost || query.flag(4)))
            }
            if let after, let last = chunks.last {
                try query.checkOrder(after.bytes.lexicographicallyPrecedes(last.digest.bytes))
            }
            return chunks
        }
    }
}
