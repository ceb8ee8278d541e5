import FoundationEssentials
import GRDB
import Glibc
package import VaultModel

/// Small tables in a file, which several processes may use at once.
package final class SQLiteTables: TableDatabase {
    private let queue: DatabaseQueue
    private let path: LocalPath
    private let lock: LocalPath
    private let reserve: DiskReserve

    package var isShared: Bool { false }
    package var place: String { "\(path)" }

    /// Opens the file, making it, for its owner only, where it is missing.
    ///
    /// - Parameter lock: a file that is locked by ``withLock(_:)``.
    /// - Throws: `denied` where permissions forbid, `integrity` for a damaged database.
    package init(_ path: LocalPath, lock: LocalPath) throws(VaultError) {
        self.path = path
        self.lock = lock
        let reserve = DiskReserve(path.parent.appending("reserve"), bytesMax: StoreLimits.accountsReserveBytes)
        self.reserve = reserve
        // The file is made here, so that it is nobody else's from its first moment on.
        try SQLiteTables.make(path)
        try DataOwner(path.parent).take(path)
        var configuration = Configuration()
        configuration.busyMode = .timeout(30)
        configuration.prepareDatabase { database in
            keepLogFiles(of: database)
            // The log is begun again before it has grown by more than the reserve.
            try database.execute(
                sql: """
                    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                    PRAGMA wal_autocheckpoint = 100
                    """)
        }
        let reserved = reserve.size
        reserve.makeRoomToOpen()
        defer {
            reserve.fill(before: reserved)
            // On a full disk there is none.
            try? DataOwner(path.parent).take(path.parent.appending("reserve"))
        }
        queue = try reserve.duringWrite { () throws(VaultError) in
            do {
                return try SQLiteTables.patiently {
                    try DatabaseQueue(path: path.databaseName, configuration: configuration)
                }
            } catch {
                throw tablesError(error, path)
            }
        }
    }

    /// Makes the file, unless it is there: closing one that SQLite has open in this process would drop SQLite's locks.
    private static func make(_ path: LocalPath) throws(VaultError) {
        do throws(VaultError) {
            _ = try OpenFile(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        } catch  where error.code == .exists {
            if try FileStatus(of: path).kind == .file { return }
            throw VaultError(.invalid, "'\(path)' is no file, and so no accounts.", path: path)
        }
    }

    /// Tries again where another process is just switching a new file to its write-ahead log, for which SQLite does
    /// not wait by itself.
    private static func patiently<Value>(_ body: () throws -> Value) throws -> Value {
        for _ in 0..<1000 {
            do {
                return try body()
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
                usleep(2000)
            }
        }
        return try body()
    }

    package func read<Value>(_ body: (any TableSession) throws -> Value) throws(VaultError) -> Value {
        do {
            return try queue.read { try body(Session(database: $0)) }
        } catch {
            throw tablesError(error, path)
        }
    }

    package func write<Value>(
        isNoticed: Bool, _ body: (any TableSession) throws -> Value
    ) throws(VaultError) -> Value {
        try reserve.duringWrite { () throws(VaultError) in
            do {
                return try queue.write { try body(Session(database: $0)) }
            } catch {
                throw tablesError(error, path)
            }
        }
    }

    package func dataVersion() throws(VaultError) -> Int64 {
        do {
            return try queue.read { try Int64.fetchOne($0, sql: "PRAGMA data_version") ?? 0 }
        } catch {
            throw tablesError(error, path)
        }
    }

    package func withLock<Value: Sendable>(
        _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        let file = try OpenFile(lock, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        try DataOwner(lock.parent).take(lock)
        var waited = 0
        // Waiting in the system call could take the thread that the holder needs to go on.
        while flock(file.descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw VaultError(system: errno, "lock", lock) }
            guard waited < StoreLimits.lockMilliseconds else {
                throw VaultError(
                    .unavailable, "Another process works on the vaults in '\(lock.parent)' for too long.",
                    path: lock.parent, isRetryable: true)
            }
            waited += 5
            try await mappingErrors { try await Task.sleep(for: .milliseconds(5)) }
        }
        // Said outright, since a child that has been forked and not yet started shares the lock.
        defer { flock(file.descriptor, LOCK_UN) }
        return try await body()
    }

    package func close() {
        try? queue.close()
    }

    private struct Session: TableSession {
        let database: Database

        func rows(_ sql: String, _ values: [TableValue]) throws -> [TableRow] {
            try Row.fetchAll(database, sql: sql, arguments: Session.arguments(values)).map { row in
                TableRow(
                    row.databaseValues.map { value in
                        switch value.storage {
                        case .null: nil
                        case .int64(let number): .int(number)
                        case .double(let number): .int(Int64(exactly: number.rounded()) ?? 0)
                        case .string(let text): .text(text)
                        case .blob(let data): .bytes(Array(data))
                        }
                    })
            }
        }

        func execute(_ sql: String, _ values: [TableValue]) throws -> Int {
            try database.execute(sql: sql, arguments: Session.arguments(values))
            return database.changesCount
        }

        func define(_ sql: String) throws { try database.execute(sql: sql) }

        func format() throws -> Int64 { try Int64.fetchOne(database, sql: "PRAGMA user_version") ?? 0 }

        func setFormat(_ number: Int64) throws { try database.execute(sql: "PRAGMA user_version = \(number)") }

        private static func arguments(_ values: [TableValue]) -> StatementArguments {
            StatementArguments(
                values.map { value -> (any DatabaseValueConvertible)? in
                    switch value {
                    case .int(let number): number
                    case .text(let text): text
                    case .bytes(let bytes): Data(bytes)
                    }
                })
        }
    }
}

/// The error of the vault for one of the tables.
private func tablesError(_ error: any Error, _ path: LocalPath) -> VaultError {
    guard let error = error as? DatabaseError else { return VaultError(error) }
    let cause = "SQLite: \(printable(error.message ?? "code \(error.resultCode.rawValue)"))"
    if error.isForWantOfSpace {
        return VaultError(
            .quota, "No space is left for the accounts '\(path)': make room on the disk.", path: path, cause: cause)
    }
    switch error.resultCode {
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
        return VaultError(
            .integrity, "The accounts '\(path)' are damaged: restore the file from a backup.", path: path, cause: cause)
    case .SQLITE_BUSY, .SQLITE_LOCKED:
        return VaultError(
            .unavailable, "Another process holds the accounts '\(path)' for too long.", path: path, cause: cause,
            isRetryable: true)
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN, .SQLITE_AUTH:
        return VaultError(.denied, "The accounts '\(path)' cannot be opened or written to.", path: path, cause: cause)
    default:
        return VaultError(.internal, "The accounts '\(path)' refused a statement.", path: path, cause: cause)
    }
}
