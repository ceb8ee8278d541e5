import Crypto
import FoundationEssentials
package import VaultModel
import VaultStore
package import VaultWire

extension Accounts {
    /// A user as an operator sees one.
    package struct User: Sendable {
        package var name: String
        /// Seconds since 1970 UTC.
        package var createdAt: Int64
        /// What the user may do, by the names of vaults.
        package var access: [(vault: String, grant: Grant)]
        package var keys: [DeviceKey]
    }

    /// A device from which a user may log in without the password.
    package struct DeviceKey: Hashable, Sendable {
        package var publicKey: [UInt8]
        package var label: String
        /// Seconds since 1970 UTC.
        package var enrolledAt: Int64

        /// The key as people compare it.
        package var fingerprint: String { Digest(of: publicKey).fingerprint }
    }

    /// What is kept of a new password.
    package static func credentials(of password: PasswordText) -> ScramCredentials {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<ServerLimits.saltBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return ScramCredentials(password: password, salt: salt, iterations: ServerLimits.passwordIterations)
    }

    /// Makes a user with a vault of the same name, granted in full.
    ///
    /// A crash or an error at any instant leaves both or neither.
    ///
    /// - Returns: whether the vault is new. One of that name that is there stays as it is and is granted.
    /// - Throws: `exists` for a user that is there.
    @discardableResult
    package func addUser(
        _ name: UserName, _ credentials: ScramCredentials, quota: UInt64? = nil
    ) async throws(VaultError) -> Bool {
        let now = clock()
        func insert(_ session: any TableSession, vault: Vault) throws {
            guard try session.first("SELECT 1 FROM \"user\" WHERE name = ?", [.text(name.text)]) == nil else {
                throw VaultError(.exists, "There is a user \(name) already: change the password with 'user passwd'.")
            }
            try session.execute(
                """
                INSERT INTO "user" (name, salt, iterations, stored_key, server_key, created_at)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(name.text), .bytes(credentials.salt), .int(credentials.iterations),
                    .bytes(credentials.storedKey), .bytes(credentials.serverKey), .int(now),
                ])
            try Accounts.put(Grant(prefix: .all, rights: .full), of: name.text, in: vault.id, session)
            try Accounts.record(AuditEvent(.userAdded, user: name.text, time: now), session)
        }
        return try await changingVaults { () async throws(VaultError) in
            guard let known = try vault(named: name.text) else {
                try await makeVault(name.text, quota: quota, insert)
                return true
            }
            try write { try insert($0, vault: known) }
            if let quota { try await setQuota(quota, of: known.name) }
            return false
        }
    }

    /// Removes a user with all keys and grants. The vault of that name stays, for its other users and its content.
    package func removeUser(_ name: UserName) throws(VaultError) {
        let now = clock()
        try write { session in
            let count = try session.execute("DELETE FROM \"user\" WHERE name = ?", [.text(name.text)])
            guard count > 0 else { throw Accounts.noUser(name) }
            try Accounts.record(AuditEvent(.userRemoved, user: name.text, time: now), session)
        }
    }

    package func setPassword(of name: UserName, _ credentials: ScramCredentials) throws(VaultError) {
        let now = clock()
        try write { session in
            let count = try session.execute(
                "UPDATE \"user\" SET salt = ?, iterations = ?, stored_key = ?, server_key = ? WHERE name = ?",
                [
                    .bytes(credentials.salt), .int(credentials.iterations), .bytes(credentials.storedKey),
                    .bytes(credentials.serverKey), .text(name.text),
                ])
            guard count > 0 else { throw Accounts.noUser(name) }
            try Accounts.record(AuditEvent(.passwordChanged, user: name.text, time: now), session)
        }
    }

    /// By what a user proves the password; for one that is not there, what looks the same and proves nothing.
    package func credentials(for name: String) throws(VaultError) -> (credentials: ScramCredentials, isKnown: Bool) {
        try read { session in
            let row = try session.first(
                "SELECT salt, iterations, stored_key, server_key FROM \"user\" WHERE name = ?", [.text(name)])
            if let row {
                let credentials = ScramCredentials(
                    salt: row.bytes(0), iterations: Int(row.int(1)), storedKey: row.bytes(2), serverKey: row.bytes(3))
                return (credentials, true)
            }
            let secret = try session.first("SELECT bytes FROM secret WHERE name = 'unknown users'")
            return (Accounts.madeUp(for: name, secret?.bytes(0) ?? []), false)
        }
    }

    /// Credentials of nobody: with a salt that stays the same, and a key that no password gives.
    private static func madeUp(for name: String, _ secret: [UInt8]) -> ScramCredentials {
        func bytes(_ label: String) -> [UInt8] {
            let text = Data("\(label)\0\(name)".utf8)
            return Array(HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: secret)))
        }
        return ScramCredentials(
            salt: Array(bytes("salt").prefix(ServerLimits.saltBytes)), iterations: ServerLimits.passwordIterations,
            storedKey: bytes("stored key"), serverKey: bytes("server key"))
    }

    package func users() throws(VaultError) -> [User] {
        try read { session in
            try session.rows("SELECT name, created_at FROM \"user\" ORDER BY name").map { row in
                let name = row.text(0)
                let access = try session.rows(
                    """
                    SELECT vault.name, access.prefix, access.rights FROM access JOIN vault ON vault.id = access.vault
                    WHERE access."user" = ? ORDER BY vault.name, access.prefix
                    """, [.text(name)])
                return User(
                    name: name, createdAt: row.int(1),
                    access: access.map { ($0.text(0), Accounts.grant($0.bytes(1), $0.int(2))) },
                    keys: try Accounts.keys(of: name, session))
            }
        }
    }

    static func noUser(_ name: UserName) -> VaultError {
        VaultError(.notFound, "There is no user \(name).")
    }
}
