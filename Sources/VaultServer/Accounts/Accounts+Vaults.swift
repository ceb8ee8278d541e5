import GRDB
import Glibc
package import VaultModel
import VaultStore

extension Accounts {
    /// Makes a vault that nobody may use yet.
    ///
    /// - Parameter quota: bytes that it may store; nil for no limit.
    /// - Throws: `exists` for a name that is taken.
    package func addVault(_ name: UserName, quota: UInt64? = nil) async throws(VaultError) {
        try await changingVaults { () async throws(VaultError) in
            guard try vault(named: name.text) == nil else {
                throw VaultError(.exists, "There is a vault '\(name)' already.")
            }
            try await makeVault(name.text, quota: quota) { (database, vault) in
                try Accounts.record(AuditEvent(.vaultAdded, user: "", detail: vault.name, time: clock()), database)
            }
        }
    }

    /// Removes a vault with all that is in it and all grants in it.
    ///
    /// A crash in between leaves it there or makes it invisible at once; what is left of it then goes with the next
    /// change, or as a server starts.
    ///
    /// - Throws: `notFound` for a vault that is not there.
    package func removeVault(_ name: String) async throws(VaultError) {
        try await changingVaults { () async throws(VaultError) in
            let vault = try knownVault(name)
            try write { database in
                try database.execute(sql: "DELETE FROM vault WHERE id = ?", arguments: [vault.id])
                try database.execute(
                    sql: "INSERT INTO unfinished_vault (id, is_removal) VALUES (?, 1)", arguments: [vault.id])
                try Accounts.record(AuditEvent(.vaultRemoved, user: "", detail: name, time: clock()), database)
            }
            try finishVaults()
        }
    }

    /// Removes what is left of vaults whose making or removal was cut short.
    package func removeLeftovers() async throws(VaultError) {
        guard try read({ try Row.fetchOne($0, sql: "SELECT 1 FROM unfinished_vault") }) != nil else { return }
        try await changingVaults { () async throws(VaultError) in }
    }

    /// Runs `body` while nobody else makes or removes vaults, and nothing is unfinished.
    func changingVaults<Value: Sendable>(
        _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        try await VaultsLock(directory: directory).withLock { () async throws(VaultError) in
            try finishVaults()
            return try await body()
        }
    }

    /// Makes a vault's directory, and then lets it and what `body` inserts be known in one transaction.
    func makeVault(
        _ name: String, quota: UInt64?, _ body: (Database, Vault) throws -> Void
    ) async throws(VaultError) {
        let vault = try beginVault(name)
        do throws(VaultError) {
            try await makeDirectory(of: vault, quota: quota)
            let now = clock()
            try write { database in
                try database.execute(
                    sql: "INSERT INTO vault (id, name, created_at) VALUES (?, ?, ?)",
                    arguments: [vault.id, vault.name, now])
                try body(database, vault)
                try Accounts.forget(vault.id, database)
            }
        } catch {
            // Only the database knows whether a commit that failed took place.
            try? finishVaults()
            throw error
        }
    }

    /// Notes a vault as one whose directory is being made.
    func beginVault(_ name: String) throws(VaultError) -> Vault {
        let vault = Vault(id: UniqueID().description, name: name)
        try write { database in
            try database.execute(
                sql: "INSERT INTO unfinished_vault (id, is_removal) VALUES (?, 0)", arguments: [vault.id])
        }
        return vault
    }

    func makeDirectory(of vault: Vault, quota: UInt64?) async throws(VaultError) {
        let path = directory(ofVault: vault.id)
        let local = try await StoredVault.open(path, access: .create)
        do {
            try await local.setQuota(quota)
        } catch {
            await local.close()
            throw error
        }
        await local.close()
        try SystemFiles().syncDirectory(path)
        let owner = try DataOwner(directory)
        try owner.take(path)
        try owner.takeAlone(path.parent)
    }

    private func finishVaults() throws(VaultError) {
        let unfinished = try read { database in
            try Row.fetchAll(database, sql: "SELECT id, is_removal FROM unfinished_vault").map { row in
                (id: row[0] as String, isRemoval: row[1] as Bool)
            }
        }
        for (id, isRemoval) in unfinished {
            // Accounts put back from an older copy can take a vault in use for one that is being made.
            let isUsed = isRemoval ? false : try hasContent(directory(ofVault: id))
            if !isUsed { try removeDirectory(ofVault: id) }
            try write { try Accounts.forget(id, $0) }
        }
    }

    private static func forget(_ id: String, _ database: Database) throws {
        try database.execute(sql: "DELETE FROM unfinished_vault WHERE id = ?", arguments: [id])
    }

    private func hasContent(_ vault: LocalPath) throws(VaultError) -> Bool {
        do {
            return try !DirectoryListing(vault.appending("packs")).names.isEmpty
        } catch  where error.code == .notFound {
            return false
        }
    }

    private func removeDirectory(ofVault id: String) throws(VaultError) {
        let path = directory(ofVault: id)
        // Under another name first, so that a server that still has it open makes nothing anew in it.
        let removed = directory(ofVault: id + ".removed")
        do {
            try SystemFiles().rename(path, to: removed)
        } catch  where error.code == .notFound {}
        try Accounts.removeTree(removed)
    }

    /// Removes a file or a directory with all that is in it, never what a link in it points to.
    private static func removeTree(_ path: LocalPath) throws(VaultError) {
        do {
            guard try FileStatus(of: path).kind == .directory else { return try SystemFiles().remove(path) }
            for name in try DirectoryListing(path).names { try removeTree(path.appending(name)) }
            try retrying("remove", path) { path.withCString { rmdir($0) } }
        } catch  where error.code == .notFound {}
    }
}
