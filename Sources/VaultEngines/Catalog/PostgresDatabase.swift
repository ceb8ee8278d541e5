import CPostgres
package import VaultModel
import VaultStore

/// A PostgreSQL database with the catalogs of many vaults.
package final class PostgresDatabase: Sendable {
    let pool: PostgresPool
    private let location: String

    private init(_ pool: PostgresPool, _ location: String) {
        self.pool = pool
        self.location = location
    }

    /// Opens the database, and makes or updates its tables.
    ///
    /// - Parameter location: a connection URI of libpq, such as `postgres://user@host/database`.
    /// - Throws: `unavailable` where it cannot be reached, `denied`, `notFound`, and `invalid` for a newer format.
    package static func open(_ location: String) async throws(VaultError) -> PostgresDatabase {
        let pool = PostgresPool(location)
        do throws(VaultError) {
            try await pool.with { try PostgresSchema.prepare($0) }
        } catch {
            pool.close()
            throw error
        }
        return PostgresDatabase(pool, location)
    }

    /// Whether a location holds a password, in whatever form libpq takes one, or another secret. False where libpq is not
    /// there, without which nothing connects.
    package static func hasSecret(_ location: String) -> Bool {
        cpg_load() == nil && cpg_has_secret(location)
    }

    /// Makes the catalog of a new vault; one that is there stays as it is.
    package func makeCatalog(_ vault: UniqueID) async throws(VaultError) -> PostgresCatalog {
        try await pool.with { connection in
            try connection.run(
                "INSERT INTO vault (id, chunker) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                [.bytes(vault.bytes), .int(Int64(Chunker.number))])
            return
        }
        return try await catalog(vault)
    }

    /// - Throws: `notFound` for a vault that the database does not have.
    package func catalog(_ vault: UniqueID) async throws(VaultError) -> PostgresCatalog {
        let number = try await pool.with { connection in
            try connection.run("SELECT number FROM vault WHERE id = $1", [.bytes(vault.bytes)]).first?.int(0)
        }
        guard let number else { throw VaultError(.notFound, "The catalog knows no vault \(vault).") }
        return PostgresCatalog(pool, number: number, vault: vault)
    }

    /// The vaults that have a catalog here, in the order of their ids.
    func vaults() async throws(VaultError) -> [UniqueID] {
        try await pool.with { connection in
            try connection.run("SELECT id FROM vault ORDER BY id").rows.compactMap { UniqueID($0.bytes(0)) }
        }
    }

    /// Forgets a vault; one that is not there is no error.
    func removeCatalog(_ vault: UniqueID) async throws(VaultError) {
        try await pool.with { connection in
            try connection.transaction {
                let row = try connection.run(
                    "SELECT number FROM vault WHERE id = $1 FOR UPDATE", [.bytes(vault.bytes)]
                ).first
                guard let row else { return }
                try connection.run("SET LOCAL statement_timeout = 0")
                let number = PostgresValue.int(row.int(0))
                for table in PostgresSchema.vaultTables {
                    try connection.run(
                        [PostgresQuery("DELETE FROM \(table) WHERE vault = $1", [number])],
                        milliseconds: EngineLimits.collectionMilliseconds)
                }
                try connection.run("DELETE FROM vault WHERE number = $1", [number])
            }
        }
    }

    package func tables() throws(VaultError) -> PostgresTables { try PostgresTables(location) }

    /// Looks whether the database answers, by a connection of its own: those of others may all be in use for good reasons,
    /// as may those that the database has. Blocks.
    func look() throws(VaultError) {
        do throws(PostgresError) {
            try PostgresConnection(location).run("SELECT 1")
        } catch  where error.state == "53300" {
        } catch {
            throw error.vaultError
        }
    }

    /// The database's time, seconds since 1970 UTC.
    func time() async throws(VaultError) -> Int64 {
        try await pool.with { connection in
            try connection.run("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint").first?.int(0) ?? 0
        }
    }

    package func close() { pool.close() }
}
