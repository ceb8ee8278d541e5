package import VaultModel
package import VaultStore
import VaultWire

/// Who may log in to a server, and what they may do there: a database of its own in its data directory, or one that
/// many servers share.
///
/// Several processes may use one at once: servers, and commands that change it. Operations are short and block in system
/// calls.
package final class Accounts: Sendable {
    /// A vault of the server.
    package struct Vault: Hashable, Sendable {
        package var id: String
        package var name: String
    }

    let tables: any TableDatabase
    /// Where the vaults are.
    package let places: any VaultPlaces
    let clock: @Sendable () -> Int64

    /// Opens the accounts in a data directory, in the file `server.sqlite`.
    ///
    /// - Parameters:
    ///   - creating: whether they, and the directory, are made where they are missing, open to their owner only.
    ///   - besideVaults: whether they are made also where there are vaults, whose accounts have been lost.
    /// - Throws: `notFound` for accounts that are missing and not made, `integrity` for those that are lost beside vaults
    ///   and for a damaged database, `invalid` for accounts of a newer format, `denied` where permissions forbid.
    package static func open(
        _ directory: LocalPath, creating: Bool = true, besideVaults: Bool = false,
        clock: @escaping @Sendable () -> Int64 = currentSeconds
    ) throws(VaultError) -> Accounts {
        let path = directory.appending("server.sqlite")
        if try !isThere(path) {
            if !besideVaults {
                try refuseLoss(of: path, in: directory, unless: { () throws(VaultError) in try isThere(path) })
            }
            guard creating else {
                throw VaultError(
                    .notFound, "'\(directory)' has no server's data: 'minivault user add' and 'serve' make it.",
                    path: directory)
            }
            if try StoredVault.isPresent(in: directory) {
                throw VaultError(
                    .invalid, "'\(directory)' is a vault: a server's data has a directory of its own.", path: directory)
            }
            try LocalDirectories.make(directory, mode: 0o700)
        }
        let tables = try SQLiteTables(path, lock: directory.appending("lock"))
        do throws(VaultError) {
            func hasTables() throws(VaultError) -> Bool { try tables.read { try $0.format() } != 0 }
            let isNew = try !hasTables()
            // An empty file is as good as a lost one.
            if isNew, !besideVaults { try refuseLoss(of: path, in: directory, unless: hasTables) }
            let accounts = try Accounts(tables, DirectoryPlaces(directory), clock: clock)
            if isNew, besideVaults { try accounts.noteOwnKey(nil) }
            return accounts
        } catch {
            tables.close()
            throw error
        }
    }

    /// Opens the accounts in other tables, making what is missing there.
    package init(
        _ tables: any TableDatabase, _ places: any VaultPlaces, clock: @escaping @Sendable () -> Int64
    ) throws(VaultError) {
        self.tables = tables
        self.places = places
        self.clock = clock
        let place = tables.place
        // A change that others notice takes its turn: of several that start at once, one makes the tables.
        let isNew = try tables.read { try $0.format() } == 0
        try tables.write(isNoticed: isNew) { try AccountsSchema.prepare($0, place) }
    }

    /// A number that changes when another process has changed the accounts.
    package func dataVersion() throws(VaultError) -> Int64 { try tables.dataVersion() }

    package func close() { tables.close() }

    func read<Value>(_ body: (any TableSession) throws -> Value) throws(VaultError) -> Value {
        try tables.read(body)
    }

    /// - Parameter isNoticed: whether other servers and commands are to notice the change soon.
    @discardableResult
    func write<Value>(
        isNoticed: Bool = true, _ body: (any TableSession) throws -> Value
    ) throws(VaultError) -> Value {
        try tables.write(isNoticed: isNoticed, body)
    }
}
