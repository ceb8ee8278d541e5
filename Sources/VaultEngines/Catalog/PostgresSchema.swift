import VaultModel
import VaultStore

/// The tables of the catalogs of all vaults that share a database, in the schema `minivault`.
///
/// They are those of the SQLite catalog, each row with the number of its vault. Names are bytes, ordered as such; of
/// long ones an index holds the first 1,024, since PostgreSQL's have no room for more.
enum PostgresSchema {
    /// The newest format that this program reads and writes.
    static let format: Int64 = 3

    /// The steps from one format to the next, the first of which makes everything.
    private static let migrations = [tables, clock, uploads]

    /// Bytes of unfinished uploads apart from those of versions, and of everything besides content.
    private static let uploads = """
        ALTER TABLE minivault.vault ADD COLUMN pending_bytes bigint NOT NULL DEFAULT 0,
          ADD COLUMN journal_bytes bigint NOT NULL DEFAULT 0, ADD COLUMN catalog_bytes bigint NOT NULL DEFAULT 0;
        ALTER TABLE minivault.chunk ADD COLUMN pending boolean NOT NULL DEFAULT false;
        ALTER TABLE minivault.upload ADD COLUMN mark bigint NOT NULL DEFAULT 0;
        ALTER TABLE minivault.upload_chunk ADD COLUMN bytes bigint NOT NULL DEFAULT 0;
        UPDATE minivault.vault SET journal_bytes = (
          SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0)::bigint FROM minivault.journal_group
          WHERE vault = number);
        """

    /// The number of times that the clock of a journal went back, and the latest time in it.
    private static let clock = """
        ALTER TABLE minivault.vault ADD COLUMN latest_time bigint NOT NULL DEFAULT 0,
          ADD COLUMN setbacks bigint NOT NULL DEFAULT 0;
        UPDATE minivault.vault SET latest_time = head_time
        """

    /// Makes the tables, or brings those of an older format up to date.
    ///
    /// - Throws: `invalid` for a newer format.
    static func prepare(_ connection: PostgresConnection) throws {
        // So that of several servers that start at once, one does it.
        try connection.transaction {
            try connection.run("SELECT pg_advisory_xact_lock(\(lockNumber))")
            let found = try format(connection)
            guard found <= format else {
                throw VaultError(
                    .invalid,
                    "The catalog has format \(found), this program knows \(format): use a newer one.")
            }
            guard found >= 0 else { throw CatalogDamage(what: "the format \(found)") }
            guard found < format else { return }
            if found == 0 { try connection.run("CREATE SCHEMA IF NOT EXISTS minivault") }
            for migration in migrations[Int(found)...] {
                for statement in migration.split(separator: ";\n") { try connection.run(String(statement)) }
            }
            try connection.run("DELETE FROM minivault.format")
            try connection.run("INSERT INTO minivault.format (number) VALUES (\(format))")
        }
    }

    private static func format(_ connection: PostgresConnection) throws -> Int64 {
        let table = try connection.run("SELECT to_regclass('minivault.format') IS NOT NULL")
        guard table.first?.bool(0) == true else { return 0 }
        return try connection.run("SELECT number::bigint FROM minivault.format").first?.int(0) ?? 0
    }

    /// Any number that nobody else takes an advisory lock under.
    private static let lockNumber = 0x6D69_6E69_7661

    /// The part of a name that is indexed; `name` stands for a column or a parameter.
    static func head(_ name: String) -> String { "substr(\(name), 1, \(headBytes))" }
    static let headBytes = 1024

    /// The columns of a version, in `entry` and `version` alike.
    static let versionColumns = """
        version, sequence, kind, size, chunker, depth, root, mode, modified, changed, inode, saved_at, saved_by, tags
        """

    /// The tables whose rows belong to vaults.
    static let vaultTables = [
        "chunk", "journal_group", "pack", "entry", "version", "former_name", "retired_name", "dropped", "upload",
        "upload_chunk", "lease", "answer", "audit", "outbox", "hook_value", "hook_count", "duty", "disowned_pack",
    ]

    private static let versionColumnTypes = """
        version bigint NOT NULL,
        sequence bigint NOT NULL,
        size bigint NOT NULL,
        modified bigint NOT NULL,
        changed bigint,
        inode bigint,
        saved_at bigint NOT NULL,
        mode bigint NOT NULL,
        chunker integer NOT NULL,
        kind smallint NOT NULL,
        depth smallint NOT NULL,
        root bytea NOT NULL,
        saved_by text NOT NULL,
        tags bytea
        """

