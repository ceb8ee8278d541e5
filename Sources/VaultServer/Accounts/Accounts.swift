import GRDB
import Glibc
package import VaultModel
import VaultStore
import VaultWire

/// Who may log in to a server, and what they may do: the database `server.sqlite` of its data directory.
///
/// Several processes may use one at once: a server, and commands that change it. Operations are short and
/// block in system calls.
package final class Accounts: Sendable {
    /// A vault of the server.
    package struct Vault: Hashable, Sendable {
        package var id: String
        package var name: String
    }

    let queue: DatabaseQueue
    let directory: LocalPath
    let clock: @Sendable () -> Int64

    /// Opens the accounts in a data directory.
    ///
    /// - Parameter creating: whether they, and the directory, are made where they are missing, open to their owner
    ///   only.
    /// - Throws: `notFound` for accounts that are missing and not made, `invalid` for accounts of a newer format,
    ///   `denied` where permissions forbid, `integrity` for a damaged database.
    package static func open(
        _ directory: LocalPath, creating: Bool = true, clock: @escaping @Sendable () -> Int64 = currentSeconds
    ) throws(VaultError) -> Accounts {
        if creating {
            try LocalDirectories.make(directory, mode: 0o700)
        } else {
            do throws(VaultError) {
                _ = try FileStatus(of: path(in: directory))
            } catch {
                guard error.code == .notFound else { throw error }
                throw VaultError(
                    .notFound, "'\(directory)' has no server's data: 'minivault user add' and 'serve' make it.",
                    path: directory)
            }
        }
        return try Accounts(directory, clock)
    }

    private init(_ directory: LocalPath, _ clock: @escaping @Sendable () -> Int64) throws(VaultError) {
        self.directory = directory
        self.clock = clock
        let path = Accounts.path(in: directory)
        // The file is made here, so that it is nobody else's from its first moment on.
        _ = try OpenFile(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        try DataOwner(directory).take(path)
        var configuration = Configuration()
        configuration.busyMode = .timeout(30)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
        }
        do {
            queue = try Accounts.patiently {
                try DatabaseQueue(path: String(decoding: path.bytes, as: UTF8.self), configuration: configuration)
            }
            try queue.write { try AccountsSchema.prepare($0, path) }
        } catch {
            throw accountsError(error, path)
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

    static func path(in directory: LocalPath) -> LocalPath { directory.appending("server.sqlite") }

    /// A number that changes when another process has changed the accounts.
    package func dataVersion() throws(VaultError) -> Int64 {
        try read { try Int64.fetchOne($0, sql: "PRAGMA data_version") ?? 0 }
    }

    /// Where a vault's own directory is.
    package func directory(ofVault id: String) -> LocalPath {
        directory.appending("vaults").appending(id)
    }

    package func close() {
        try? queue.close()
    }

    func read<Value>(_ body: (Database) throws -> Value) throws(VaultError) -> Value {
        do {
            return try queue.read(body)
        } catch {
            throw accountsError(error, Accounts.path(in: directory))
        }
    }

    func write<Value>(_ body: (Database) throws -> Value) throws(VaultError) -> Value {
        do {
            return try queue.write(body)
        } catch {
            throw accountsError(error, Accounts.path(in: directory))
        }
    }
}

/// The error of the accounts for one of their database.
func accountsError(_ error: any Error, _ path: LocalPath) -> VaultError {
    guard let error = error as? DatabaseError else { return VaultError(error) }
    let cause = "SQLite: \(error.message ?? "code \(error.resultCode.rawValue)")"
    switch error.resultCode {
    case .SQLITE_FULL:
        return VaultError(.quota, "No space is left for the accounts '\(path)'.", path: path, cause: cause)
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
