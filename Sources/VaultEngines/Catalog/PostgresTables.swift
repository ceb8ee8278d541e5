import Synchronization
package import VaultModel
package import VaultStore

/// Small tables beside the catalogs, in the schema `minivault_accounts`.
package final class PostgresTables: TableDatabase {
    private let location: String
    private let connection = Mutex<PostgresConnection?>(nil)

    package var isShared: Bool { true }
    package let place = "the database of the catalog"

    /// - Parameter location: a connection URI of libpq.
    init(_ location: String) throws(VaultError) {
        self.location = location
        try run { connection in
            try connection.transaction {
                try connection.run("SELECT pg_advisory_xact_lock(\(PostgresTables.lockNumber))")
                try connection.run("CREATE SCHEMA IF NOT EXISTS minivault_accounts")
                // One row of each: the tables' format, and a number that grows with every change.
                for table in ["format", "revision"] {
                    try connection.run(
                        "CREATE TABLE IF NOT EXISTS minivault_accounts.\(table) (number bigint NOT NULL)")
                    try connection.run(
                        """
                        INSERT INTO minivault_accounts.\(table)
                        SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM minivault_accounts.\(table))
                        """)
                }
            }
        }
    }

    /// Any number that nobody else takes an advisory lock under.
    private static let lockNumber = 0x6D69_6E69_7662

    package func read<Value>(_ body: (any TableSession) throws -> Value) throws(VaultError) -> Value {
        try run { connection in
            try connection.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") {
                try body(Session(connection: connection))
            }
        }
    }

    package func write<Value>(
        isNoticed: Bool, _ body: (any TableSession) throws -> Value
    ) throws(VaultError) -> Value {
        try run(isRepeatable: false) { connection in
            try connection.transaction {
                // The row lets one change in after the other, as a file does.
                if isNoticed { try connection.run("UPDATE revision SET number = number + 1") }
                return try body(Session(connection: connection))
            }
        }
    }

    package func dataVersion() throws(VaultError) -> Int64 {
        try run { connection in try connection.run("SELECT number FROM revision").first?.int(0) ?? 0 }
    }

    package func withLock<Value: Sendable>(
        _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        // The lock is its connection's, and ends with it.
        let holder = try connect()
        var waited = 0
        while true {
            do throws(PostgresError) {
                let row = try holder.run("SELECT pg_try_advisory_lock(\(PostgresTables.lockNumber + 1))").first
                if row?.bool(0) == true { break }
            } catch {
                throw error.vaultError
            }
            guard waited < EngineLimits.lockMilliseconds else {
                throw VaultError(
                    .unavailable, "Another process works on the vaults for too long.", isRetryable: true)
            }
            waited += 20
            try await mappingErrors { try await Task.sleep(for: .milliseconds(20)) }
        }
        defer { withExtendedLifetime(holder) {} }
        return try await body()
    }

    package func close() {
        connection.withLock { $0 = nil }
    }

    private func connect() throws(VaultError) -> PostgresConnection {
        do throws(PostgresError) {
            let connection = try PostgresConnection(location)
            try connection.run([
                PostgresQuery("SELECT set_config('search_path', 'minivault_accounts', false)"),
                PostgresQuery(
                    "SELECT set_config('lock_timeout', '\(EngineLimits.accountsLockMilliseconds)', false)"),
            ])
            return connection
        } catch {
            throw error.vaultError
        }
    }

    /// - Parameter isRepeatable: whether `body` may run again where its connection is lost at the end.
    private func run<Value>(
        isRepeatable: Bool = true, _ body: (PostgresConnection) throws -> Value
    ) throws(VaultError) -> Value {
        try connection.withLock { (kept) throws(VaultError) in
            while true {
                let known = kept
                let connection: PostgresConnection
                if let known { connection = known } else { connection = try connect() }
                kept = connection
                do {
                    return try body(connection)
                } catch let error as PostgresError {
                    if !connection.isSound { kept = nil }
                    // One that was lost while nobody used it says so at its first word; another one is not.
                    guard error.isLost, known != nil, isRepeatable || error.hadNoEffect else { throw error.vaultError }
                } catch {
                    throw catalogError(error)
                }
            }
        }
    }

    private struct Session: TableSession {
        let connection: PostgresConnection

        func rows(_ sql: String, _ values: [TableValue]) throws -> [TableRow] {
            let result = try connection.run(Session.numbered(sql), values.map(\.postgres))
            return try (0..<result.count).map { row in
                TableRow(try (0..<result.columns).map { try result.tableValue(row, $0) })
            }
        }

        func execute(_ sql: String, _ values: [TableValue]) throws -> Int {
            try connection.run(Session.numbered(sql), values.map(\.postgres)).changed
        }

        func define(_ sql: String) throws {
            let types = [
                ("INTEGER PRIMARY KEY", "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"), ("INTEGER", "bigint"),
                ("BLOB", "bytea"), ("TEXT", "text COLLATE \"C\""), (" WITHOUT ROWID", ""),
            ]
            let translated = types.reduce(sql) { $0.replacing($1.0, with: $1.1) }
            for statement in translated.split(separator: ";") where !statement.allSatisfy(\.isWhitespace) {
                try connection.run(String(statement))
            }
        }

        func format() throws -> Int64 { try connection.run("SELECT number FROM format").first?.int(0) ?? 0 }

        func setFormat(_ number: Int64) throws { try connection.run("UPDATE format SET number = $1", [.int(number)]) }

        /// With PostgreSQL's parameters in place of SQLite's.
        private static func numbered(_ sql: String) -> String {
            var text = ""
            for (index, part) in sql.split(separator: "?", omittingEmptySubsequences: false).enumerated() {
                text += (index == 0 ? "" : "$\(index)") + part
            }
            return text
        }
    }
}

extension TableValue {
    fileprivate var postgres: PostgresValue {
        switch self {
        case .int(let number): .int(number)
        case .text(let text): .text(text)
        case .bytes(let bytes): .bytes(bytes)
        }
    }
}
