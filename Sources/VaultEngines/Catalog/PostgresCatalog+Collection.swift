package import VaultModel
package import VaultStore

extension PostgresCatalog {
    package func lease(_ id: UniqueID, at time: Int64) async throws(VaultError) {
        // A collection that is at work needs not see it: while it is, nothing changes, so that it keeps all that is
        // needed now.
        try await ask(
            """
            INSERT INTO lease (vault, id, sequence, renewed_at) SELECT $1, $2, sequence, $3 FROM vault
            WHERE number = $1 ON CONFLICT (vault, id) DO UPDATE SET renewed_at = excluded.renewed_at
            """, [vaultValue, .bytes(id.bytes), .int(time)]
        ) { _ in }
    }

    package func endLease(_ id: UniqueID) async throws(VaultError) {
        try await ask("DELETE FROM lease WHERE vault = $1 AND id = $2", [vaultValue, .bytes(id.bytes)]) { _ in }
    }

    package func forgetUnused(
        at time: Int64, node: (Digest) async throws(VaultError) -> ListNode
    ) async throws(VaultError) -> ForgottenContent {
        // One at a time: it needs a second connection, to read with.
        try await pool.collecting.withLock { () async throws(VaultError) in
            try await lock.withLock { () async throws(VaultError) in try await forgetUnusedAlone(at: time, node: node) }
        }
    }

    private func forgetUnusedAlone(
        at time: Int64, node: (Digest) async throws(VaultError) -> ListNode
    ) async throws(VaultError) -> ForgottenContent {
        try await pool.with(isRepeatable: false) { connection in
            do {
                try startMarking(at: time, connection)
                try markRoots(of: ["entry", "version"], for: .versions, connection)
                try await mark(for: .versions, node, connection)
                try markRoots(of: ["dropped"], for: .reads, connection)
                try await mark(for: .reads, node, connection)
                try markUploads(connection)
                let retained = try retained(connection)
                let count = try sweep(connection)
                try connection.run("COMMIT")
                return ForgottenContent(chunks: count, retained: retained)
            } catch {
                connection.rollBack()
                throw error
            }
        }
    }

    /// Removes what has run out, so that nothing is marked for it.
    private func startMarking(at time: Int64, _ connection: PostgresConnection) throws {
        try run(
            [
                PostgresQuery("BEGIN"),
                // These statements are about much, and each is planned for what it finds.
                PostgresQuery("SET LOCAL enable_hashjoin = on"), PostgresQuery("SET LOCAL enable_seqscan = on"),
                PostgresQuery("SET LOCAL enable_sort = on"), PostgresQuery("SET LOCAL statement_timeout = 0"),
                PostgresQuery("SET LOCAL idle_in_transaction_session_timeout = 0"),
                PostgresQuery("SET LOCAL plan_cache_mode = force_custom_plan"),
                PostgresQuery("SELECT 1 FROM vault WHERE number = $1 FOR UPDATE", [vaultValue]),
                PostgresQuery(
                    """
                    CREATE TEMP TABLE IF NOT EXISTS live (digest bytea PRIMARY KEY, need bigint NOT NULL)
                    ON COMMIT DELETE ROWS
                    """),
                PostgresQuery(
                    "CREATE TEMP TABLE IF NOT EXISTS node (digest bytea PRIMARY KEY) ON COMMIT DELETE ROWS"),
                PostgresQuery(
                    "DELETE FROM upload WHERE vault = $1 AND touched_at NOT BETWEEN $2 AND $3",
                    [
                        vaultValue, .int(time - StoreLimits.uploadSeconds), .int(time + StoreLimits.uploadSeconds),
                    ]),
                PostgresQuery(
                    """
                    DELETE FROM upload_chunk WHERE vault = $1
                    AND upload NOT IN (SELECT id FROM upload WHERE vault = $1)
                    """, [vaultValue]),
                PostgresQuery(
                    "DELETE FROM disowned_pack WHERE vault = $1 AND at < $2",
                    [vaultValue, .int(time - StoreLimits.disownedSeconds)]),
                PostgresQuery(
                    "DELETE FROM lease WHERE vault = $1 AND renewed_at NOT BETWEEN $2 AND $3",
                    [vaultValue, .int(time - StoreLimits.leaseSeconds), .int(time + StoreLimits.leaseSeconds)]),
                PostgresQuery(
                    """
                    DELETE FROM dropped WHERE vault = $1 AND sequence <=
                    (SELECT coalesce(min(sequence), 9223372036854775807) FROM lease WHERE vault = $1)
                    """, [vaultValue]),
                PostgresQuery(
                    """
                    DELETE FROM audit WHERE vault = $1
                    AND at < (SELECT max(at) FROM audit WHERE vault = $1 AND at <= $2) - $3
                    AND first_sequence < (
                      SELECT min(first_sequence) FROM audit WHERE vault = $1 AND at <= $2
                      AND at >= (SELECT max(at) FROM audit WHERE vault = $1 AND at <= $2) - $3)
                    """,
                    [vaultValue, .int(time - StoreLimits.confirmedSeconds), .int(StoreLimits.auditSeconds)]),
            ], connection)
    }

