import GRDB
import Glibc
import VaultModel

extension SQLiteCatalog {
    /// The newest format of the catalog that this program reads and writes.
    ///
    /// 2 added users of uploads, answers and the audit; 3 the outbox and what hooks keep; 4 how often the clock went back.
    static let format = 4

    static func makeSchema(_ pool: any DatabaseWriter, vault: UniqueID) throws {
        try pool.write { database in
            guard try !database.tableExists("vault") else { return }
            try database.execute(sql: schema + additions + hookTables)
            try database.execute(
                sql: "INSERT INTO vault (id, format, chunker, sequence, stored_bytes, epoch) VALUES (?, ?, ?, 0, 0, 0)",
                arguments: [vault.description, format, Int64(Chunker.number)])
        }
    }

    /// Brings a catalog of an older format up to date; a vault that is only read needs none of it.
    static func migrate(_ pool: any DatabaseWriter) throws {
        let formatOf = { (database: Database) in
            try Int.fetchOne(database, sql: "SELECT format FROM vault") ?? format
        }
        guard try pool.read(formatOf) < format else { return }
        try pool.write { database in
            // Another process may have been first.
            let found = try formatOf(database)
            if found < 2 {
                try database.execute(
                    sql: "ALTER TABLE upload ADD COLUMN user TEXT NOT NULL DEFAULT '';" + additions)
            }
            if found < 3 { try database.execute(sql: hookTables) }
            if found < 4 {
                try database.execute(sql: "ALTER TABLE vault ADD COLUMN setbacks INTEGER NOT NULL DEFAULT 0")
            }
            try database.execute(sql: "UPDATE vault SET format = \(format)")
        }
    }

    /// - Returns: the vault's id.
    static func checkFormat(_ pool: any DatabaseReader, _ path: LocalPath) throws -> UniqueID {
        try pool.read { database in
            guard try database.tableExists("vault"),
                let row = try Row.fetchOne(database, sql: "SELECT id, format FROM vault"),
                let text = row[0] as String?, let id = UniqueID(text), let format = row[1] as Int?
            else { throw CatalogDamage(what: "the table of the vault is missing or empty") }
            guard format <= SQLiteCatalog.format else {
                throw VaultError(
                    .invalid,
                    "The vault of '\(path)' has format \(format), this program knows \(SQLiteCatalog.format): use a newer one.",
                    path: path)
            }
            return id
        }
    }

    /// The columns of a version, in `entry` and `version` alike.
    static let versionColumns = """
        version, sequence, kind, size, chunker, depth, root, mode, modified, changed, inode, saved_at, saved_by, tags
        """

