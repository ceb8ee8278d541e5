import VaultModel
import VaultStore

/// The tables of the accounts.
enum AccountsSchema {
    /// The newest format that this program reads and writes.
    static let format: Int64 = 2

    static func prepare(_ session: any TableSession, _ place: String) throws {
        let found = try session.format()
        guard found <= format else {
            throw VaultError(
                .invalid, "The accounts '\(place)' have format \(found), this program knows \(format): use a newer one."
            )
        }
        if found == 1 {
            try session.define("ALTER TABLE audit ADD COLUMN count INTEGER NOT NULL DEFAULT 1;" + trails)
        }
        guard found == 0 else { return found < format ? try session.setFormat(format) : () }
        try session.define(tables + trails)
        var generator = SystemRandomNumberGenerator()
        try session.execute(
            "INSERT INTO secret (name, bytes) VALUES ('unknown users', ?)",
            [.bytes((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })])
        try session.setFormat(format)
    }

    /// The audit of vaults that have been removed.
    private static let trails = """
        CREATE TABLE former_audit (
          id INTEGER PRIMARY KEY,
          vault TEXT NOT NULL,
          name TEXT NOT NULL,
          first_sequence INTEGER NOT NULL,
          last_sequence INTEGER NOT NULL,
          at INTEGER NOT NULL,
          "user" TEXT NOT NULL,
          peer TEXT NOT NULL,
          action TEXT NOT NULL,
          subject BLOB NOT NULL,
          count INTEGER NOT NULL
        );
        CREATE INDEX former_audit_vault ON former_audit (vault, first_sequence);
        """

    private static let tables = """
        CREATE TABLE "user" (
          name TEXT PRIMARY KEY,
          salt BLOB NOT NULL,
          iterations INTEGER NOT NULL,
          stored_key BLOB NOT NULL,
          server_key BLOB NOT NULL,
          created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE device_key (
          "user" TEXT NOT NULL REFERENCES "user" (name) ON DELETE CASCADE,
          public_key BLOB NOT NULL,
          label TEXT NOT NULL,
          enrolled_at INTEGER NOT NULL,
          PRIMARY KEY ("user", public_key)
        ) WITHOUT ROWID;
        CREATE TABLE vault (
          id TEXT PRIMARY KEY,
          name TEXT NOT NULL UNIQUE,
          created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        -- Vaults whose directory is being made or removed: what a crash leaves of them has to go.
        CREATE TABLE unfinished_vault (
          id TEXT PRIMARY KEY,
          is_removal INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE access (
          "user" TEXT NOT NULL REFERENCES "user" (name) ON DELETE CASCADE,
          vault TEXT NOT NULL REFERENCES vault (id) ON DELETE CASCADE,
          prefix BLOB NOT NULL,
          rights INTEGER NOT NULL,
          PRIMARY KEY ("user", vault, prefix)
        ) WITHOUT ROWID;
        CREATE TABLE secret (
          name TEXT PRIMARY KEY,
          bytes BLOB NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE audit (
          id INTEGER PRIMARY KEY,
          at INTEGER NOT NULL,
          event TEXT NOT NULL,
          "user" TEXT NOT NULL,
          peer TEXT NOT NULL,
          detail TEXT NOT NULL,
          count INTEGER NOT NULL DEFAULT 1
        );
        CREATE INDEX audit_at ON audit (at);
        CREATE INDEX access_vault ON access (vault);
        """
}
