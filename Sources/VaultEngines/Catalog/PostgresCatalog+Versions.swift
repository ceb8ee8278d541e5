import VaultModel
import VaultStore

/// Rows of `entry` and `version`.
///
/// What is asked for by many keys is looked up key by key: `OFFSET 0` keeps PostgreSQL from turning the look-ups into one
/// pass over the vault, which it takes for cheap as long as it does not know how full the tables are.
extension PostgresCatalog {
    private static var columns: String { PostgresSchema.versionColumns }

    /// What rows of entries are read as by ``storedVersion(_:name:)``.
    static var entryColumns: String { "object, since, name, \(columns)" }

    /// Reads a row of `object, since, name` and the columns of a version.
    static func storedVersion(_ row: PostgresRow, name: Name? = nil) throws -> StoredVersion {
        guard let kind = UInt8(exactly: row.int(5)).flatMap(Entry.Kind.init) else {
            throw CatalogDamage(what: "an entry of kind \(row.int(5))")
        }
        guard let mode = UInt32(exactly: row.int(10)), mode <= Attributes.modeMax else {
            throw CatalogDamage(what: "the mode \(row.int(10))")
        }
        var attributes = Attributes(mode: mode, modified: row.int(11))
        if !row.isNull(12) {
            attributes.origin = Attributes.Origin(changed: row.int(12), inode: row.bits(13))
        }
        return StoredVersion(
            object: row.unsigned(0), since: row.unsigned(1),
            entry: Entry(
                name: try name ?? row.name(2), kind: kind, content: try content(row),
                version: row.unsigned(3), sequence: row.unsigned(4), attributes: attributes,
                savedAt: row.int(14), savedBy: row.text(15),
                tags: row.isNull(16) ? [:] : try Tags.decode(row.bytes(16))))
    }

    private static func content(_ row: PostgresRow) throws -> Content {
        guard let chunker = UInt32(exactly: row.int(7)), let size = UInt64(exactly: row.int(6)),
            size <= Content.sizeMax, let depth = UInt8(exactly: row.int(8)), depth <= ListNode.levelMax
        else { throw CatalogDamage(what: "content of \(row.int(6)) bytes and depth \(row.int(8))") }
        return Content(chunker: chunker, size: size, depth: depth, root: try row.digest(9))
    }

    /// The values of the columns of versions, an array for each column.
    static func columns(_ entries: [Entry]) -> [PostgresValue] {
        [
            .ints(entries.map(\.version)), .ints(entries.map(\.sequence)),
            .ints(entries.map { Optional(Int64($0.kind.rawValue)) }), .ints(entries.map(\.size)),
            .ints(entries.map { Optional(Int64($0.content.chunker)) }),
            .ints(entries.map { Optional(Int64($0.content.depth)) }), .bytes(entries.map(\.content.root)),
            .ints(entries.map { Optional(Int64($0.attributes.mode)) }),
            .ints(entries.map { Optional($0.attributes.modified) }),
            .ints(entries.map { $0.attributes.origin?.changed }),
            .ints(entries.map { $0.attributes.origin.map { Int64(bitPattern: $0.inode) } }),
            .ints(entries.map { Optional($0.savedAt) }), .texts(entries.map(\.savedBy)),
            .bytes(entries.map { $0.tags.isEmpty ? nil : Tags.encode($0.tags) }),
        ]
    }

    /// The query for what names hold, removals included; its rows are those of ``entryColumns``.
    func entries(_ names: [Name]) -> PostgresQuery {
        PostgresQuery(
            """
            SELECT found.* FROM unnest($2) AS asked (wanted), LATERAL (
              SELECT \(PostgresCatalog.entryColumns) FROM entry
              WHERE vault = $1 AND \(PostgresSchema.head("name")) = \(PostgresSchema.head("wanted")) AND name = wanted
              OFFSET 0) AS found
            """, [vaultValue, .bytes(names.map { Optional($0.bytes) })])
    }

    /// The earlier versions of objects, oldest first, in the order of the objects.
    ///
    /// - Parameter condition: of the columns of `version`, with parameters from `$3` on.
    func versions(
        of objects: [UInt64], where condition: String = "true", _ values: [PostgresValue] = [],
        on connection: PostgresConnection
    ) throws -> [(object: UInt64, entry: (Name) -> Entry)] {
        try connection.run(
            """
            SELECT found.* FROM unnest($2) AS asked (which), LATERAL (
              SELECT object, until, NULL::bytea, \(PostgresCatalog.columns) FROM version
              WHERE vault = $1 AND object = which AND \(condition) OFFSET 0) AS found
            """, [vaultValue, .ints(objects)] + values
        ).rows.map { try PostgresCatalog.storedVersion($0, name: Name(validated: Array("x".utf8))) }
            .sorted { ($0.object, $0.entry.sequence) < ($1.object, $1.entry.sequence) }
            .map { stored in
                (
                    stored.object,
                    { name in
                        var entry = stored.entry
                        entry.name = name
                        return entry
                    }
                )
            }
    }
}
