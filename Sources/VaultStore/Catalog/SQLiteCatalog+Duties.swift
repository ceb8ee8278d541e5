import GRDB
package import VaultModel

/// A directory is served by one server, which has all duties. What was done last is remembered for the next one.
extension SQLiteCatalog {
    package func takeDuty(_ name: String, as holder: UniqueID, seconds: Int64) async throws(VaultError) -> Bool { true }

    package func leaveDuty(_ name: String, as holder: UniqueID) async throws(VaultError) {}

    package func claim(_ name: String, since time: Int64, at now: Int64) async throws(VaultError) -> Bool {
        try await write { database in
            var claim = try Query(
                database,
                """
                INSERT INTO claim (name, time) VALUES (?, ?)
                ON CONFLICT (name) DO UPDATE SET time = excluded.time
                WHERE claim.time < ? OR claim.time > excluded.time + 60
                """)
            claim.bind(text: name)
            claim.bind(now)
            claim.bind(time)
            try claim.first()
            return database.changesCount > 0
        }
    }

    package func claimTime(_ name: String, at now: Int64) async throws(VaultError) -> Int64 {
        let found = try read { try SQLiteCatalog.claimTime(name, $0) }
        if let found { return found }
        return try await write { database in
            if let found = try SQLiteCatalog.claimTime(name, database) { return found }
            var insert = try Query(database, "INSERT INTO claim (name, time) VALUES (?, ?)")
            insert.bind(text: name)
            insert.bind(now)
            try insert.first()
            var forget = try Query(database, "DELETE FROM claim WHERE time < ?")
            forget.bind(now - StoreLimits.claimSeconds)
            try forget.first()
            return now
        }
    }

    private static func claimTime(_ name: String, _ database: Database) throws -> Int64? {
        var query = try Query(database, "SELECT time FROM claim WHERE name = ?")
        query.bind(text: name)
        defer { query.finish() }
        return try query.step() ? query.int(0) : nil
    }
}
