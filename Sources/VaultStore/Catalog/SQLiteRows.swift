import GRDB
import VaultModel

/// The rows of the catalog's file, each asked for and changed as it is needed.
struct SQLiteRows: CommitRows {
    let database: Database
    let catalog: SQLiteCatalog

    func state() throws -> CommitState {
        let state = try Query(database, "SELECT sequence, epoch FROM vault")
        defer { state.finish() }
        guard try state.step() else { throw CatalogDamage(what: "the vault's row is missing") }
        return CommitState(
            sequence: try state.count(0), epoch: try state.count(1), usage: try SQLiteCatalog.usage(database),
            head: try SQLiteCatalog.journalHead(database))
    }

    func entry(_ name: Name) throws -> StoredVersion? { try SQLiteCatalog.entryByName(database, name) }

    func hasNames(below name: Name) throws -> Bool {
        var below = try Query(database, "SELECT 1 FROM entry WHERE name > ? AND name < ? AND kind <> 4 LIMIT 1")
        SQLiteCatalog.bindRange(below: name, to: &below)
        defer { below.finish() }
        return try below.step()
    }

    func live(_ prefix: NamePrefix, after: Name?, limit: Int) throws -> [Entry] {
        try SQLiteCatalog.live(database, prefix, after: after, limit: limit)
    }

    func hasMoved(_ prefix: NamePrefix, since sequence: UInt64) throws -> Bool {
        try SQLiteCatalog.hasMoved(database, prefix, since: sequence)
    }

    func version(_ number: UInt64, of current: StoredVersion) throws -> Entry? {
        try SQLiteCatalog.version(number, of: current, database)
    }

    func lastRetiredVersion(of name: Name) throws -> UInt64 {
        var query = try Query(database, "SELECT last_version FROM retired_name WHERE name = ?")
        query.bind(text: name.bytes)
        defer { query.finish() }
        return try query.step() ? query.count(0) : 0
    }

    func isKnown(_ digest: Digest) throws -> Bool { try SQLiteCatalog.isKnown(database, digest) }

    /// Files of packs are held by those who store in them.
    func isDisowned(_ pack: PackID) -> Bool { false }

    func foresee(_ names: [Name]) {}

    func apply(_ change: JournalChange, sequence: UInt64, time: Int64, pausing: () throws -> Void) throws {
        try SQLiteCatalog.apply(change, sequence: sequence, time: time, database, pausing: pausing)
    }

    func setOrigin(_ origin: Attributes.Origin, of name: Name) throws {
        var update = try Query(database, "UPDATE entry SET changed = ?, inode = ? WHERE name = ?")
        update.bind(origin.changed)
        update.bind(origin.inode)
        update.bind(text: name.bytes)
        try update.first()
    }

    func mark(of upload: UploadID) throws -> UInt64? { try SQLiteCatalog.mark(of: upload, database) }

    func end(_ upload: UploadID) throws { try SQLiteCatalog.end(upload, database) }

    func settle(_ digest: Digest) throws -> UInt64 { try SQLiteCatalog.settle(digest, database) }

    func forgetUploads(freeing bytes: UInt64) throws -> FreedRoom {
        try catalog.forgetUploads(freeing: bytes, database)
    }

    func insert(_ event: OutboxEvent) throws { try SQLiteCatalog.insert(event, database) }

    func insert(_ record: AuditRecord) throws { try SQLiteCatalog.insert(record, database) }

    /// The size of the catalog is seen in its file.
    func finish(
        _ stored: [ReceivedChunk], _ groups: [StoredGroup], settled: UInt64, recordBytes: UInt64, sequence: UInt64
    ) throws {
        var (bytes, ended) = (settled, settled)
        for chunk in stored {
            // Of what is stored anew, unfinished uploads may have had some.
            let settled = try SQLiteCatalog.settle(chunk.digest, database)
            ended += settled
            if !chunk.isCharged { bytes += settled }
        }
        bytes = try catalog.insert(stored: stored, isPending: false, database).reduce(bytes, +)
        for group in groups { try catalog.insert(group, database) }
        var update = try Query(
            database,
            """
            UPDATE vault SET sequence = ?, stored_bytes = stored_bytes + ?, pending_bytes = max(0, pending_bytes - ?)
            """)
        update.bind(sequence)
        update.bind(bytes)
        update.bind(ended)
        try update.first()
    }

    // MARK: Answers

    // They are no part of the journal: a catalog that is rebuilt from the packs has none, and a change that is
    // repeated then takes effect again.

    func answer(to change: UniqueID, of user: String) throws -> (answer: StoredAnswer, time: Int64)? {
        var query = try Query(database, "SELECT answer, at FROM answer WHERE user = ? AND id = ?")
        query.bind(text: user)
        query.bind(blob: change.bytes)
        defer { query.finish() }
        return try query.step() ? (StoredAnswer(decoding: query.bytes(0)), try query.int(1)) : nil
    }

    func keep(_ answer: StoredAnswer, to change: UniqueID, of user: String, at time: Int64) throws {
        var insert = try Query(database, "INSERT OR REPLACE INTO answer (user, id, at, answer) VALUES (?, ?, ?, ?)")
        insert.bind(text: user)
        insert.bind(blob: change.bytes)
        insert.bind(time)
        insert.bind(blob: answer.encoded)
        try insert.first()
        var delete = try Query(
            database,
            """
            DELETE FROM answer WHERE rowid IN (
              SELECT rowid FROM answer
              WHERE at < (SELECT max(at) FROM answer WHERE at <= ?) - ? OR at > ? ORDER BY at LIMIT ?)
            """)
        delete.bind(time - StoreLimits.confirmedSeconds)
        delete.bind(StoreLimits.answerSeconds)
        delete.bind(time + StoreLimits.answerSeconds)
        delete.bind(Int64(StoreLimits.answersRemovedMax))
        try delete.first()
    }
}
