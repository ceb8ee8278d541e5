import Crypto
import FoundationEssentials
import GRDB
package import VaultModel
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
        func insert(_ database: Database, vault: Vault) throws {
            guard try Int.fetchOne(database, sql: "SELECT 1 FROM user WHERE name = ?", arguments: [name.text]) == nil
            else {
                throw VaultError(.exists, "There is a user \(name) already: change the password with 'user passwd'.")
            }
            try database.execute(
                sql: """
                    INSERT INTO user (name, salt, iterations, stored_key, server_key, created_at)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    name.text, Data(credentials.salt), credentials.iterations, Data(credentials.storedKey),
                    Data(credentials.serverKey), now,
                ])
            try Accounts.put(Grant(prefix: .all, rights: .full), of: name.text, in: vault.id, database)
            try Accounts.record(AuditEvent(.userAdded, user: name.text, time: now), database)
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
        try write { database in
            try database.execute(sql: "DELETE FROM user WHERE name = ?", arguments: [name.text])
            guard database.changesCount > 0 else { throw Accounts.noUser(name) }
            try Accounts.record(AuditEvent(.userRemoved, user: name.text, time: now), database)
        }
    }

    package func setPassword(of name: UserName, _ credentials: ScramCredentials) throws(VaultError) {
        let now = clock()
        try write { database in
            try database.execute(
                sql: "UPDATE user SET salt = ?, iterations = ?, stored_key = ?, server_key = ? WHERE name = ?",
                arguments: [
                    Data(credentials.salt), credentials.iterations, Data(credentials.storedKey),
                    Data(credentials.serverKey), name.text,
                ])
            guard database.changesCount > 0 else { throw Accounts.noUser(name) }
            try Accounts.record(AuditEvent(.passwordChanged, user: name.text, time: now), database)
        }
    }

    /// By what a user proves the password; for one that is not there, what looks the same and proves nothing.
    package func credentials(for name: String) throws(VaultError) -> (credentials: ScramCredentials, isKnown: Bool) {
        try read { database in
            if let row = try Row.fetchOne(
                database, sql: "SELECT salt, iterations, stored_key, server_key FROM user WHERE name = ?",
                arguments: [name])
            {
                let credentials = ScramCredentials(
                    salt: Array(row[0] as Data), iterations: row[1], storedKey: Array(row[2] as Data),
                    serverKey: Array(row[3] as Data))
                return (credentials, true)
            }
            let secret = try Data.fetchOne(database, sql: "SELECT bytes FROM secret WHERE name = 'unknown users'")
            return (Accounts.madeUp(for: name, secret ?? Data()), false)
        }
    }

    /// Credentials of nobody: with a salt that stays the same, and a key that no password gives.
    private static func madeUp(for name: String, _ secret: Data) -> ScramCredentials {
        func bytes(_ label: String) -> [UInt8] {
            let text = Data("\(label)\0\(name)".utf8)
            return Array(HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: secret)))
        }
        return ScramCredentials(
            salt: Array(bytes("salt").prefix(ServerLimits.saltBytes)), iterations: ServerLimits.passwordIterations,
            storedKey: bytes("stored key"), serverKey: bytes("server key"))
    }

    package func users() throws(VaultError) -> [User] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT name, created_at FROM user ORDER BY name").map { row in
                let name: String = row[0]
                let access = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT vault.name, access.prefix, access.rights FROM access JOIN vault ON vault.id = access.vault
                        WHERE access.user = ? ORDER BY vault.name, access.prefix
                        """, arguments: [name])
                return User(
                    name: name, createdAt: row[1],
                    access: access.map { ($0[0], Accounts.grant($0[1], $0[2])) },
                    keys: try Accounts.keys(of: name, database))
            }
        }
    }

    static func noUser(_ name: UserName) -> VaultError {
        VaultError(.notFound, "There is no user \(name).")
    }
}
