import FoundationEssentials
import GRDB
package import VaultModel

extension Accounts {
    /// Keys of one user.
    private static let keysMax = 64

    package func hasKey(_ key: [UInt8], of user: String) throws(VaultError) -> Bool {
        try read { database in
            try Int.fetchOne(
                database, sql: "SELECT count(*) FROM device_key WHERE user = ? AND public_key = ?",
                arguments: [user, Data(key)]) == 1
        }
    }

    /// Lets a device log in with its key from now on.
    ///
    /// - Throws: `notFound` for a user that is not there, `quota` for one with too many keys.
    package func enrolKey(
        _ key: [UInt8], label: String, of user: UserName, peer: String = ""
    ) throws(VaultError) {
        let now = clock()
        let label = printable(label.cut(toBytes: ServerLimits.deviceLabelBytesMax))
        try write { database in
            try Accounts.require(user, database)
            let others = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM device_key WHERE user = ? AND public_key <> ?",
                arguments: [user.text, Data(key)])
            guard let others, others < Accounts.keysMax else {
                throw VaultError(
                    .quota, "\(user) has \(Accounts.keysMax) device keys: the server's operator can remove old ones.")
            }
            try database.execute(
                sql: "INSERT OR REPLACE INTO device_key (user, public_key, label, enrolled_at) VALUES (?, ?, ?, ?)",
                arguments: [user.text, Data(key), label, now])
            try Accounts.record(
                AuditEvent(.keyEnrolled, user: user.text, peer: peer, detail: label, time: now), database)
        }
    }

    /// Takes a device's key away.
    ///
    /// - Parameter fingerprint: the key's, or its beginning, as long as that is one key's only.
    /// - Throws: `notFound` for no such key, `conflict` for several.
    package func removeKey(_ fingerprint: String, of user: UserName) throws(VaultError) {
        let now = clock()
        try write { database in
            try Accounts.require(user, database)
            let found = try Accounts.keys(of: user.text, database).filter { $0.fingerprint.hasPrefix(fingerprint) }
            guard let key = found.first else {
                throw VaultError(.notFound, "\(user) has no device key '\(printable(fingerprint))'.")
            }
            guard found.count == 1 else {
                throw VaultError(.conflict, "\(user) has \(found.count) device keys that begin so.")
            }
            try database.execute(
                sql: "DELETE FROM device_key WHERE user = ? AND public_key = ?",
                arguments: [user.text, Data(key.publicKey)])
            try Accounts.record(AuditEvent(.keyRemoved, user: user.text, detail: key.label, time: now), database)
        }
    }

    static func keys(of user: String, _ database: Database) throws -> [DeviceKey] {
        try Row.fetchAll(
            database,
            sql:
                "SELECT public_key, label, enrolled_at FROM device_key WHERE user = ? ORDER BY enrolled_at, public_key",
            arguments: [user]
        ).map { DeviceKey(publicKey: Array($0[0] as Data), label: $0[1], enrolledAt: $0[2]) }
    }
}
