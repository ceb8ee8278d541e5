import GRDBSQLite
import VaultModel

/// A database as somebody opens it who means no good: no check is on, and the schema may be written to.
final class RawDatabase {
    private var handle: OpaquePointer?

    /// Nil for a file that is no database.
    init?(_ path: LocalPath) {
        let status = path.withCString { sqlite3_open_v2($0, &handle, SQLITE_OPEN_READWRITE, nil) }
        guard status == SQLITE_OK else {
            close()
            return nil
        }
        run("PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF")
    }

    deinit { close() }

    func close() {
        sqlite3_close(handle)
        handle = nil
    }

    /// Runs statements up to the first that fails.
    @discardableResult
    func run(_ sql: String) -> Bool { sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK }

    /// The rows of a query, every value as text.
    func rows(_ sql: String) -> [[String]] {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK else { return [] }
        defer { sqlite3_finalize(statement) }
        var rows: [[String]] = []
        while sqlite3_step(statement) == SQLITE_ROW {
            rows.append(
                (0..<sqlite3_column_count(statement)).map { column in
                    sqlite3_column_text(statement, column).map { String(cString: $0) } ?? ""
                })
        }
        return rows
    }

    /// The text as a literal of SQL.
    static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
}
