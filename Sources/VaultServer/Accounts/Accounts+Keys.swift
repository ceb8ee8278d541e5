package import VaultModel
import VaultStore

extension Accounts {
    /// Keys of one user.
    private static let keysMax = 64

    package func hasKey(_ key: [UInt8], of user: String) throws(VaultError) -> Bool {
        try read { session in
            try session.first(
                "SELECT 1 FROM device_key WHERE \"user\" = ? AND public_key = ?", [.text(user), .bytes(key)]) != nil
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
        try write { session in
            try Accounts.require(user, session)
            let others = try session.first(
                "SELECT count(*) FROM device_key WHERE \"user\" = ? AND public_key <> ?",
                [.text(user.text), .bytes(key)])
            guard let others, others.int(0) < Accounts.keysMax else {
                throw VaultError(
                    .quota, "\(user) has \(Accounts.keysMax) device keys: the server's operator can remove old ones.")
            }
            try session.execute(
                """
                INSERT INTO device_key ("user", public_key, label, enrolled_at) VALUES (?, ?, ?, ?)
                ON CONFLICT ("user", public_key)
                DO UPDATE SET label = excluded.label, enrolled_at = excluded.enrolled_at
                """, [.text(user.text), .bytes(key), .text(label), .int(now)])
            try Accounts.record(
                AuditEvent(.keyEnrolled, user: user.text, peer: peer, detail: label, time: now), session)
        }
    }

    /// Takes a device's key away.
    ///
    /// - Parameter fingerprint: the key's, or its beginning, as long as that is one key's only.
    /// - Throws: `notFound` for no such key, `conflict` for several.
    package func removeKey(_ fingerprint: String, of user: UserName) throws(VaultError) {
        let now = clock()
        try write { session in
            try Accounts.require(user, session)
            let found = try Accounts.keys(of: user.text, session).filter { $0.fingerprint.hasPrefix(fingerprint) }
            guard let key = found.first else {
                throw VaultError(.notFound, "\(user) has no device key '\(printable(fingerprint))'.")
            }
            guard found.count == 1 else {
                throw VaultError(.conflict, "\(user) has \(found.count) device keys that begin so.")
            }
            try session.execute(
                "DELETE FROM device_key WHERE \"user\" = ? AND public_key = ?",
                [.text(user.text), .bytes(key.publicKey)])
            try Accounts.record(AuditEvent(.keyRemoved, user: user.text, detail: key.label, time: now), session)
        }
    }

    static func keys(of user: String, _ session: any TableSession) throws -> [DeviceKey] {
        try session.rows(
            """
            SELECT public_key, label, enrolled_at FROM device_key WHERE "user" = ? ORDER BY enrolled_at, public_key
            """, [.text(user)]
        ).map { DeviceKey(publicKey: $0.bytes(0), label: $0.text(1), enrolledAt: $0.int(2)) }
    }
}
