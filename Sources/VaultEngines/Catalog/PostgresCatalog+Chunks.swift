package import VaultModel
package import VaultStore

extension PostgresCatalog {
    package func known(_ digests: [Digest]) async throws(VaultError) -> [Bool] {
        try await contains(
            digests, "SELECT digest FROM chunk WHERE vault = $1 AND digest = ANY ($2) AND NOT damaged",
            [vaultValue, .bytes(digests)])
    }

    package func received(_ digests: [Digest], by user: String) async throws(VaultError) -> [Bool] {
        try await contains(
            digests,
            """
            SELECT wanted FROM unnest($2) AS asked (wanted), LATERAL (
              SELECT upload FROM upload_chunk WHERE vault = $1 AND digest = wanted OFFSET 0) AS storing, LATERAL (
              SELECT 1 FROM upload WHERE vault = $1 AND id = upload AND owner = $3 OFFSET 0) AS owned, LATERAL (
              SELECT 1 FROM chunk WHERE vault = $1 AND digest = wanted AND NOT damaged OFFSET 0) AS stored
            """, [vaultValue, .bytes(digests), .text(user)])
    }

    /// Which of the digests are in the first column of what a statement finds.
    private func contains(
        _ digests: [Digest], _ sql: String, _ values: [PostgresValue]
    ) async throws(VaultError) -> [Bool] {
        if digests.isEmpty { return [] }
        let found = try await ask(sql, values) { result in Set(try result.rows.map { try $0.digest(0) }) }
        return digests.map(found.contains)
    }

    package func locations(_ digests: [Digest]) async throws(VaultError) -> [PackLocation?] {
        try await locations(of: digests, in: "chunk", "AND NOT damaged")
    }

    package func journalLocations(_ digests: [Digest]) async throws(VaultError) -> [PackLocation?] {
        try await locations(of: digests, in: "journal_group", "")
    }

    private func locations(
        of digests: [Digest], in table: String, _ condition: String
    ) async throws(VaultError) -> [PackLocation?] {
        if digests.isEmpty { return [] }
        let found = try await ask(
            """
            SELECT digest, pack.id, start, \(table).length FROM \(table) JOIN pack ON pack.number = \(table).pack
            WHERE \(table).vault = $1 AND digest = ANY ($2) \(condition)
            """, [vaultValue, .bytes(digests)]
        ) { result in
            var found: [Digest: PackLocation] = [:]
            for row in result.rows { found[try row.digest(0)] = try PostgresCatalog.location(row, from: 1) }
            return found
        }
        return digests.map { found[$0] }
    }

    /// Reads a location from the columns pack id, start, length.
    static func location(_ row: PostgresRow, from column: Int32) throws -> PackLocation {
        let (offset, length) = (row.unsigned(column + 1), row.unsigned(column + 2))
        guard let pack = UniqueID(row.bytes(column)), offset <= StoreLimits.packBytesMax,
            length <= UInt64(StoreLimits.recordBytesMax)
        else { throw CatalogDamage(what: "the place of a record") }
        return PackLocation(pack: PackID(pack), offset: offset, length: UInt32(length))
    }

    /// Whether packs have been disowned; asked with the vault's lock held.
    func isAnyDisowned(_ packs: [PackID], _ connection: PostgresConnection) throws -> Bool {
        if packs.isEmpty { return false }
        return try connection.run([disowned(packs)])[0].count > 0
    }

    /// Those of `packs` that have been disowned.
    func disowned(_ packs: [PackID]) -> PostgresQuery {
        PostgresQuery(
            "SELECT id FROM disowned_pack WHERE vault = $1 AND id = ANY ($2)",
            [vaultValue, .bytes(Set(packs).map { Optional($0.value.bytes) })])
    }

    package func packs() async throws(VaultError) -> [PackID: UInt64] {
        try await ask("SELECT id, length FROM pack WHERE vault = $1", [vaultValue]) { result in
            try PostgresCatalog.packs(result)
        }
    }

