package import VaultModel
package import VaultStore

extension PostgresCatalog {
    package func reserve(_ bytes: UInt64) async throws(VaultError) {
        try await reservations.reserve(bytes) { () async throws(VaultError) in
            try await usage()
        } makeRoom: { (bytes) async throws(VaultError) in
            _ = try await write { connection in try forgetUploads(freeing: bytes, connection) }
        }
    }

    package func giveBack(_ bytes: UInt64) async { reservations.end(bytes) }

    package func hold(_ upload: UploadID) { reservations.hold(upload) }
    package func release(_ upload: UploadID) { reservations.release(upload) }

    package func record(
        _ chunks: UnrecordedChunks, of upload: UploadID, by user: String, at time: Int64, mark: UInt64?
    ) async throws(VaultError) -> UInt64? {
        let valid = try await write { connection -> UInt64? in
            if try isAnyDisowned(chunks.received.map(\.location.pack), connection) { return nil }
            guard let valid = try touch(upload, by: user, at: time, mark, connection) else { return nil }
            try connection.run(inserting(chunks.received, for: upload))
            return valid
        }
        reservations.end(chunks.reservedBytes)
        return valid
    }

    package func rely(
        on digests: [Digest], for upload: UploadID, of user: String, isCharged: Bool, at time: Int64, mark: UInt64?
    ) async throws(VaultError) -> Reliance? {
        let asked = "SELECT digest, pending FROM chunk WHERE vault = $1 AND digest = ANY ($2) AND NOT damaged"
        let values: [PostgresValue] = [vaultValue, .bytes(digests)]
        if !isCharged {
            let found = try await ask(asked, values) { result in
                try result.rows.map { (digest: try $0.digest(0), isPending: $0.bool(1)) }
            }
            guard found.contains(where: \.isPending) else {
                let there = Set(found.map(\.digest))
                return Reliance(areThere: digests.map(there.contains), mark: mark)
            }
        }
        return try await write { connection in
            guard let valid = try touch(upload, by: user, at: time, mark, connection) else { return nil }
            let there = Set(try connection.run(asked, values).rows.map { try $0.digest(0) })
            let phantom = isCharged ? "length + \(RecordHeader.byteCount)" : "0"
            try connection.run(
                """
                WITH owned AS (
                  INSERT INTO upload_chunk (vault, upload, digest, bytes)
                  SELECT $1, $3, digest, \(phantom) FROM chunk
                  WHERE vault = $1 AND digest = ANY ($2) AND (pending OR $4) AND NOT damaged
                  ON CONFLICT DO NOTHING RETURNING bytes)
                \(PostgresCatalog.counting("(SELECT coalesce(sum(bytes), 0) FROM owned)"))
                """, values + [.bytes(upload.value.bytes), .bool(isCharged)])
            let excess = try usage(connection).excess(reservations.bytes)
            if excess > 0 {
                _ = try forgetUploads(freeing: excess, connection)
                let usage = try usage(connection)
                if let quota = usage.quota, usage.excess(reservations.bytes) > 0 { throw VaultError.usedUp(quota) }
            }
            return Reliance(areThere: digests.map(there.contains), mark: valid)
        }
    }

    package func settle(_ upload: UploadID) async throws(VaultError) {
        try await write { connection in
            try connection.run(ending([upload]))
            return
        }
    }

    private func usage(_ connection: PostgresConnection) throws -> VaultUsage {
        let rows = try connection.run(
            "SELECT \(PostgresCatalog.usageColumns) FROM vault WHERE number = $1", [vaultValue])
        guard let row = rows.first else { throw PostgresCatalog.removed }
        return PostgresCatalog.usage(row, from: 0)
    }