    /// Marks the roots of versions: those there are, and those that leases still protect.
    private func markRoots(of tables: [String], for need: Need, _ connection: PostgresConnection) throws {
        for table in tables {
            try run(
                [
                    PostgresQuery(
                        """
                        INSERT INTO live SELECT DISTINCT root, \(need.rawValue) FROM \(table) WHERE vault = $1
                        ON CONFLICT DO NOTHING
                        """, [vaultValue]),
                    PostgresQuery(
                        """
                        INSERT INTO node SELECT DISTINCT root FROM \(table) WHERE vault = $1 AND depth > 0
                        ON CONFLICT DO NOTHING
                        """, [vaultValue]),
                ], connection)
        }
    }

    private func markUploads(_ connection: PostgresConnection) throws {
        try run(
            [
                PostgresQuery(
                    """
                    INSERT INTO live SELECT DISTINCT digest, \(Need.uploads.rawValue) FROM upload_chunk WHERE vault = $1
                    ON CONFLICT DO NOTHING
                    """, [vaultValue])
            ], connection)
    }

    /// Chunks that are marked for reads and for uploads only.
    private func retained(_ connection: PostgresConnection) throws -> [CollectionReport.Retained] {
        let sums = try run(
            [
                PostgresQuery(
                    """
                    SELECT live.need, sum(chunk.length + \(RecordHeader.byteCount))::bigint FROM live
                    JOIN chunk ON chunk.digest = live.digest WHERE live.need > 0 AND chunk.vault = $1
                    GROUP BY live.need ORDER BY live.need
                    """, [vaultValue])
            ], connection)[0].rows
        var retained: [CollectionReport.Retained] = []
        for sum in sums {
            guard let need = Need(rawValue: sum.int(0)), let holders = need.holders("vault = $1 AND "),
                let row = try run([PostgresQuery(holders, [vaultValue])], connection)[0].first,
                let found = need.retained(bytes: sum.unsigned(1), holders: row.int(0), newest: row.int(1))
            else { continue }
            retained.append(found)
        }
        return retained
    }

    /// Marks what the marked list nodes name, level by level.
    private func mark(
        for need: Need, _ read: (Digest) async throws(VaultError) -> ListNode, _ connection: PostgresConnection
    ) async throws {
        while true {
            if Task.isCancelled { throw CancellationError() }
            let digests = try run(
                [
                    PostgresQuery(
                        """
                        DELETE FROM node WHERE digest IN (SELECT digest FROM node LIMIT \(EngineLimits.nodesMarkedMax))
                        RETURNING digest
                        """)
                ], connection)[0].rows.map { try $0.digest(0) }
            if digests.isEmpty { return }
            var chunks: Set<Digest> = []
            var nodes: Set<Digest> = []
            for digest in digests {
                let node = try await read(digest)
                if node.level > 1 {
                    nodes.formUnion(node.references.map(\.digest))
                } else {
                    chunks.formUnion(node.references.map(\.digest))
                }
            }
            try run(
                [
                    PostgresQuery(
                        """
                        INSERT INTO live SELECT digest, \(need.rawValue) FROM unnest($1) AS named (digest)
                        ON CONFLICT DO NOTHING
                        """, [.bytes(Array(chunks))]),
                    // A node that was marked before has been, or will be, looked into.
                    PostgresQuery(
                        """
                        WITH added AS (
                          INSERT INTO live SELECT digest, \(need.rawValue) FROM unnest($1) AS named (digest)
                          ON CONFLICT DO NOTHING RETURNING digest)
                        INSERT INTO node SELECT digest FROM added ON CONFLICT DO NOTHING
                        """, [.bytes(Array(nodes))]),
                ], connection)
        }
    }

