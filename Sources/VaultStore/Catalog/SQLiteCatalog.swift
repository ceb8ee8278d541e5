import GRDB
import GRDBSQLite
package import VaultModel

/// The catalog in the file `catalog.sqlite`, through GRDB, in WAL mode with full synchronization.
///
/// Writers of one process take turns at `writeLock`, which is held across the storing of a commit's
/// records; writers of several processes take turns at SQLite's own lock. Readers never wait.
package final class SQLiteCatalog: Catalog {
    let pool: any DatabaseReader & DatabaseWriter
    let files: any StoreFiles
    let path: LocalPath
    let writeLock = AsyncLock()
    private let gate = ClosingGate()
    let reservations = QuotaReservations()
    private let isReadOnly: Bool

    /// The identity of the vault that the catalog belongs to.
    package let vault: UniqueID

    /// Opens the catalog at `path`, making it if `creating` names a new vault.
    ///
    /// - Throws: `integrity` for a file that is no catalog, `invalid` for one of a newer format,
    ///   `denied` where its permissions forbid.
    package init(
        _ path: LocalPath, files: any StoreFiles, creating: UniqueID? = nil, isReadOnly: Bool = false
    ) async throws(VaultError) {
        self.path = path
        self.files = files
        self.isReadOnly = isReadOnly
        do {
            let configuration = SQLiteCatalog.configuration(isReadOnly: isReadOnly)
            if isReadOnly {
                pool = try SQLiteCatalog.openReadOnly(path, configuration)
            } else {
                pool = try DatabasePool(path: path.databaseName, configuration: configuration)
            }
            if let creating { try SQLiteCatalog.makeSchema(pool, vault: creating) }
            vault = try SQLiteCatalog.checkFormat(pool, path)
            if !isReadOnly { try SQLiteCatalog.migrate(pool) }
        } catch {
            throw catalogError(error, path)
        }
    }

    private static func configuration(isReadOnly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = isReadOnly
        configuration.maximumReaderCount = 4
        configuration.allowsUnsafeTransactions = true
        configuration.busyMode = .callback { tries in
            // Short waits: another process holds the lock for a few milliseconds as a rule.
            guard tries < StoreLimits.busyMilliseconds else { return false }
            waitMilliseconds(1)
            return true
        }
        configuration.prepareDatabase { database in
            guard !isReadOnly else { return }
            keepLogFiles(of: database)
            try database.execute(
                sql: """
                    PRAGMA synchronous = FULL;
                    PRAGMA wal_autocheckpoint = 4000;
                    PRAGMA cache_size = -8000;
                    """)
        }
        return configuration
    }

    /// A directory that cannot be written to has no write-ahead log to share: the file is then all.
    private static func openReadOnly(
        _ path: LocalPath, _ configuration: Configuration
    ) throws -> any DatabaseReader & DatabaseWriter {
        // Alone with the file, SQLite keeps in memory what it shares with others in a file of its own. Where somebody else
        // has the file open, what is shared has its room.
        var alone = configuration
        alone.readonly = false
        alone.busyMode = .immediateError
        alone.prepareDatabase { database in
            keepLogFiles(of: database)
            try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON")
        }
        func open(_ configuration: Configuration) throws -> DatabaseQueue {
            let queue = try DatabaseQueue(path: path.databaseName, configuration: configuration)
            _ = try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_master") }
            return queue
        }
        if DiskSpace.isShort(in: path.parent), let queue = try? open(alone) { return queue }
        do {
            return try open(configuration)
        } catch let error as DatabaseError where error.isForWantOfSpace {
            return try open(alone)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN {
            return try DatabaseQueue(path: path.databaseURI + "?immutable=1", configuration: configuration)
        }
    }

    package func close() async {
        if !isReadOnly { try? emptyLog() }
        // SQLite's connections must not go while somebody is at them.
        await writeLock.withLock { gate.close { try? pool.close() } }
    }

    /// Moves the log into the file, as far as nobody else uses it, so that the file is the whole
    /// catalog. SQLite does so only where the last connection to close is one that writes.
    func emptyLog() throws(VaultError) {
        try access { database in
            // Others need not be waited for: they do it when they close.
            try database.execute(sql: "PRAGMA busy_timeout = 0")
            _ = try database.checkpoint(.truncate)
        }
    }

    // MARK: Access

    func read<Value>(_ body: (Database) throws -> Value) throws(VaultError) -> Value {
        do {
            return try gate.enter { try pool.read(body) }
        } catch {
            throw catalogError(error, path)
        }
    }

    /// Runs `body` in a write transaction of its own. The reservation of what it records ends before the
    /// next transaction begins.
    func write<Value: Sendable>(
        endingReservation bytes: UInt64 = 0, _ body: (Database) throws -> Value
    ) async throws(VaultError) -> Value {
        try await writeLock.withLock { () throws(VaultError) in
            try begin()
            let value = try finishing { () throws(VaultError) in try access(body) }
            reservations.end(bytes)
            return value
        }
    }

    /// Begins a transaction that stays open between accesses; `writeLock` is held meanwhile.
    func begin() throws(VaultError) {
        try access { try $0.execute(sql: "BEGIN IMMEDIATE") }
    }

    /// Runs `body` and commits; rolls back where it throws.
    private func finishing<Value>(_ body: () throws(VaultError) -> Value) throws(VaultError) -> Value {
        do throws(VaultError) {
            let value = try body()
            try commitTransaction()
            return value
        } catch {
            rollBack()
            throw error
        }
    }

    func commitTransaction() throws(VaultError) {
        try files.willCommit()
        try access { try $0.execute(sql: "COMMIT") }
        try files.didCommit()
    }

    func rollBack() {
        // After some failures SQLite has rolled back by itself, and says so by failing here.
        try? access { if $0.isInsideTransaction { try $0.execute(sql: "ROLLBACK") } }
    }

    func access<Value>(_ body: (Database) throws -> Value) throws(VaultError) -> Value {
        do {
            return try gate.enter { try pool.writeWithoutTransaction(body) }
        } catch {
            throw catalogError(error, path)
        }
    }
}

/// The error of the vault for one of the database.
func catalogError(_ error: any Error, _ path: LocalPath) -> VaultError {
    let repair = "run 'minivault verify --repair' to rebuild it from the packs"
    if let error = error as? CatalogDamage {
        return VaultError(
            .integrity, "The catalog '\(path)' is damaged: \(repair).", path: path, cause: error.what)
    }
    guard let error = error as? DatabaseError else { return VaultError(error) }
    let cause = "SQLite: \(error.message ?? "code \(error.resultCode.rawValue)")"
    if error.isForWantOfSpace {
        return VaultError(
            .quota, "No space is left for the catalog '\(path)': \(VaultError.waysToMakeRoom).", path: path,
            cause: cause)
    }
    switch error.resultCode {
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
        return VaultError(.integrity, "The catalog '\(path)' is damaged: \(repair).", path: path, cause: cause)
    case .SQLITE_BUSY, .SQLITE_LOCKED:
        return VaultError(
            .unavailable, "Another process holds the catalog '\(path)' for too long.", path: path, cause: cause,
            isRetryable: true)
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN, .SQLITE_AUTH:
        return VaultError(.denied, "The catalog '\(path)' cannot be opened or written to.", path: path, cause: cause)
    case .SQLITE_IOERR:
        return VaultError(.unavailable, "The disk of the catalog '\(path)' fails.", path: path, cause: cause)
    default:
        return VaultError(.internal, "The catalog '\(path)' refused a statement.", path: path, cause: cause)
    }
}

extension VaultError {
    /// What helps against a full disk.
    static let waysToMakeRoom =
        "'minivault remove', then 'minivault keep' and 'minivault gc' make room with the space that is kept for them; "
        + "where that is used up, free some on the disk first"
}

/// Keeps the files of the write-ahead log when the database is closed: on a full disk there would be no room to make them
/// again, not even to read.
func keepLogFiles(of database: Database) {
    var keeps: Int32 = 1
    sqlite3_file_control(database.sqliteConnection, "main", SQLITE_FCNTL_PERSIST_WAL, &keeps)
}

extension DatabaseError {
    /// Whether the disk has no room left for what SQLite wanted to write.
    var isForWantOfSpace: Bool {
        resultCode == .SQLITE_FULL || extendedResultCode == .SQLITE_IOERR_SHMSIZE
    }
}
