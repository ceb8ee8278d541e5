package import VaultModel
import VaultStore

extension Accounts {
    package func vaults() throws(VaultError) -> [Vault] {
        try read { session in
            try session.rows("SELECT id, name FROM vault ORDER BY name").map { Vault(id: $0.text(0), name: $0.text(1)) }
        }
    }

    package func vault(named name: String) throws(VaultError) -> Vault? {
        // Databases take a NUL for the end of a text, or leave it out.
        if name.utf8.contains(0) { return nil }
        return try read { session in
            try session.first("SELECT id, name FROM vault WHERE name = ?", [.text(name)]).map {
                Vault(id: $0.text(0), name: $0.text(1))
            }
        }
    }

    /// What a user may do in a vault.
    package func access(of user: String, in vault: String) throws(VaultError) -> AccessRules {
        try read { session in
            let rows = try session.rows(
                "SELECT prefix, rights FROM access WHERE \"user\" = ? AND vault = ? ORDER BY prefix",
                [.text(user), .text(vault)])
            return AccessRules(rows.map { Accounts.grant($0.bytes(0), $0.int(1)) })
        }
    }

    /// Gives a user rights below a prefix, in place of those that the user had by the same prefix.
    ///
    /// - Throws: `notFound` for a user or vault that is not there.
    package func grant(_ grant: Grant, to user: UserName, in vault: String) throws(VaultError) {
        let found = try knownVault(vault)
        let now = clock()
        try write { session in
            try Accounts.require(user, session)
            try Accounts.put(grant, of: user.text, in: found.id, session)
            try Accounts.record(
                AuditEvent(.granted, user: user.text, detail: "\(vault): \(grant)", time: now), session)
        }
    }

    /// Takes back what was granted by a prefix; by all of them where none is given.
    ///
    /// - Throws: `notFound` where there was nothing to take back.
    package func revoke(_ prefix: NamePrefix?, of user: UserName, in vault: String) throws(VaultError) {
        let found = try knownVault(vault)
        let now = clock()
        try write { session in
            try Accounts.require(user, session)
            let one = prefix.map { [TableValue.bytes($0.top?.bytes ?? [])] } ?? []
            let count = try session.execute(
                "DELETE FROM access WHERE \"user\" = ? AND vault = ?" + (one.isEmpty ? "" : " AND prefix = ?"),
                [.text(user.text), .text(found.id)] + one)
            guard count > 0 else {
                throw VaultError(.notFound, "\(user) has no such grant in the vault '\(printable(vault))'.")
            }
            try Accounts.record(
                AuditEvent(.revoked, user: user.text, detail: "\(vault)\(prefix.map { ": \($0)" } ?? "")", time: now),
                session)
        }
    }

    /// Sets how many bytes a vault may store; nil for no limit.
    package func setQuota(_ bytes: UInt64?, of vault: String) async throws(VaultError) {
        let found = try knownVault(vault)
        let local = try await places.open(found.id, access: .readWrite)
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

    static func require(_ user: UserName, _ session: any TableSession) throws {
        if try session.first("SELECT 1 FROM \"user\" WHERE name = ?", [.text(user.text)]) == nil { throw noUser(user) }
    }

    static func put(_ grant: Grant, of user: String, in vault: String, _ session: any TableSession) throws {
        try session.execute(
            """
            INSERT INTO access ("user", vault, prefix, rights) VALUES (?, ?, ?, ?)
            ON CONFLICT ("user", vault, prefix) DO UPDATE SET rights = excluded.rights
            """,
            [.text(user), .text(vault), .bytes(grant.prefix.top?.bytes ?? []), .int(Int64(grant.rights.rawValue))])
    }

    static func grant(_ prefix: [UInt8], _ rights: Int64) -> Grant {
        Grant(
            prefix: NamePrefix(prefix.isEmpty ? nil : Name(validated: prefix)),
            rights: Rights(rawValue: UInt8(truncatingIfNeeded: rights)))
    }
}
