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
