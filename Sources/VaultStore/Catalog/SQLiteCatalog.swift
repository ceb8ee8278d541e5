import CSQLite
import GRDB
import GRDBSQLite
import Glibc
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
        try SQLiteCatalog.checkFiles(path, isNew: creating != nil)
        if !isReadOnly { try SQLiteCatalog.keepToOwner(path, isNew: creating != nil) }
        do {
            let configuration = SQLiteCatalog.configuration(isReadOnly: isReadOnly)
            if isReadOnly {
                pool = try SQLiteCatalog.openReadOnly(path, configuration)
            } else {
                pool = try SQLiteCatalog.openPool(path, configuration)
            }
            if let creating { try SQLiteCatalog.makeSchema(pool, vault: creating) }
            vault = try SQLiteCatalog.check(pool, path)
        } catch {
            throw catalogError(error, path)
        }
    }

    private static func configuration(isReadOnly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = isReadOnly
        configuration.maximumReaderCount = 4
        configuration.allowsUnsafeTransactions = true
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .callback { tries in
            // Short waits: another process holds the lock for a few milliseconds as a rule.
            guard tries < StoreLimits.busyMilliseconds else { return false }
            waitMilliseconds(1)
            return true
        }
        configuration.prepareDatabase { database in
            distrust(database)
            guard !isReadOnly else { return }
            keepLogFiles(of: database)
            try database.execute(
                sql: """
                    PRAGMA wal_autocheckpoint = 4000;
                    PRAGMA journal_size_limit = \(StoreLimits.logBytesMax);
                    PRAGMA cache_size = -8000;
                    """)
        }
        return configuration
    }

    private static func openPool(_ path: LocalPath, _ configuration: Configuration) throws -> DatabasePool {
        let pool = try DatabasePool(path: path.databaseName, configuration: configuration)
        // GRDB leaves a pool's commits in the system's memory, whatever the configuration says, and a power failure would
        // take away what was acknowledged.
        try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        return pool
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
            distrust(database)
            keepLogFiles(of: database)
            try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON")
        }
        func open(_ configuration: Configuration) throws -> DatabaseQueue {
            let queue = try DatabaseQueue(path: path.databaseName, configuration: configuration)
            try queue.read { _ = try Query($0, "SELECT 1 FROM sqlite_master LIMIT 1").first() }
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

    /// Looks at the files before SQLite does, which follows links, and which takes a `-journal` for what a crash left: it
    /// would write the journal's pages into the file, and remove another file that the journal names.
    ///
    /// - Parameter isNew: whether the file is only being made, which an earlier try may have left half done.
    private static func checkFiles(_ path: LocalPath, isNew: Bool) throws(VaultError) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let file = LocalPath(path.bytes + suffix.utf8)
            let status: FileStatus
            do throws(VaultError) {
                status = try FileStatus(of: file)
            } catch  where error.code == .notFound {
                continue
            }
            guard status.kind == .file, isNew || suffix != "-journal" else {
                throw VaultError(
                    .integrity,
                    "'\(file)' is no part of a catalog: remove it, or run 'minivault verify --repair', which moves it away.",
                    path: file)
            }
        }
    }

    /// Has the files of the catalog, which tell all names, read by nobody but their owner, whatever the directory allows.
    /// SQLite gives its logs the mode of the file.
    private static func keepToOwner(_ path: LocalPath, isNew: Bool) throws(VaultError) {
        // Made without being opened: closing a file that SQLite has open in this process would drop SQLite's locks.
        if isNew {
            let isMade = path.withCString { mknod($0, S_IFREG | 0o600, 0) } == 0
            guard isMade || errno == EEXIST else { throw VaultError(system: errno, "make", path) }
            // SQLite gives its logs to the file's owner.
            if isMade { DataOwner.inherit(path) }
        }
        for suffix in ["", "-wal", "-shm"] {
            let file = LocalPath(path.bytes + suffix.utf8)
            guard let status = try? FileStatus(of: file), status.kind == .file, status.mode & 0o077 != 0 else {
                continue
            }
            // Another user's is as its owner wants it.
            _ = file.withCString { chmod($0, mode_t(status.mode & 0o700)) }
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

    /// Reads a snapshot; ends with `cancelled`, however much there is to read, where the task is cancelled.
    func read<Value>(_ body: (Database) throws -> Value) throws(VaultError) -> Value {
        do {
            return try gate.enter { try pool.read { database in try interruptible(database) { try body(database) } } }
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
    let cause = "SQLite: \(printable(error.message ?? "code \(error.resultCode.rawValue)"))"
    if error.isForWantOfSpace {
        return VaultError(
            .quota, "No space is left for the catalog '\(path)': \(VaultError.waysToMakeRoom).", path: path,
            cause: cause)
    }
    switch error.resultCode {
    case .SQLITE_INTERRUPT: return .cancelled
    // All statements are fixed, so that one which fails by itself has met other tables than ours, or rows that cannot be.
    case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR, .SQLITE_CONSTRAINT, .SQLITE_MISMATCH, .SQLITE_TOOBIG:
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

/// Has SQLite take the file for what anybody may have made: it runs no program of the file's, and reads no value that no
/// catalog has.
private func distrust(_ database: Database) {
    csqlite_distrust(database.sqliteConnection, StoreLimits.catalogValueBytesMax)
}

/// Runs `body`, of which a statement that takes long ends with `SQLITE_INTERRUPT` once the task is cancelled.
func interruptible<Value>(_ database: Database, _ body: () throws -> Value) throws -> Value {
    let connection = database.sqliteConnection
    sqlite3_progress_handler(connection, StoreLimits.uninterruptedSteps, { _ in Task.isCancelled ? 1 : 0 }, nil)
    defer { sqlite3_progress_handler(connection, 0, nil, nil) }
    return try body()
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
