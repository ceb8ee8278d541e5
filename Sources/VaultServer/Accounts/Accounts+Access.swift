import FoundationEssentials
import GRDB
package import VaultModel
import VaultStore

extension Accounts {
    package func vaults() throws(VaultError) -> [Vault] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT id, name FROM vault ORDER BY name").map {
                Vault(id: $0[0], name: $0[1])
            }
        }
    }

    package func vault(named name: String) throws(VaultError) -> Vault? {
        try read { database in
            try Row.fetchOne(database, sql: "SELECT id, name FROM vault WHERE name = ?", arguments: [name]).map {
                Vault(id: $0[0], name: $0[1])
            }
        }
    }

    /// What a user may do in a vault.
    package func access(of user: String, in vault: String) throws(VaultError) -> AccessRules {
        try read { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT prefix, rights FROM access WHERE user = ? AND vault = ? ORDER BY prefix",
                arguments: [user, vault])
            return AccessRules(rows.map { Accounts.grant($0[0], $0[1]) })
        }
    }

    /// Gives a user rights below a prefix, in place of those that the user had by the same prefix.
    ///
    /// - Throws: `notFound` for a user or vault that is not there.
    package func grant(_ grant: Grant, to user: UserName, in vault: String) throws(VaultError) {
        let found = try knownVault(vault)
        let now = clock()
        try write { database in
            try Accounts.require(user, database)
            try Accounts.put(grant, of: user.text, in: found.id, database)
            try Accounts.record(
                AuditEvent(.granted, user: user.text, detail: "\(vault): \(grant)", time: now), database)
        }
    }

    /// Takes back what was granted by a prefix; by all of them where none is given.
    ///
    /// - Throws: `notFound` where there was nothing to take back.
    package func revoke(_ prefix: NamePrefix?, of user: UserName, in vault: String) throws(VaultError) {
        let found = try knownVault(vault)
        let now = clock()
        try write { database in
            try Accounts.require(user, database)
            if let prefix {
                try database.execute(
                    sql: "DELETE FROM access WHERE user = ? AND vault = ? AND prefix = ?",
                    arguments: [user.text, found.id, Data(prefix.top?.bytes ?? [])])
            } else {
                try database.execute(
                    sql: "DELETE FROM access WHERE user = ? AND vault = ?", arguments: [user.text, found.id])
            }
            guard database.changesCount > 0 else {
                throw VaultError(.notFound, "\(user) has no such grant in the vault '\(printable(vault))'.")
            }
            try Accounts.record(
                AuditEvent(.revoked, user: user.text, detail: "\(vault)\(prefix.map { ": \($0)" } ?? "")", time: now),
                database)
        }
    }

    /// Sets how many bytes a vault may store; nil for no limit.
    package func setQuota(_ bytes: UInt64?, of vault: String) async throws(VaultError) {
        let found = try knownVault(vault)
        let local = try await StoredVault.open(directory(ofVault: found.id))
        do {
            try await local.setQuota(bytes)
        } catch {
            await local.close()
            throw error
        }
        await local.close()
        try record(
            AuditEvent(.quotaSet, user: "", detail: "\(vault): \(bytes.map { "\($0)" } ?? "none")", time: clock()))
    }

    /// - Throws: `notFound` for a vault that is not there.
    package func knownVault(_ name: String) throws(VaultError) -> Vault {
        guard let vault = try vault(named: name) else {
            throw VaultError(.notFound, "There is no vault '\(printable(name))'.")
        }
        return vault
    }

    static func require(_ user: UserName, _ database: Database) throws {
        let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM user WHERE name = ?", arguments: [user.text])
        if count != 1 { throw noUser(user) }
    }

    static func put(_ grant: Grant, of user: String, in vault: String, _ database: Database) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO access (user, vault, prefix, rights) VALUES (?, ?, ?, ?)",
            arguments: [user, vault, Data(grant.prefix.top?.bytes ?? []), Int(grant.rights.rawValue)])
    }

    static func grant(_ prefix: Data, _ rights: Int) -> Grant {
        Grant(
            prefix: NamePrefix(prefix.isEmpty ? nil : Name(validated: Array(prefix))),
            rights: Rights(rawValue: UInt8(truncatingIfNeeded: rights)))
    }
}