    // The columns of a primary key come first: SQLite 3.40 looks for NULLs in the wrong ones otherwise,
    // and then its integrity check finds fault with every row.
    private static let schema = """
        CREATE TABLE vault (
          id TEXT NOT NULL,
          format INTEGER NOT NULL,
          chunker INTEGER NOT NULL,
          sequence INTEGER NOT NULL,
          stored_bytes INTEGER NOT NULL,
          epoch INTEGER NOT NULL,
          quota INTEGER,
          setbacks INTEGER NOT NULL DEFAULT 0
        );
        CREATE TABLE pack (
          number INTEGER PRIMARY KEY,
          id BLOB NOT NULL UNIQUE,
          length INTEGER NOT NULL
        );
        CREATE TABLE chunk (
          digest BLOB PRIMARY KEY,
          pack INTEGER NOT NULL,
          offset INTEGER NOT NULL,
          length INTEGER NOT NULL,
          damaged INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        CREATE TABLE entry (
          object INTEGER PRIMARY KEY,
          name TEXT UNIQUE,
          since INTEGER NOT NULL,
          version INTEGER NOT NULL,
          sequence INTEGER NOT NULL,
          kind INTEGER NOT NULL,
          size INTEGER NOT NULL,
          chunker INTEGER NOT NULL,
          depth INTEGER NOT NULL,
          root BLOB NOT NULL,
          mode INTEGER NOT NULL,
          modified INTEGER NOT NULL,
          changed INTEGER,
          inode INTEGER,
          saved_at INTEGER NOT NULL,
          saved_by TEXT NOT NULL,
          tags BLOB
        );
        CREATE TABLE version (
          object INTEGER NOT NULL,
          sequence INTEGER NOT NULL,
          until INTEGER NOT NULL,
          version INTEGER NOT NULL,
          kind INTEGER NOT NULL,
          size INTEGER NOT NULL,
          chunker INTEGER NOT NULL,
          depth INTEGER NOT NULL,
          root BLOB NOT NULL,
          mode INTEGER NOT NULL,
          modified INTEGER NOT NULL,
          changed INTEGER,
          inode INTEGER,
          saved_at INTEGER NOT NULL,
          saved_by TEXT NOT NULL,
          tags BLOB,
          PRIMARY KEY (object, sequence)
        ) WITHOUT ROWID;
        CREATE TABLE former_name (
          name TEXT NOT NULL,
          since INTEGER NOT NULL,
          object INTEGER NOT NULL,
          until INTEGER NOT NULL,
          PRIMARY KEY (name, since, object)
        ) WITHOUT ROWID;
        CREATE TABLE retired_name (
          name TEXT PRIMARY KEY,
          last_version INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE dropped (
          sequence INTEGER NOT NULL,
          depth INTEGER NOT NULL,
          root BLOB NOT NULL
        );
        CREATE TABLE journal_group (
          last_sequence INTEGER PRIMARY KEY,
          time INTEGER NOT NULL,
          digest BLOB NOT NULL,
          pack INTEGER NOT NULL,
          offset INTEGER NOT NULL,
          length INTEGER NOT NULL
        );
        CREATE INDEX journal_group_digest ON journal_group (digest);
        CREATE INDEX journal_group_time ON journal_group (time);
        CREATE TABLE upload (
          id BLOB PRIMARY KEY,
          touched_at INTEGER NOT NULL,
          user TEXT NOT NULL DEFAULT ''
        ) WITHOUT ROWID;
        CREATE TABLE upload_chunk (
          upload BLOB NOT NULL,
          digest BLOB NOT NULL,
          PRIMARY KEY (upload, digest)
        ) WITHOUT ROWID;
        CREATE TABLE lease (
          id BLOB PRIMARY KEY,
          sequence INTEGER NOT NULL,
          renewed_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        """

    /// What format 3 has.
    private static let hookTables = """
        CREATE TABLE outbox (
          number INTEGER PRIMARY KEY,
          id BLOB NOT NULL,
          kind TEXT NOT NULL,
          name TEXT NOT NULL,
          former_name TEXT,
          version INTEGER NOT NULL,
          user TEXT NOT NULL,
          peer TEXT NOT NULL,
          at INTEGER NOT NULL,
          depth INTEGER NOT NULL,
          failures INTEGER NOT NULL,
          due INTEGER NOT NULL,
          is_failed INTEGER NOT NULL,
          error TEXT,
          traceback TEXT
        );
        CREATE INDEX outbox_order ON outbox (is_failed, number);
        CREATE TABLE hook_value (
          key TEXT PRIMARY KEY,
          value BLOB NOT NULL,
          version INTEGER NOT NULL
        );
        CREATE TABLE hook_count (
          key TEXT NOT NULL,
          id TEXT NOT NULL,
          at INTEGER NOT NULL,
          PRIMARY KEY (key, id)
        );
        CREATE INDEX hook_count_at ON hook_count (at);
        """

    /// What format 2 has besides the columns that it added.
    private static let additions = """
        CREATE INDEX upload_chunk_digest ON upload_chunk (digest);
        CREATE TABLE answer (
          user TEXT NOT NULL,
          id BLOB NOT NULL,
          at INTEGER NOT NULL,
          answer BLOB NOT NULL,
          PRIMARY KEY (user, id)
        );
        CREATE INDEX answer_at ON answer (at);
        CREATE TABLE audit (
          first_sequence INTEGER PRIMARY KEY,
          last_sequence INTEGER NOT NULL,
          at INTEGER NOT NULL,
          user TEXT NOT NULL,
          peer TEXT NOT NULL,
          action TEXT NOT NULL,
          name TEXT,
          count INTEGER NOT NULL
        );
        """
}

func waitMilliseconds(_ count: UInt32) {
    usleep(count * 1000)
}
