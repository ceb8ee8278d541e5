import FuzzSupport
import VaultModel

/// What somebody does to the catalog of a vault, by statements of SQL.
///
/// Meanwhile the schema says nothing of types and of values that must be there, so that every column takes every value;
/// it is as it was again before it is tampered with itself.
struct Tampering {
    private let database: RawDatabase
    private let tables: [(name: String, columns: [String])]
    private let schema: [[String]]

    /// Nil for a file that is no database.
    init?(_ path: LocalPath) {
        guard let first = RawDatabase(path) else { return nil }
        schema = first.rows("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        first.run(
            """
            UPDATE sqlite_schema SET sql = replace(replace(replace(sql, ' NOT NULL', ''), ' TEXT', ''), ' BLOB', '')
            WHERE type = 'table'
            """)
        first.close()
        // A connection keeps the schema that it has read.
        guard let second = RawDatabase(path) else { return nil }
        database = second
        tables = second.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").map {
            let name = $0.first ?? ""
            return (name, second.rows("SELECT name FROM pragma_table_info('\(name)')").compactMap(\.first))
        }
        database.run("BEGIN")
    }

    func changeRows(_ choices: inout Choices) {
        for _ in 0..<choices.below(6) where !tables.isEmpty {
            let table = choices.one(of: tables)
            guard !table.columns.isEmpty else { continue }
            database.run(statement(for: table.name, table.columns, &choices))
        }
        for row in schema {
            database.run(
                "UPDATE sqlite_schema SET sql = \(RawDatabase.quoted(row[1])) WHERE name = \(RawDatabase.quoted(row[0]))"
            )
        }
    }

    private func statement(for table: String, _ columns: [String], _ choices: inout Choices) -> String {
        let column = choices.one(of: columns)
        switch choices.below(8) {
        case 0, 1, 2: return "UPDATE OR IGNORE \(table) SET \(column) = \(choices.literal())"
        case 3, 4:
            let (old, row) = (choices.one(of: columns), choices.below(16))
            return """
                UPDATE OR IGNORE \(table) SET \(column) = \(choices.literal())
                WHERE \(old) IS (SELECT \(old) FROM \(table) LIMIT 1 OFFSET \(row))
                """
        case 5: return "DELETE FROM \(table) WHERE \(column) IS (SELECT \(column) FROM \(table) LIMIT 1)"
        case 6:
            let values = columns.map { $0 == column ? choices.literal() : $0 }
            return "INSERT OR IGNORE INTO \(table) SELECT \(values.joined(separator: ", ")) FROM \(table) LIMIT 4"
        default:
            let values = columns.map { _ in choices.literal() }
            return "INSERT OR IGNORE INTO \(table) VALUES (\(values.joined(separator: ", ")))"
        }
    }

    func changeSchema(_ choices: inout Choices) {
        guard choices.rarely(4), !schema.isEmpty else { return }
        let (row, other) = (choices.one(of: schema), choices.one(of: schema))
        let (name, otherName) = (RawDatabase.quoted(row[0]), RawDatabase.quoted(other[0]))
        let statements = [
            "UPDATE sqlite_schema SET rootpage = \(choices.below(80)) WHERE name = \(name)",
            """
            UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = \(otherName))
            WHERE name = \(name)
            """,
            "UPDATE sqlite_schema SET rootpage = \(choices.literal()) WHERE name = \(name)",
            "DELETE FROM sqlite_schema WHERE name = \(name)",
            "UPDATE sqlite_schema SET sql = \(choices.literal()) WHERE name = \(name)",
            "UPDATE sqlite_schema SET type = \(choices.literal()) WHERE name = \(name)",
            "UPDATE sqlite_schema SET sql = replace(sql, ' INTEGER', ' TEXT') WHERE name = \(name)",
            "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = \(name)",
            "UPDATE sqlite_schema SET sql = replace(sql, ')', ', CHECK (abs(1)))') WHERE name = \(name)",
            """
            UPDATE sqlite_schema SET type = 'view', rootpage = 0,
              sql = 'CREATE VIEW ' || name || ' AS SELECT * FROM ' || \(otherName) WHERE name = \(name)
            """,
            """
            INSERT INTO sqlite_schema VALUES ('trigger', 't', 'entry', 0,
              'CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM version; END')
            """,
            """
            INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING fts5(x)')
            """,
            "INSERT INTO sqlite_schema SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE name = \(name)",
            "UPDATE sqlite_schema SET tbl_name = \(otherName) WHERE name = \(name)",
        ]
        database.run(choices.one(of: statements))
    }

    func close() {
        database.run("COMMIT")
        database.close()
    }
}

extension Choices {
    /// A value as SQL writes it.
    mutating func literal() -> String {
        switch below(10) {
        case 0, 1, 2: return "\(number(Int64.self))"
        case 3: return "\(below(64))"
        case 4: return "NULL"
        case 5: return one(of: ["1.5", "-1e308", "9e999", "0.0", "4611686018427387904.5"])
        case 6: return "zeroblob(\(one(of: [0, 1, 16, 32, 64, 70_000])))"
        case 7: return "x'\(hexadecimal(someBytes(40)))'"
        case 8: return "CAST(x'\(hexadecimal(someBytes(40)))' AS TEXT)"
        default:
            let texts = [
                "x/a", "x", "..", "x/../y", "/x", "x//y", "x/", "", "z/large", "‛FF", "save", "remove", "a\u{1B}[2J",
                "x/a/b", "0123456789abcdef0123456789abcdef",
            ]
            return RawDatabase.quoted(one(of: texts))
        }
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
