import GRDB
import VaultModel

extension SQLiteCatalog {
    /// Reads a row of `object, since, name` and ``versionColumns``.
    static func storedVersion(_ query: Query, name: Name? = nil) throws -> StoredVersion {
        guard let kind = Entry.Kind(rawValue: UInt8(truncatingIfNeeded: query.int(5))) else {
            throw CatalogDamage(what: "an entry of kind \(query.int(5))")
        }
        var attributes = Attributes(mode: UInt32(truncatingIfNeeded: query.int(10)), modified: query.int(11))
        if !query.isNull(12) {
            attributes.origin = Attributes.Origin(changed: query.int(12), inode: query.unsigned(13))
        }
        return StoredVersion(
            object: query.unsigned(0),
            since: query.unsigned(1),
            entry: Entry(
                name: name ?? Name(validated: query.bytes(2)),
                kind: kind,
                content: Content(
                    chunker: UInt32(truncatingIfNeeded: query.int(7)), size: query.unsigned(6),
                    depth: UInt8(truncatingIfNeeded: query.int(8)), root: try query.digest(9)),
                version: query.unsigned(3), sequence: query.unsigned(4), attributes: attributes,
                savedAt: query.int(14), savedBy: query.text(15),
                tags: query.isNull(16) ? [:] : try Tags.decode(query.bytes(16))))
    }

    static func entryByName(_ database: Database, _ name: Name) throws -> StoredVersion? {
        var query = try Query(
            database, "SELECT object, since, name, \(versionColumns) FROM entry WHERE name = ?")
        query.bind(text: name.bytes)
        defer { query.finish() }
        return try query.step() ? storedVersion(query, name: name) : nil
    }

    /// Binds the values of ``versionColumns``.
    static func bind(
        _ saved: SavedVersion, sequence: UInt64, time: Int64, to query: inout Query
    ) {
        query.bind(saved.version)
        query.bind(sequence)
        query.bind(Int64(saved.kind.rawValue))
        query.bind(saved.content.size)
        query.bind(Int64(saved.content.chunker))
        query.bind(Int64(saved.content.depth))
        query.bind(saved.content.root)
        query.bind(Int64(saved.attributes.mode))
        query.bind(saved.attributes.modified)
        if let origin = saved.attributes.origin {
            query.bind(origin.changed)
            query.bind(origin.inode)
        } else {
            query.bindNull()
            query.bindNull()
        }
        query.bind(time)
        query.bind(text: saved.savedBy)
        if saved.tags.isEmpty { query.bindNull() } else { query.bind(blob: Tags.encode(saved.tags)) }
    }

    /// The range of names strictly below `name`: from `name/` to before `name0`.
    static func bindRange(below name: Name, to query: inout Query) {
        query.bind(text: name.bytes + [UInt8(ascii: "/")])
        query.bind(text: name.bytes + [UInt8(ascii: "0")])
    }
}

extension SQLiteCatalog {
    /// The number of a pack whose known length becomes `length` at least.
    func number(_ database: Database, of pack: PackID, length: UInt64) throws -> Int64 {
        var query = try Query(
            database,
            """
            INSERT INTO pack (id, length) VALUES (?, ?)
            ON CONFLICT (id) DO UPDATE SET length = max(length, excluded.length) RETURNING number
            """)
        query.bind(blob: pack.value.bytes)
        query.bind(length)
        guard try query.step() else { throw CatalogDamage(what: "a pack could not be numbered") }
        let number = query.int(0)
        while try query.step() {}
        return number
    }
}