    /// Notes that something came of an upload.
    ///
    /// - Parameter mark: the one that it has; nil where it may be new.
    /// - Returns: its mark; nil where what it had stored has given way to others.
    private func touch(
        _ upload: UploadID, by user: String, at time: Int64, _ mark: UInt64?, _ connection: PostgresConnection
    ) throws -> UInt64? {
        let id = PostgresValue.bytes(upload.value.bytes)
        let found = try connection.run(marks([upload]))[0].first?.unsigned(1)
        if let mark, found != mark { return nil }
        let valid = found ?? UInt64.random(in: 1...StoreLimits.numberMax)
        try connection.run(
            """
            INSERT INTO upload (vault, id, touched_at, owner, mark) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (vault, id) DO UPDATE SET touched_at = excluded.touched_at
            WHERE upload.owner = excluded.owner
            """, [vaultValue, id, .int(time), .text(user), .int(valid)])
        return valid
    }

    /// The ids and the marks of uploads that are there.
    func marks(_ uploads: [UploadID]) -> [PostgresQuery] {
        [
            PostgresQuery(
                "SELECT id, mark FROM upload WHERE vault = $1 AND id = ANY ($2)",
                [vaultValue, .bytes(uploads.map { Optional($0.value.bytes) })])
        ]
    }

    /// Counts bytes, and the rows `owned`.
    private static func counting(_ bytes: String) -> String {
        """
        UPDATE vault SET pending_bytes = pending_bytes + (\(bytes))::bigint,
          catalog_bytes = catalog_bytes + \(StoreLimits.chunkRowBytes) * (SELECT count(*) FROM owned) WHERE number = $1
        """
    }

    /// Makes chunks known that an unfinished upload has stored, unless they are known undamaged, and counts their bytes.
    private func inserting(_ stored: [ReceivedChunk], for upload: UploadID) -> [PostgresQuery] {
        if stored.isEmpty { return [] }
        let size = "length + \(RecordHeader.byteCount)"
        return [packing(stored.map(\.location))]
            + [false, true].flatMap { isCharged -> [PostgresQuery] in
                let stored = stored.filter { $0.isCharged == isCharged }
                if stored.isEmpty { return [] }
                let id = PostgresValue.bytes(upload.value.bytes)
                // Whoever may not know whether the vault has a chunk pays for it in both cases.
                let phantom = isCharged ? "CASE WHEN is_new THEN 0 ELSE \(size) END" : "0"
                let queries = [
                    PostgresQuery(
                        """
                        WITH \(PostgresCatalog.added(isPending: true, isCharged: isCharged)), owned AS (
                          INSERT INTO upload_chunk (vault, upload, digest, bytes)
                          SELECT $1, $6, digest, \(phantom) FROM added ON CONFLICT DO NOTHING RETURNING bytes)
                        \(PostgresCatalog.counting(
                            "(SELECT coalesce(sum(bytes), 0) FROM owned) + "
                            + "(SELECT coalesce(sum(\(size)), 0) FROM added WHERE is_new)"))
                        """,
                        [vaultValue, .bytes(stored.map(\.digest))] + PostgresCatalog.columns(stored.map(\.location))
                            + [id]),
                    // Those that somebody else has stored meanwhile.
                    PostgresQuery(
                        """
                        INSERT INTO upload_chunk (vault, upload, digest, bytes) SELECT DISTINCT $1, $2, digest, 0
                        FROM unnest($3) AS asked (digest) ON CONFLICT DO NOTHING
                        """, [vaultValue, id, .bytes(stored.map(\.digest))]),
                ]
                return isCharged ? [queries[0]] : queries
            }
    }

    /// Forgets uploads that this process is not at work on, the oldest first, with the chunks that only they have.
    ///
    /// One that another process is at work on finds its mark gone, and is tried again there.
    ///
    /// - Returns: what is free again: nothing, and nothing is forgotten, where all of it would be less than that.
    func forgetUploads(freeing bytes: UInt64, _ connection: PostgresConnection) throws -> FreedRoom {
        let found = try connection.run("SELECT id FROM upload WHERE vault = $1 ORDER BY touched_at, id", [vaultValue])
            .rows.map { row in
                guard let id = UniqueID(row.bytes(0)) else { throw CatalogDamage(what: "an upload's id") }
                return UploadID(id)
            }.filter { !reservations.isHeld($0) }
        let nothing = FreedRoom(try usage(connection))
        if found.isEmpty { return nothing }
        try connection.run("SAVEPOINT forgetting")
        var freed = nothing
        for upload in found where freed.bytes < bytes { try forget(upload, &freed, connection) }
        guard freed.bytes >= bytes else {
            try connection.run([PostgresQuery("ROLLBACK TO forgetting"), PostgresQuery("RELEASE forgetting")])
            return nothing
        }
        try connection.run([
            PostgresQuery("RELEASE forgetting"),
            PostgresQuery(
                """
                UPDATE vault SET pending_bytes = greatest(0, pending_bytes - $2),
                  catalog_bytes = greatest(0, catalog_bytes - $3) WHERE number = $1
                """, [vaultValue, .int(freed.pendingBytes), .int(freed.catalogBytes)]),
        ])
        return freed
    }