    private static let tables = """
        CREATE TABLE IF NOT EXISTS minivault.format (number integer NOT NULL);
        CREATE TABLE minivault.vault (
          number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          id bytea NOT NULL UNIQUE,
          chunker integer NOT NULL,
          sequence bigint NOT NULL DEFAULT 0,
          head_digest bytea,
          head_time bigint NOT NULL DEFAULT 0,
          stored_bytes bigint NOT NULL DEFAULT 0,
          epoch bigint NOT NULL DEFAULT 0,
          quota bigint
        ) WITH (fillfactor = 50);
        CREATE TABLE minivault.pack (
          number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          vault bigint NOT NULL REFERENCES minivault.vault ON DELETE CASCADE,
          length bigint NOT NULL,
          id bytea NOT NULL,
          UNIQUE (vault, id)
        );
        CREATE TABLE minivault.chunk (
          vault bigint NOT NULL,
          pack bigint NOT NULL,
          start bigint NOT NULL,
          length integer NOT NULL,
          damaged boolean NOT NULL DEFAULT false,
          digest bytea NOT NULL,
          PRIMARY KEY (vault, digest)
        );
        CREATE INDEX chunk_pack ON minivault.chunk (pack);
        CREATE TABLE minivault.entry (
          vault bigint NOT NULL,
          object bigint NOT NULL,
          since bigint NOT NULL,
        \(versionColumnTypes),
          name bytea,
          PRIMARY KEY (vault, object)
        );
        CREATE INDEX entry_name ON minivault.entry (vault, \(head("name")));
        CREATE TABLE minivault.version (
          vault bigint NOT NULL,
          object bigint NOT NULL,
          until bigint NOT NULL,
        \(versionColumnTypes),
          PRIMARY KEY (vault, object, sequence)
        );
        CREATE TABLE minivault.former_name (
          vault bigint NOT NULL,
          object bigint NOT NULL,
          since bigint NOT NULL,
          until bigint NOT NULL,
          name bytea NOT NULL
        );
        CREATE INDEX former_name_name ON minivault.former_name (vault, \(head("name")));
        CREATE INDEX former_name_object ON minivault.former_name (vault, object);
        CREATE TABLE minivault.retired_name (
          vault bigint NOT NULL,
          last_version bigint NOT NULL,
          name bytea NOT NULL
        );
        CREATE UNIQUE INDEX retired_name_name ON minivault.retired_name (vault, sha256(name));
        CREATE TABLE minivault.dropped (
          vault bigint NOT NULL,
          sequence bigint NOT NULL,
          depth smallint NOT NULL,
          root bytea NOT NULL
        );
        CREATE INDEX dropped_sequence ON minivault.dropped (vault, sequence);
        CREATE TABLE minivault.journal_group (
          vault bigint NOT NULL,
          last_sequence bigint NOT NULL,
          time bigint NOT NULL,
          pack bigint NOT NULL,
          start bigint NOT NULL,
          length integer NOT NULL,
          digest bytea NOT NULL,
          PRIMARY KEY (vault, last_sequence)
        );
        CREATE INDEX journal_group_digest ON minivault.journal_group (vault, digest);
        CREATE INDEX journal_group_time ON minivault.journal_group (vault, time, last_sequence);
        CREATE INDEX journal_group_pack ON minivault.journal_group (pack);
        CREATE TABLE minivault.upload (
          vault bigint NOT NULL,
          touched_at bigint NOT NULL,
          id bytea NOT NULL,
          owner text NOT NULL,
          PRIMARY KEY (vault, id)
        );
        CREATE TABLE minivault.upload_chunk (
          vault bigint NOT NULL,
          upload bytea NOT NULL,
          digest bytea NOT NULL,
          PRIMARY KEY (vault, upload, digest)
        );
        CREATE INDEX upload_chunk_digest ON minivault.upload_chunk (vault, digest);
        CREATE TABLE minivault.lease (
          vault bigint NOT NULL,
          sequence bigint NOT NULL,
          renewed_at bigint NOT NULL,
          id bytea NOT NULL,
          PRIMARY KEY (vault, id)
        );
        CREATE TABLE minivault.answer (
          vault bigint NOT NULL,
          at bigint NOT NULL,
          id bytea NOT NULL,
          owner text NOT NULL,
          answer bytea NOT NULL,
          PRIMARY KEY (vault, id, owner)
        );
        CREATE INDEX answer_at ON minivault.answer (vault, at);
        CREATE TABLE minivault.audit (
          vault bigint NOT NULL,
          first_sequence bigint NOT NULL,
          last_sequence bigint NOT NULL,
          at bigint NOT NULL,
          names bigint NOT NULL,
          owner text NOT NULL,
          peer text NOT NULL,
          action text NOT NULL,
          name bytea,
          PRIMARY KEY (vault, first_sequence)
        );
        CREATE TABLE minivault.outbox (
          number bigint GENERATED ALWAYS AS IDENTITY,
          vault bigint NOT NULL,
          version bigint NOT NULL,
          at bigint NOT NULL,
          depth bigint NOT NULL,
          failures bigint NOT NULL DEFAULT 0,
          due bigint NOT NULL DEFAULT 0,
          is_failed boolean NOT NULL DEFAULT false,
          id bytea NOT NULL,
          kind text NOT NULL,
          name bytea NOT NULL,
          former_name bytea,
          owner text NOT NULL,
          peer text NOT NULL,
          error text,
          traceback text,
          PRIMARY KEY (vault, number)
        );
        CREATE INDEX outbox_order ON minivault.outbox (vault, is_failed, number);
        CREATE TABLE minivault.hook_value (
          vault bigint NOT NULL,
          version bigint NOT NULL,
          key text COLLATE "C" NOT NULL,
          value bytea NOT NULL,
          PRIMARY KEY (vault, key)
        );
        CREATE TABLE minivault.hook_count (
          vault bigint NOT NULL,
          at bigint NOT NULL,
          key text COLLATE "C" NOT NULL,
          id text COLLATE "C" NOT NULL,
          PRIMARY KEY (vault, key, id)
        );
        -- Packs of which the catalog knew nothing, and never will: their objects are being removed.
        CREATE TABLE minivault.disowned_pack (
          vault bigint NOT NULL,
          at bigint NOT NULL,
          id bytea NOT NULL,
          PRIMARY KEY (vault, id)
        );
        CREATE UNIQUE INDEX outbox_id ON minivault.outbox (vault, id);
        CREATE TABLE minivault.duty (
          vault bigint NOT NULL,
          expires_at bigint NOT NULL,
          holder bytea NOT NULL,
          name text COLLATE "C" NOT NULL,
          PRIMARY KEY (vault, name)
        );
        CREATE INDEX hook_count_at ON minivault.hook_count (vault, at);

        """
}