    private func sweep(_ connection: PostgresConnection) throws -> Int {
        let count = try run(
            [
                PostgresQuery("ANALYZE live"),
                PostgresQuery(
                    """
                    DELETE FROM chunk WHERE vault = $1
                    AND NOT EXISTS (SELECT 1 FROM live WHERE live.digest = chunk.digest)
                    """, [vaultValue]),
            ], connection)[1].changed
        let pending = { (condition: String) in
            "digest IN (SELECT digest FROM live WHERE need \(condition) \(Need.uploads.rawValue))"
        }
        // A chunk that only uploads need may give way, also under one that has been told that the vault has it.
        let less = try run(
            [
                PostgresQuery(
                    "UPDATE chunk SET pending = true WHERE vault = $1 AND NOT pending AND \(pending("="))",
                    [vaultValue]),
                PostgresQuery(
                    "UPDATE chunk SET pending = false WHERE vault = $1 AND pending AND \(pending("<>"))", [vaultValue]),
                countStoredBytes, countCatalogBytes,
            ], connection)[0].changed
        if count > 0 || less > 0 {
            try connection.run("UPDATE vault SET epoch = epoch + 1 WHERE number = $1", [vaultValue])
        }
        return count
    }

    @discardableResult
    private func run(
        _ queries: [PostgresQuery], _ connection: PostgresConnection
    ) throws(PostgresError) -> [PostgresResult] {
        try connection.run(queries, milliseconds: EngineLimits.collectionMilliseconds)
    }

    /// Counts anew what the quota is about: undamaged chunks and list nodes, those of uploads, and the journal.
    private var countStoredBytes: PostgresQuery {
        PostgresQuery(
            """
            UPDATE vault SET stored_bytes = (
              SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0)::bigint FROM chunk
              WHERE vault = $1 AND NOT damaged AND NOT pending),
              pending_bytes = (
                (SELECT coalesce(sum(bytes), 0) FROM upload_chunk WHERE vault = $1) + (
                  SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0) FROM chunk
                  WHERE vault = $1 AND NOT damaged AND pending))::bigint,
              journal_bytes = (
                SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0)::bigint FROM journal_group WHERE vault = $1)
            WHERE number = $1
            """, [vaultValue])
    }

    /// Counts the rows of the vault's tables anew, with what indexes and half-filled pages add.
    private var countCatalogBytes: PostgresQuery {
        let sums = PostgresSchema.vaultTables.map { table in
            "(SELECT coalesce(sum(pg_column_size(counted.*)), 0) FROM \(table) AS counted WHERE vault = $1)"
        }
        return PostgresQuery(
            "UPDATE vault SET catalog_bytes = (2 * (\(sums.joined(separator: " + "))))::bigint WHERE number = $1",
            [vaultValue])
    }

    package func usedBytes() async throws(VaultError) -> [PackID: UInt64] {
        let header = RecordHeader.byteCount
        return try await read { connection in
            let results = try run(
                [
                    PostgresQuery("SET LOCAL enable_hashjoin = on"), PostgresQuery("SET LOCAL enable_seqscan = on"),
                    PostgresQuery("SET LOCAL statement_timeout = 0"),
                    PostgresQuery(
                        """
                        SELECT pack.id, sum(used.bytes)::bigint FROM (
                          SELECT pack, sum(length + \(header)) AS bytes FROM chunk WHERE vault = $1 GROUP BY pack
                          UNION ALL
                          SELECT pack, sum(length + \(header)) FROM journal_group WHERE vault = $1 GROUP BY pack
                        ) AS used JOIN pack ON pack.number = used.pack GROUP BY pack.id
                        """, [vaultValue]),
                ], connection)
            return try PostgresCatalog.packs(results[3])
        }
    }