    /// Reads packs with numbers of bytes.
    static func packs(_ result: PostgresResult) throws -> [PackID: UInt64] {
        var packs: [PackID: UInt64] = [:]
        for row in result.rows {
            guard let id = UniqueID(row.bytes(0)) else { throw CatalogDamage(what: "a pack's id") }
            packs[PackID(id)] = row.unsigned(1)
        }
        return packs
    }

    package func epoch() async throws(VaultError) -> UInt64 {
        try await ask("SELECT epoch FROM vault WHERE number = $1", [vaultValue]) { $0.first?.unsigned(0) ?? 0 }
    }

    package func journal(after sequence: UInt64, limit: Int) async throws(VaultError) -> [StoredGroup] {
        try await ask(
            """
            SELECT last_sequence, digest, time, pack.id, start, journal_group.length
            FROM journal_group JOIN pack ON pack.number = journal_group.pack
            WHERE journal_group.vault = $1 AND last_sequence > $2 ORDER BY last_sequence LIMIT $3
            """, [vaultValue, .int(min(sequence, UInt64(Int64.max))), .int(Int64(limit))]
        ) { result in
            try result.rows.map { row in
                StoredGroup(
                    lastSequence: row.unsigned(0), digest: try row.digest(1),
                    location: try PostgresCatalog.location(row, from: 3), time: row.int(2))
            }
        }
    }

    package func journalHead() async throws(VaultError) -> JournalHead {
        try await ask(
            "SELECT sequence, head_digest, head_time FROM vault WHERE number = $1", [vaultValue]
        ) { result in
            guard let row = result.first else { throw CatalogDamage(what: "the vault's row is missing") }
            return JournalHead(
                sequence: row.unsigned(0), digest: row.isNull(1) ? nil : try row.digest(1), time: row.int(2))
        }
    }

    package func chunks(after: Digest?, limit: Int) async throws(VaultError) -> [StoredChunk] {
        try await ask(
            """
            SELECT digest, damaged, pack.id, start, chunk.length
            FROM chunk LEFT JOIN pack ON pack.number = chunk.pack
            WHERE chunk.vault = $1 AND digest > $2 ORDER BY digest LIMIT $3
            """, [vaultValue, .bytes(after?.bytes ?? []), .int(Int64(limit))]
        ) { result in
            try result.rows.map { row in
                let isLost = row.isNull(2)
                return StoredChunk(
                    digest: try row.digest(0),
                    location: isLost
                        ? PackLocation(pack: PackID(), offset: 0, length: 0)
                        : try PostgresCatalog.location(row, from: 2),
                    isDamaged: isLost || row.bool(1))
            }
        }
    }

    // MARK: Quota

    package func usage() async throws(VaultError) -> VaultUsage {
        try await ask(
            "SELECT \(PostgresCatalog.usageColumns) FROM vault WHERE number = $1", [vaultValue]
        ) { result in
            guard let row = result.first else { throw CatalogDamage(what: "the vault's row is missing") }
            return PostgresCatalog.usage(row, from: 0)
        }
    }

    static let usageColumns = "stored_bytes, pending_bytes, journal_bytes, catalog_bytes, quota"

    /// Reads a row's ``usageColumns``, of which a few can be added whatever they hold.
    static func usage(_ row: PostgresRow, from column: Int32) -> VaultUsage {
        let bytes = (column..<column + 4).map { min(row.unsigned($0), StoreLimits.numberMax) }
        return VaultUsage(
            contentBytes: bytes[0], pendingBytes: bytes[1], journalBytes: bytes[2], catalogBytes: bytes[3],
            quota: row.isNull(column + 4) ? nil : min(row.unsigned(column + 4), StoreLimits.numberMax))
    }

    /// The database is others' as well.
    package func shrink(leaving bytes: UInt64) async throws(VaultError) {}

    package func setQuota(_ bytes: UInt64?) async throws(VaultError) {
        let quota = bytes.map { Int64(min($0, UInt64(Int64.max))) }
        try await ask("UPDATE vault SET quota = $2 WHERE number = $1", [vaultValue, .int(quota)]) { _ in }
    }
}
