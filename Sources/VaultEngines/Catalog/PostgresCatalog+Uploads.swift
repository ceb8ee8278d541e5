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
        _ chunks: UnrecordedChunks, of upload: UploadID, by user: String, at time: Int64, isOver: Bool
    ) async throws(VaultError) -> Bool {
        let isRecorded = try await write { connection in
            if try isAnyDisowned(chunks.received.map(\.location.pack), connection) { return false }
            guard try touch(upload, by: user, at: time, isOver: isOver, connection) else { return false }
            try connection.run(inserting(chunks.received, for: upload))
            return true
        }
        reservations.end(chunks.reservedBytes)
        return isRecorded
    }

    package func rely(
        on digests: [Digest], for upload: UploadID, of user: String, at time: Int64
    ) async throws(VaultError) -> Reliance? {
        let asked = "SELECT digest, pending FROM chunk WHERE vault = $1 AND digest = ANY ($2) AND NOT damaged"
        let values: [PostgresValue] = [vaultValue, .bytes(digests)]
        let found = try await ask(asked, values) { result in
            try result.rows.map { (digest: try $0.digest(0), isPending: $0.bool(1)) }
        }
        guard found.contains(where: \.isPending) else {
            let there = Set(found.map(\.digest))
            return Reliance(areThere: digests.map(there.contains), isRecorded: false)
        }
        return try await write { connection in
            guard try touch(upload, by: user, at: time, isOver: false, connection) else { return nil }
            let there = Set(try connection.run(asked, values).rows.map { try $0.digest(0) })
            try connection.run(
                """
                WITH owned AS (
                  INSERT INTO upload_chunk (vault, upload, digest, bytes)
                  SELECT $1, $3, digest, length + \(RecordHeader.byteCount) FROM chunk
                  WHERE vault = $1 AND digest = ANY ($2) AND pending AND NOT damaged ON CONFLICT DO NOTHING RETURNING bytes)
                \(PostgresCatalog.countingOwned)
                """, values + [.bytes(upload.value.bytes)])
            return Reliance(areThere: digests.map(there.contains), isRecorded: true)
        }
    }

    /// Notes that something came of an upload.
    ///
    /// - Returns: false where the upload's chunks have given way to others.
    private func touch(
        _ upload: UploadID, by user: String, at time: Int64, isOver: Bool, _ connection: PostgresConnection
    ) throws -> Bool {
        if try isForgotten(upload, connection) { return false }
        try connection.run(
            """
            INSERT INTO upload (vault, id, touched_at, owner, state) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (vault, id) DO UPDATE SET touched_at = excluded.touched_at, state = excluded.state
            WHERE upload.owner = excluded.owner
            """,
            [
                vaultValue, .bytes(upload.value.bytes), .int(time), .text(user),
                .int((isOver ? UploadRow.over : .underWay).rawValue),
            ])
        return true
    }

    func isForgotten(_ upload: UploadID, _ connection: PostgresConnection) throws -> Bool {
        try connection.run(
            "SELECT 1 FROM upload WHERE vault = $1 AND id = $2 AND state = \(UploadRow.forgotten.rawValue)",
            [vaultValue, .bytes(upload.value.bytes)]
        ).count > 0
    }

    /// Counts what the rows `owned` are about.
    private static let countingOwned = """
        UPDATE vault SET pending_bytes = pending_bytes + (SELECT coalesce(sum(bytes), 0)::bigint FROM owned),
          catalog_bytes = catalog_bytes + \(StoreLimits.chunkRowBytes) * (SELECT count(*) FROM owned) WHERE number = $1
        """

    /// Makes chunks known that an unfinished upload has stored, unless they are known undamaged, and counts their bytes.
    private func inserting(_ stored: [ReceivedChunk], for upload: UploadID) -> [PostgresQuery] {
        if stored.isEmpty { return [] }
        return [packing(stored.map(\.location))]
            + [false, true].compactMap { isCharged in
                let stored = stored.filter { $0.isCharged == isCharged }
                if stored.isEmpty { return nil }
                return PostgresQuery(
                    """
                    WITH \(PostgresCatalog.added(isPending: true, isCharged: isCharged)), owned AS (
                      INSERT INTO upload_chunk (vault, upload, digest, bytes)
                      SELECT DISTINCT $1, $6, wanted, coalesce(added.length + \(RecordHeader.byteCount), 0)
                      FROM unnest($2) AS asked (wanted) LEFT JOIN added ON added.digest = wanted
                      ON CONFLICT DO NOTHING RETURNING bytes)
                    \(PostgresCatalog.countingOwned)
                    """,
                    [vaultValue, .bytes(stored.map(\.digest))] + PostgresCatalog.columns(stored.map(\.location))
                        + [.bytes(upload.value.bytes)])
            }
    }

    /// Forgets uploads that this process is not at work on, the oldest first, with the chunks that only they have.
    ///
    /// One that another process may be at work on is remembered as forgotten, so that it cannot end in a version.
    ///
    /// - Returns: the bytes that no longer count.
    func forgetUploads(freeing bytes: UInt64, _ connection: PostgresConnection) throws -> UInt64 {
        let found = try connection.run(
            """
            SELECT id, state FROM upload WHERE vault = $1 AND state <> \(UploadRow.forgotten.rawValue)
            ORDER BY touched_at, id
            """, [vaultValue]
        ).rows
        var (freed, count): (UInt64, UInt64) = (0, 0)
        for row in found where freed < bytes {
            guard let id = UniqueID(row.bytes(0)) else { throw CatalogDamage(what: "an upload's id") }
            if reservations.isHeld(UploadID(id)) { continue }
            let values: [PostgresValue] = [vaultValue, .bytes(id.bytes)]
            let sums = try connection.run([
                PostgresQuery(
                    """
                    WITH own AS (
                      DELETE FROM upload_chunk WHERE vault = $1 AND upload = $2 RETURNING digest, bytes), gone AS (
                      DELETE FROM chunk WHERE vault = $1 AND pending AND digest IN (SELECT digest FROM own)
                      AND NOT EXISTS (
                        SELECT 1 FROM upload_chunk AS other
                        WHERE other.vault = $1 AND other.digest = chunk.digest AND other.upload <> $2))
                    SELECT coalesce(sum(bytes), 0)::bigint, count(*) FROM own
                    """, values),
                row.int(1) == UploadRow.over.rawValue
                    ? PostgresQuery("DELETE FROM upload WHERE vault = $1 AND id = $2", values)
                    : PostgresQuery(
                        "UPDATE upload SET state = \(UploadRow.forgotten.rawValue) WHERE vault = $1 AND id = $2", values
                    ),
            ])[0]
            freed += sums.first?.unsigned(0) ?? 0
            count += sums.first?.unsigned(1) ?? 0
        }
        try connection.run(
            """
            UPDATE vault SET pending_bytes = greatest(0, pending_bytes - $2),
              catalog_bytes = greatest(0, catalog_bytes - $3) WHERE number = $1
            """, [vaultValue, .int(freed), .int(count * StoreLimits.chunkRowBytes)])
        return freed
    }

    /// Ends uploads whose chunks versions need from now on.
    func ending(_ uploads: [UploadID]) -> [PostgresQuery] {
        if uploads.isEmpty { return [] }
        let values: [PostgresValue] = [vaultValue, .bytes(uploads.map { Optional($0.value.bytes) })]
        return [
            PostgresQuery(
                """
                UPDATE chunk SET pending = false WHERE vault = $1 AND pending
                AND digest IN (SELECT digest FROM upload_chunk WHERE vault = $1 AND upload = ANY ($2))
                """, values),
            PostgresQuery(
                """
                WITH own AS (DELETE FROM upload_chunk WHERE vault = $1 AND upload = ANY ($2) RETURNING bytes),
                total AS (SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM own)
                UPDATE vault SET stored_bytes = stored_bytes + total.bytes,
                  pending_bytes = greatest(0, pending_bytes - total.bytes) FROM total WHERE number = $1
                """, values),
            PostgresQuery("DELETE FROM upload WHERE vault = $1 AND id = ANY ($2)", values),
        ]
    }
}
