import GRDB
import VaultModel

extension SQLiteCatalog {
    /// Reads a row of `object, since, name` and ``versionColumns``.
    static func storedVersion(_ query: Query, name: Name? = nil) throws -> StoredVersion {
        StoredVersion(
            object: try query.count(0), since: try query.count(1),
            entry: Entry(
                name: try name ?? query.name(2), kind: try kind(query), content: try content(query),
                version: try query.count(3), sequence: try query.count(4), attributes: try attributes(query),
                savedAt: try query.int(14), savedBy: query.text(15), tags: try tags(query)))
    }

    static func kind(_ query: Query, _ column: Int32 = 5) throws -> Entry.Kind {
        let number = try query.int(column)
        guard let kind = UInt8(exactly: number).flatMap(Entry.Kind.init) else {
            throw query.damage("an entry of kind \(number)")
        }
        return kind
    }

    private static func content(_ query: Query) throws -> Content {
        let (chunker, depth) = (try query.int(7), try query.int(8))
        guard let chunker = UInt32(exactly: chunker), let depth = UInt8(exactly: depth), depth <= ListNode.levelMax
        else {
            throw query.damage("content of chunker \(chunker) and depth \(depth)")
        }
        return Content(chunker: chunker, size: try query.count(6), depth: depth, root: try query.digest(9))
    }

    private static func attributes(_ query: Query) throws -> Attributes {
        let mode = try query.int(10)
        guard let bits = UInt32(exactly: mode), bits <= Attributes.modeMax else {
            throw query.damage("the mode \(mode)")
        }
        var attributes = Attributes(mode: bits, modified: try query.int(11))
        if !query.isNull(12) {
            attributes.origin = Attributes.Origin(changed: try query.int(12), inode: try query.bits(13))
        }
        return attributes
    }

    private static func tags(_ query: Query) throws -> [TagText: TagText] {
        if query.isNull(16) { return [:] }
        do {
            return try Tags.decode(query.bytes(16))
        } catch {
            throw query.damage("tags that cannot be read")
        }
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

    /// The range of names strictly below a prefix and behind a name.
    static func bindRange(of prefix: NamePrefix, after: Name?, to query: inout Query) {
        if let top = prefix.top {
            let floor = top.bytes + [UInt8(ascii: "/")]
            query.bind(text: after.map { $0.bytes.lexicographicallyPrecedes(floor) ? floor : $0.bytes } ?? floor)
            query.bind(text: top.bytes + [UInt8(ascii: "0")])
        } else {
            query.bind(text: after?.bytes ?? [])
            // No UTF-8 text has this byte, so it is behind all names.
            query.bind(text: [0xFF])
        }
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
        let number = try query.int(0)
        while try query.step() {}
        return number
    }
}
