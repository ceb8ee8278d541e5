package import VaultModel
import VaultStore

/// The catalog of one vault in a PostgreSQL database, which any number of servers use at the same time.
///
/// A change holds the lock of the vault's row while it is decided and stored, so that changes of one vault take their
/// turns whichever servers they come from. Readers never wait. What an operation asks travels together: a commit takes
/// three ways to the database and back, and more where it meets what could not be foreseen.
package final class PostgresCatalog: Catalog {
    let pool: PostgresPool
    /// The vault's number in the database.
    let number: Int64
    let reservations = QuotaReservations()
    /// Held by what holds the vault, so that those of this process who wait for it take up no connections.
    let lock = AsyncLock()

    /// The identity of the vault that the catalog belongs to.
    package let vault: UniqueID

    init(_ pool: PostgresPool, number: Int64, vault: UniqueID) {
        self.pool = pool
        self.number = number
        self.vault = vault
    }

    /// The pool is that of all vaults in the database.
    package func close() async {}

    static let removed = VaultError(.notFound, "The vault has been removed.")

    var vaultValue: PostgresValue { .int(number) }

    // MARK: Access

    /// Runs one statement, and reads its result.
    func ask<Value: Sendable>(
        _ sql: String, _ values: [PostgresValue], _ read: (PostgresResult) throws -> Value
    ) async throws(VaultError) -> Value {
        try await pool.with { connection in try read(connection.run(sql, values)) }
    }

    /// Runs `body` on one snapshot of the database.
    func read<Value: Sendable>(_ body: (PostgresConnection) throws -> Value) async throws(VaultError) -> Value {
        try await pool.with { connection in
            try connection.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") { try body(connection) }
        }
    }

    /// Runs `body` in a transaction that holds the vault.
    ///
    /// - Parameter isRepeatable: whether it may run again where its outcome was lost.
    @discardableResult
    func write<Value: Sendable>(
        isRepeatable: Bool = true, _ body: (PostgresConnection) throws -> Value
    ) async throws(VaultError) -> Value {
        try await lock.withLock { () async throws(VaultError) in
            try await pool.with(isRepeatable: isRepeatable) { connection in
                try connection.transaction {
                    let found = try connection.run(
                        "SELECT 1 FROM vault WHERE number = $1 FOR UPDATE", [vaultValue])
                    guard found.count == 1 else { throw PostgresCatalog.removed }
                    return try body(connection)
                }
            }
        }
    }
}
