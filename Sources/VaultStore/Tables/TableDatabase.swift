package import VaultModel

/// A database of small tables beside the vaults, such as a server's accounts: in a file, or in the engine that many
/// servers share.
///
/// Statements are SQL that both SQLite and PostgreSQL know, with `?` for parameters and SQLite's names of types in
/// definitions of tables. Operations are short and block.
package protocol TableDatabase: Sendable {
    /// Where it is, as people are told.
    var place: String { get }
    /// Whether servers on other machines use the tables too.
    var isShared: Bool { get }

    /// Runs `body` on one state of the tables.
    func read<Value>(_ body: (any TableSession) throws -> Value) throws(VaultError) -> Value
    /// Runs `body` in a transaction, which is rolled back where it throws.
    ///
    /// - Parameter isNoticed: whether others who use the tables are to notice the change soon.
    @discardableResult
    func write<Value>(
        isNoticed: Bool, _ body: (any TableSession) throws -> Value
    ) throws(VaultError) -> Value
    /// A number that changes when somebody else has changed the tables.
    func dataVersion() throws(VaultError) -> Int64
    /// Runs `body` while no other process does.
    ///
    /// - Throws: `unavailable` where another one holds the lock for too long.
    func withLock<Value: Sendable>(
        _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value
    func close()
}

/// The tables within a transaction.
package protocol TableSession {
    func rows(_ sql: String, _ values: [TableValue]) throws -> [TableRow]
    /// - Returns: how many rows were inserted, changed or removed.
    @discardableResult
    func execute(_ sql: String, _ values: [TableValue]) throws -> Int
    /// Runs statements that define tables.
    func define(_ sql: String) throws
    /// The number of the tables' format; 0 for tables that are not there.
    func format() throws -> Int64
    func setFormat(_ number: Int64) throws
}

extension TableSession {
    package func first(_ sql: String, _ values: [TableValue] = []) throws -> TableRow? {
        try rows(sql, values).first
    }

    package func rows(_ sql: String) throws -> [TableRow] { try rows(sql, []) }
}

/// A value of a row, or of a parameter.
package enum TableValue: Sendable, Hashable {
    case int(Int64)
    case text(String)
    case bytes([UInt8])

    package static func int(_ value: Int) -> TableValue { .int(Int64(value)) }
}

package struct TableRow: Sendable {
    private let values: [TableValue?]

    package init(_ values: [TableValue?]) {
        self.values = values
    }

    /// The number in a column, counted from 0; 0 for none.
    package func int(_ column: Int) -> Int64 {
        guard case .int(let value) = values[column] else { return 0 }
        return value
    }

    package func text(_ column: Int) -> String {
        guard case .text(let value) = values[column] else { return "" }
        return value
    }

    package func bytes(_ column: Int) -> [UInt8] {
        guard case .bytes(let value) = values[column] else { return [] }
        return value
    }
}
