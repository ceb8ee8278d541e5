import GRDB
package import VaultModel

/// What hooks keep in a vault: values by keys. No part of the journal, like the outbox.
extension SQLiteCatalog {
    package func hookValue(_ key: String) async throws(VaultError) -> HookValue {
        try read { try SQLiteCatalog.hookValue(key, $0) }
    }

    private static func hookValue(_ key: String, _ database: Database) throws -> HookValue {
        var query = try Query(database, "SELECT value, version FROM hook_value WHERE key = ?")
        query.bind(text: key)
        defer { query.finish() }
        guard try query.step() else { return HookValue(value: [], version: 0) }
        return HookValue(value: query.bytes(0), version: try query.count(1))
    }

    package func hookValues(
        after key: String, limit: Int
    ) async throws(VaultError) -> [(key: String, value: HookValue)] {
        try read { database in
            var query = try Query(
                database, "SELECT key, value, version FROM hook_value WHERE key > ? ORDER BY key LIMIT ?")
            query.bind(text: key)
            query.bind(Int64(limit))
            var values: [(key: String, value: HookValue)] = []
            while try query.step() {
                let next = try query.key(0)
                try query.checkOrder(key.utf8.lexicographicallyPrecedes(next.utf8))
                values.append((next, HookValue(value: query.bytes(1), version: try query.count(2))))
            }
            return values
        }
    }

    package func store(
        _ value: [UInt8], as key: String, ifVersion: UInt64
    ) async throws(VaultError) -> HookValue? {
        try await write { database in
            let current = try SQLiteCatalog.hookValue(key, database)
            guard current.version == ifVersion else { return nil }
            return try SQLiteCatalog.store(value, as: key, after: current, database)
        }
    }

    private static func store(
        _ value: [UInt8], as key: String, after current: HookValue, _ database: Database
    ) throws -> HookValue {
        if current.version == 0 {
            let count = try Query(database, "SELECT count(*) FROM hook_value")
            defer { count.finish() }
            guard try count.step(), try count.int(0) < StoreLimits.hookValuesMax else {
                throw VaultError(.quota, "Hooks keep \(StoreLimits.hookValuesMax) values, which is all they may.")
            }
        }
        // A version is never used again, so that who saw the one before is not fooled.
        var insert = try Query(database, "INSERT OR REPLACE INTO hook_value (key, value, version) VALUES (?, ?, ?)")
        insert.bind(text: key)
        insert.bind(blob: value)
        insert.bind(current.version + 1)
        try insert.first()
        return HookValue(value: value, version: current.version + 1)
    }

    package func add(
        _ amount: Double, to key: String, once id: String?, at time: Int64
    ) async throws(VaultError) -> HookValue {
        try await write { database in
            let current = try SQLiteCatalog.hookValue(key, database)
            if let id {
                var insert = try Query(database, "INSERT OR IGNORE INTO hook_count (key, id, at) VALUES (?, ?, ?)")
                insert.bind(text: key)
                insert.bind(text: id)
                insert.bind(time)
                try insert.first()
                if database.changesCount == 0 { return current }
                var delete = try Query(
                    database,
                    """
                    DELETE FROM hook_count WHERE rowid IN (
                      SELECT rowid FROM hook_count
                      WHERE at < (SELECT max(at) FROM hook_count WHERE at <= ?) - ? OR at > ? LIMIT 10)
                    """)
                delete.bind(time - StoreLimits.confirmedSeconds)
                delete.bind(StoreLimits.answerSeconds)
                delete.bind(time + StoreLimits.answerSeconds)
                try delete.first()
            }
            return try SQLiteCatalog.store(current.adding(amount, to: key), as: key, after: current, database)
        }
    }
}
