import VaultModel
import VaultStore

extension Accounts {
    /// What servers know and nobody else; nil for nothing of that name.
    func secret(_ name: String) throws(VaultError) -> [UInt8]? {
        try read { try $0.first("SELECT bytes FROM secret WHERE name = ?", [.text(name)])?.bytes(0) }
    }

    /// Keeps secrets together, unless there are such already.
    func keepSecrets(_ secrets: [(name: String, bytes: [UInt8])]) throws(VaultError) {
        try write { session in
            for (name, bytes) in secrets {
                try session.execute(
                    "INSERT INTO secret (name, bytes) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
                    [.text(name), .bytes(bytes)])
            }
        }
    }

    /// The fingerprint of the key that the server's own certificate had when it last started; nil for a server that has
    /// had none, and an empty one for a server that had one nobody remembers.
    func ownKey() throws(VaultError) -> String? {
        guard let bytes = try secret("own certificate") else { return nil }
        return bytes == Accounts.forgottenKey ? "" : String(decoding: bytes, as: UTF8.self)
    }

    /// - Parameter fingerprint: nil for one that is not known, of a server that has served before.
    func noteOwnKey(_ fingerprint: String?) throws(VaultError) {
        let bytes = fingerprint.map { Array($0.utf8) } ?? Accounts.forgottenKey
        if try secret("own certificate") == bytes { return }
        try write(isNoticed: false) { session in
            try session.execute(
                """
                INSERT INTO secret (name, bytes) VALUES ('own certificate', ?)
                ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes
                """, [.bytes(bytes)])
        }
    }

    private static let forgottenKey = Array("unknown".utf8)

    /// The key of what servers that share these accounts tell each other; nil where nobody shares them.
    func sharedKey() throws(VaultError) -> [UInt8]? {
        guard tables.isShared else { return nil }
        if let key = try secret("session tokens") { return key }
        var generator = SystemRandomNumberGenerator()
        try keepSecrets([
            ("session tokens", (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
        ])
        return try secret("session tokens")
    }
}
