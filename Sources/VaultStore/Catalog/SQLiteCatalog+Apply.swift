import GRDB
import VaultModel

extension SQLiteCatalog {
    /// Applies a change of the journal. Commits and rebuilding a catalog both do it here.
    ///
    /// - Parameter pausing: see ``CommitRows/apply(_:sequence:time:pausing:)``.
    static func apply(
        _ change: JournalChange, sequence: UInt64, time: Int64, _ database: Database, pausing: () throws -> Void
    ) throws {
        switch change {
        case .save(let saved):
            try apply(saved, sequence: sequence, time: time, database)
        case .rename(let from, let to, let isPrefix):
            if isPrefix {
                try renameAll(below: from, to, sequence: sequence, database, pausing: pausing)
            } else {
                try rename(from, to, sequence: sequence, database)
            }
        case .drop(let object, let versions):
            try drop(versions, of: object, sequence: sequence, database)
        case .settle(let name, let modified):
            try settle(name, modified: modified, database)
        }
    }

    private static func apply(
        _ saved: SavedVersion, sequence: UInt64, time: Int64, _ database: Database
    ) throws {
        var find = try Query(database, "SELECT object FROM entry WHERE name = ?")
        find.bind(text: saved.name.bytes)
        let object = try find.step() ? find.count(0) : nil
        find.finish()
        guard let object else {
            var insert = try Query(
                database,
                """
                INSERT INTO entry (object, name, since, \(versionColumns))
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
            insert.bind(sequence)
            insert.bind(text: saved.name.bytes)
            insert.bind(sequence)
            bind(saved, sequence: sequence, time: time, to: &insert)
            try insert.first()
            return
        }
        var supersede = try Query(
            database,
            """
            INSERT INTO version (object, until, \(versionColumns))
            SELECT object, ?, \(versionColumns) FROM entry WHERE object = ?
            """)
        supersede.bind(sequence)
        supersede.bind(object)
        try supersede.first()
        var update = try Query(
            database,
            """
            UPDATE entry SET (\(versionColumns)) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE object = ?
            """)
        bind(saved, sequence: sequence, time: time, to: &update)
        update.bind(object)
        try update.first()
    }

    private static func settle(_ name: Name, modified: Int64, _ database: Database) throws {
        guard var entry = try entryByName(database, name)?.entry else { return }
        entry.tags[.changed] = nil
        var update = try Query(database, "UPDATE entry SET modified = ?, tags = ? WHERE name = ?")
        update.bind(modified)
        if entry.tags.isEmpty { update.bindNull() } else { update.bind(blob: Tags.encode(entry.tags)) }
        update.bind(text: name.bytes)
        try update.first()
    }

    private static func renameAll(
        below from: Name, _ to: Name, sequence: UInt64, _ database: Database, pausing: () throws -> Void
    ) throws {
        guard !NamePrefix(from).contains(to), !NamePrefix(to).contains(from) else {
            throw CatalogDamage(what: "a prefix that is renamed into itself")
        }
        var after = from.bytes + [UInt8(ascii: "/")]
        while true {
            var names = try Query(
                database, "SELECT name FROM entry WHERE name > ? AND name < ? AND kind <> 4 ORDER BY name LIMIT ?")
            names.bind(text: after)
            names.bind(text: from.bytes + [UInt8(ascii: "0")])
            names.bind(Int64(StoreLimits.walkedNames))
            var moved: [Name] = []
            while try names.step() { moved.append(try names.name(0)) }
            for name in moved { try rename(name, renamed(name, from, to), sequence: sequence, database) }
            guard moved.count == StoreLimits.walkedNames, let last = moved.last else { return }
            after = last.bytes
            try pausing()
        }
    }

    private static func rename(_ name: Name, _ target: Name, sequence: UInt64, _ database: Database) throws {
        try leave(target, sequence: sequence, database)
        try leave(name, sequence: sequence, keepsObject: true, database)
        var update = try Query(database, "UPDATE entry SET name = ?, since = ? WHERE name = ?")
        update.bind(text: target.bytes)
        update.bind(sequence)
        update.bind(text: name.bytes)
        try update.first()
    }

    private static func renamed(_ name: Name, _ from: Name, _ to: Name) throws -> Name {
        let bytes = to.bytes + name.bytes.dropFirst(from.bytes.count)
        guard let renamed = Name(exactly: bytes) else { throw CatalogDamage(what: "a name that cannot be renamed") }
        return renamed
    }

    /// Ends the binding of `name` to its object, if it has one, and remembers its last version.
    private static func leave(
        _ name: Name, sequence: UInt64, keepsObject: Bool = false, _ database: Database
    ) throws {
        var retired = try Query(database, "SELECT last_version FROM retired_name WHERE name = ?")
        retired.bind(text: name.bytes)
        var last = try retired.step() ? retired.count(0) : 0
        retired.finish()
        guard let stored = try entryByName(database, name) else { return }
        last = max(last, stored.entry.version)
        var former = try Query(
            database, "INSERT INTO former_name (name, since, until, object) VALUES (?, ?, ?, ?)")
        former.bind(text: name.bytes)
        former.bind(stored.since)
        former.bind(sequence)
        former.bind(stored.object)
        try former.first()
        var retire = try Query(
            database, "INSERT OR REPLACE INTO retired_name (name, last_version) VALUES (?, ?)")
        retire.bind(text: name.bytes)
        retire.bind(last)
        try retire.first()
        if !keepsObject {
            var update = try Query(database, "UPDATE entry SET name = NULL WHERE object = ?")
            update.bind(stored.object)
            try update.first()
        }
    }

    /// The sequences of those earlier versions of an object.
    private static func sequences(
        of versions: Set<UInt64>, _ object: UInt64, _ database: Database
    ) throws -> [UInt64] {
        var query = try Query(database, "SELECT version, sequence FROM version WHERE object = ? ORDER BY sequence")
        query.bind(object)
        defer { query.finish() }
        var sequences: [UInt64] = []
        // The oldest are dropped as a rule: then the others need not be looked at.
        while sequences.count < versions.count, try query.step() {
            if versions.contains(try query.count(0)) { sequences.append(try query.count(1)) }
        }
        return sequences
    }

    private static func drop(
        _ versions: [UInt64], of object: UInt64, sequence: UInt64, _ database: Database
    ) throws {
        let dropped = Set(versions)
        // The rows of an object are ordered by sequence, so that looking for each version would read all of them.
        for found in try sequences(of: dropped, object, database) {
            for statement in [
                """
                INSERT INTO dropped (sequence, depth, root)
                SELECT ?3, depth, root FROM version WHERE object = ?1 AND sequence = ?2 AND size > 0
                """,
                "DELETE FROM version WHERE object = ?1 AND sequence = ?2",
            ] {
                var query = try Query(database, statement)
                query.bind(object)
                query.bind(found)
                if statement.contains("?3") { query.bind(sequence) }
                try query.first()
            }
        }
        var current = try Query(database, "SELECT name, version, kind FROM entry WHERE object = ?")
        current.bind(object)
        let isForgotten = try current.step() && current.int(2) == 4 && dropped.contains(current.count(1))
        let name = isForgotten && !current.isNull(0) ? try current.name(0) : nil
        current.finish()
        guard isForgotten else { return }
        if let name { try leave(name, sequence: sequence, database) }
        for statement in ["DELETE FROM entry WHERE object = ?", "DELETE FROM former_name WHERE object = ?"] {
            var delete = try Query(database, statement)
            delete.bind(object)
            try delete.first()
        }
    }
}