    package func relocate(_ moved: [Relocation]) async throws(VaultError) {
        if moved.isEmpty { return }
        try await write { connection in
            if try isAnyDisowned(moved.map(\.to.pack), connection) {
                throw VaultError(
                    .unavailable, "Another collection came in between: collect again.", isRetryable: true)
            }
            try connection.run([packing(moved.map(\.to))])
            for (table, isGroup) in [("chunk", false), ("journal_group", true)] {
                let moved = moved.filter { ($0.kind == .journalGroup) == isGroup }
                if moved.isEmpty { continue }
                try connection.run(
                    """
                    UPDATE \(table) SET pack = there.number, start = moved.target
                    FROM unnest($2, $3, $4, $5, $6) AS moved (which, old, origin, new, target)
                    JOIN pack AS here ON here.vault = $1 AND here.id = old
                    JOIN pack AS there ON there.vault = $1 AND there.id = new
                    WHERE \(table).vault = $1 AND digest = which AND start = origin AND pack = here.number
                    """,
                    [
                        vaultValue, .bytes(moved.map(\.digest)),
                        .bytes(moved.map { Optional($0.from.pack.value.bytes) }), .ints(moved.map(\.from.offset)),
                        .bytes(moved.map { Optional($0.to.pack.value.bytes) }), .ints(moved.map(\.to.offset)),
                    ])
            }
        }
    }

    package func forget(_ packs: [PackID]) async throws(VaultError) {
        if packs.isEmpty { return }
        try await write { connection in
            try connection.run(
                """
                DELETE FROM pack WHERE vault = $1 AND id = ANY ($2)
                AND NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.pack = pack.number)
                AND NOT EXISTS (SELECT 1 FROM journal_group WHERE journal_group.pack = pack.number)
                """, [vaultValue, .bytes(packs.map { Optional($0.value.bytes) })])
            return
        }
    }

    package func disown(_ packs: [PackID], at time: Int64) async throws(VaultError) -> Set<PackID> {
        if packs.isEmpty { return [] }
        return try await write { connection in
            let rows = try connection.run(
                "SELECT id FROM pack WHERE vault = $1 AND id = ANY ($2)",
                [vaultValue, .bytes(packs.map { Optional($0.value.bytes) })]
            ).rows
            let unknown = Set(packs).subtracting(rows.compactMap { UniqueID($0.bytes(0)).map(PackID.init) })
            // What was stored there and nobody has said does not count any more.
            try connection.run(
                """
                INSERT INTO disowned_pack (vault, id, at) SELECT $1, id, $3 FROM unnest($2) AS added (id)
                ON CONFLICT DO NOTHING
                """, [vaultValue, .bytes(unknown.map { Optional($0.value.bytes) }), .int(time)])
            return unknown
        }
    }

    package func forgetOrigins(of names: [Name]) async throws(VaultError) {
        try await write { connection in
            try connection.run(
                """
                UPDATE entry SET changed = NULL, inode = NULL FROM unnest($2) AS asked (wanted)
                WHERE vault = $1 AND \(PostgresSchema.head("name")) = \(PostgresSchema.head("wanted")) AND name = wanted
                """, [vaultValue, .bytes(names.map { Optional($0.bytes) })])
            return
        }
    }

    package func withdraw(_ damaged: [PackLocation: Digest]) async throws(VaultError) {
        try await mark(damaged, isDamaged: true)
    }

    package func reinstate(_ found: [PackLocation: Digest]) async throws(VaultError) {
        try await mark(found, isDamaged: false)
    }

    private func mark(_ chunks: [PackLocation: Digest], isDamaged: Bool) async throws(VaultError) {
        try await write { connection in
            let places = Array(chunks)
            try connection.run([
                PostgresQuery(
                    """
                    UPDATE chunk SET damaged = $5 FROM unnest($2, $3, $4) AS lost (which, place, origin)
                    JOIN pack ON pack.vault = $1 AND id = place
                    WHERE chunk.vault = $1 AND digest = which AND start = origin AND chunk.pack = pack.number
                    """,
                    [
                        vaultValue, .bytes(places.map(\.value)),
                        .bytes(places.map { Optional($0.key.pack.value.bytes) }), .ints(places.map(\.key.offset)),
                        .bool(isDamaged),
                    ]),
                PostgresQuery("UPDATE vault SET epoch = epoch + 1 WHERE number = $1", [vaultValue]),
                countStoredBytes,
            ])
        }
    }
}