    private func forget(_ upload: UploadID, _ freed: inout FreedRoom, _ connection: PostgresConnection) throws {
        let values: [PostgresValue] = [vaultValue, .bytes(upload.value.bytes)]
        let sums = try connection.run([
            PostgresQuery(
                """
                WITH own AS (
                  DELETE FROM upload_chunk WHERE vault = $1 AND upload = $2 RETURNING digest, bytes), gone AS (
                  DELETE FROM chunk USING own WHERE chunk.vault = $1 AND chunk.digest = own.digest AND pending
                  AND NOT EXISTS (
                    SELECT 1 FROM upload_chunk AS other
                    WHERE other.vault = $1 AND other.digest = chunk.digest AND other.upload <> $2)
                  RETURNING length, damaged)
                SELECT ((SELECT coalesce(sum(bytes), 0) FROM own) + (
                    SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0) FROM gone WHERE NOT damaged))::bigint,
                  (SELECT count(*) FROM own)
                """, values),
            PostgresQuery("DELETE FROM upload WHERE vault = $1 AND id = $2", values),
        ])[0]
        freed.add(pendingBytes: sums.first?.unsigned(0) ?? 0, chunks: sums.first?.unsigned(1) ?? 0)
    }

    /// Ends uploads whose chunks versions need from now on.
    func ending(_ uploads: [UploadID]) -> [PostgresQuery] {
        if uploads.isEmpty { return [] }
        let values: [PostgresValue] = [vaultValue, .bytes(uploads.map { Optional($0.value.bytes) })]
        return [
            PostgresQuery(
                """
                WITH own AS (
                  DELETE FROM upload_chunk WHERE vault = $1 AND upload = ANY ($2) RETURNING digest, bytes), settled AS (
                  UPDATE chunk SET pending = false FROM own
                  WHERE chunk.vault = $1 AND chunk.digest = own.digest AND pending RETURNING length, damaged),
                total AS (
                  SELECT ((SELECT coalesce(sum(bytes), 0) FROM own) + (
                    SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0) FROM settled WHERE NOT damaged))::bigint
                    AS bytes)
                UPDATE vault SET stored_bytes = stored_bytes + total.bytes,
                  pending_bytes = greatest(0, pending_bytes - total.bytes) FROM total WHERE number = $1
                """, values),
            PostgresQuery("DELETE FROM upload WHERE vault = $1 AND id = ANY ($2)", values),
        ]
    }

    /// Of chunks that are stored anew, takes what unfinished uploads have had from what counts for these.
    func settling(_ stored: [ReceivedChunk]) -> PostgresQuery {
        PostgresQuery(
            """
            WITH charged AS (SELECT digest, is_charged FROM unnest($2, $3) AS asked (digest, is_charged)), settled AS (
              UPDATE chunk SET pending = false FROM charged
              WHERE chunk.vault = $1 AND chunk.digest = charged.digest AND pending AND NOT damaged
              RETURNING length + \(RecordHeader.byteCount) AS bytes, is_charged)
            UPDATE vault SET
              stored_bytes = stored_bytes + (SELECT coalesce(sum(bytes), 0)::bigint FROM settled WHERE is_charged = 0),
              pending_bytes = greatest(0, pending_bytes - (SELECT coalesce(sum(bytes), 0)::bigint FROM settled))
            WHERE number = $1
            """, [vaultValue, .bytes(stored.map(\.digest)), .ints(stored.map { $0.isCharged ? 1 : 0 })])
    }
}
