import GRDB
import Glibc
import VaultModel

extension SQLiteCatalog {
    /// The format of the catalog that this program reads and writes.
    static let format = 6

    static func makeSchema(_ pool: any DatabaseWriter, vault: UniqueID) throws {
        try pool.writeWithoutTransaction { database in
            // Pages that hold nothing can be given back to the disk. That is settled with the first page.
            if try isEmpty(database) { try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL; VACUUM") }
        }
        try pool.write { database in
            guard try isEmpty(database) else { return }
            try database.execute(sql: schema)
            try database.execute(
                sql: "INSERT INTO vault (id, format, chunker, sequence, stored_bytes, epoch) VALUES (?, ?, ?, 0, 0, 0)",
                arguments: [vault.description, format, Int64(Chunker.number)])
        }
    }

    /// By a statement that has ended when tables are made, which ends all that are kept.
    private static func isEmpty(_ database: Database) throws -> Bool {
        let tables = try Query(database, "SELECT 1 FROM sqlite_master LIMIT 1")
        defer { tables.finish() }
        return try !tables.step()
    }

    /// Looks whether the file is a catalog of this format and nothing else.
    ///
    /// - Returns: the vault's id.
    /// - Throws: `CatalogDamage` for another schema than ours, `invalid` for another format.
    static func check(_ pool: any DatabaseReader, _ path: LocalPath) throws -> UniqueID {
        try pool.read { database in
            let found = try definitions(database)
            // The one table in which the format stands has been the same in all formats; what others hold is not looked at.
            guard found.contains(where: { $0.name == "vault" && $0.isStored }) else {
                throw CatalogDamage(what: "the table of the vault is missing")
            }
            let vault = try Query(database, "SELECT id, format FROM vault")
            defer { vault.finish() }
            guard try vault.step(), let id = UniqueID(vault.text(0)) else {
                throw CatalogDamage(what: "the table of the vault is empty")
            }
            try check(format: try vault.int(1), path)
            var missing = statements
            for definition in found where !definition.isAutomatic {
                guard definition.isStored, missing.remove(definition.sql) != nil else {
                    throw CatalogDamage(what: "'\(printable(definition.name))', which is no part of a catalog")
                }
            }
            guard missing.isEmpty else { throw CatalogDamage(what: "a table or an index is missing") }
            return id
        }
    }

    private static func check(format found: Int64, _ path: LocalPath) throws {
        if found == format { return }
        guard found > 0 else { throw CatalogDamage(what: "the format \(found)") }
        throw VaultError(
            .invalid,
            found > format
                ? "The vault of '\(path)' has format \(found), this program knows \(format): use a newer one."
                : "The vault of '\(path)' has format \(found) of an early program, this one knows \(format): pull it with the "
                    + "program that made it, and push it to a new vault.", path: path)
    }

    /// A table, an index, or what else a file may define.
    private struct Definition {
        var name: String
        var sql: String
        /// Whether it is rows of this file: views, triggers and virtual tables are programs of whoever made the file.
        var isStored: Bool
        /// Whether SQLite made it by itself, for a primary key or a unique column.
        var isAutomatic: Bool
    }

    private static func definitions(_ database: Database) throws -> [Definition] {
        let query = try Query(database, "SELECT type, name, rootpage, sql FROM sqlite_master")
        var found: [Definition] = []
        while try query.step() {
            let type = query.text(0)
            let isStored = try (type == "table" || type == "index") && query.int(2) > 0
            found.append(
                Definition(
                    name: query.text(1), sql: query.text(3), isStored: isStored,
                    isAutomatic: isStored && type == "index" && query.isNull(3)))
        }
        return found
    }

    /// The statements of ``schema``, as SQLite keeps them.
    private static let statements = Set(
        schema.split(separator: ";").map { statement in
            String(statement.drop(while: \.isWhitespace))
        }.filter { !$0.isEmpty })

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
          pending_bytes INTEGER NOT NULL DEFAULT 0,
          journal_bytes INTEGER NOT NULL DEFAULT 0,
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
          damaged INTEGER NOT NULL DEFAULT 0,
          pending INTEGER NOT NULL DEFAULT 0
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
          user TEXT NOT NULL DEFAULT '',
          mark INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        CREATE TABLE upload_chunk (
          upload BLOB NOT NULL,
          digest BLOB NOT NULL,
          bytes INTEGER NOT NULL,
          PRIMARY KEY (upload, digest)
        ) WITHOUT ROWID;
        CREATE TABLE lease (
          id BLOB PRIMARY KEY,
          sequence INTEGER NOT NULL,
          renewed_at INTEGER NOT NULL
        ) WITHOUT ROWID;
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
        CREATE TABLE claim (
          name TEXT PRIMARY KEY,
          time INTEGER NOT NULL
        ) WITHOUT ROWID;
        """
}

func waitMilliseconds(_ count: UInt32) {
    usleep(count * 1000)
}
