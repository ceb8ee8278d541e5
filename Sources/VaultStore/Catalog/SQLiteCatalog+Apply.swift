import GRDB
import VaultModel

extension SQLiteCatalog {
    /// Applies a change of the journal. Commits and rebuilding a catalog both do it here.
    static func apply(
        _ change: JournalChange, sequence: UInt64, time: Int64, _ database: Database
    ) throws {
        switch change {
        case .save(let saved):
            try apply(saved, sequence: sequence, time: time, database)
        case .rename(let from, let to, let isPrefix):
            try rename(from, to, isPrefix: isPrefix, sequence: sequence, database)
        case .drop(let object, let versions):
            try drop(versions, of: object, sequence: sequence, database)
        }
    }

    private static func apply(
        _ saved: SavedVersion, sequence: UInt64, time: Int64, _ database: Database
    ) throws {
        var find = try Query(database, "SELECT object FROM entry WHERE name = ?")
        find.bind(text: saved.name.bytes)
        let object = try find.step() ? find.unsigned(0) : nil
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

    private static func rename(
        _ from: Name, _ to: Name, isPrefix: Bool, sequence: UInt64, _ database: Database
    ) throws {
        var names = try Query(
            database,
            isPrefix
                ? "SELECT name FROM entry WHERE name > ? AND name < ? AND kind <> 4"
                : "SELECT name FROM entry WHERE name = ?")
        if isPrefix { bindRange(below: from, to: &names) } else { names.bind(text: from.bytes) }
        var moved: [Name] = []
        while try names.step() { moved.append(Name(validated: names.bytes(0))) }
        for name in moved {
            let target = Name(validated: to.bytes + name.bytes.dropFirst(from.bytes.count))
            try leave(target, sequence: sequence, database)
            try leave(name, sequence: sequence, keepsObject: true, database)
            var update = try Query(
                database, "UPDATE entry SET name = ?, since = ? WHERE name = ?")
            update.bind(text: target.bytes)
            update.bind(sequence)
            update.bind(text: name.bytes)
            try update.first()
        }
    }

    /// Ends the binding of `name` to its object, if it has one, and remembers its last version.
    private static func leave(
        _ name: Name, sequence: UInt64, keepsObject: Bool = false, _ database: Database
    ) throws {
        var retired = try Query(database, "SELECT last_version FROM retired_name WHERE name = ?")
        retired.bind(text: name.bytes)
        var last = try retired.step() ? retired.unsigned(0) : 0
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

    private static func drop(
        _ versions: [UInt64], of object: UInt64, sequence: UInt64, _ database: Database
    ) throws {
        for version in versions {
            for table in ["version", "entry"] {
                var remember = try Query(
                    database,
                    """
                    INSERT INTO dropped (sequence, depth, root)
                    SELECT ?, depth, root FROM \(table) WHERE object = ? AND version = ? AND size > 0
                    """)
                remember.bind(sequence)
                remember.bind(object)
                remember.bind(version)
                try remember.first()
            }
            var delete = try Query(database, "DELETE FROM version WHERE object = ? AND version = ?")
            delete.bind(object)
            delete.bind(version)
            try delete.first()
        }
        var current = try Query(database, "SELECT name, version, kind FROM entry WHERE object = ?")
        current.bind(object)
        let isForgotten = try current.step() && current.int(2) == 4 && versions.contains(current.unsigned(1))
        let name = isForgotten && !current.isNull(0) ? Name(validated: current.bytes(0)) : nil
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
