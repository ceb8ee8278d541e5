import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func reserve(_ bytes: UInt64) async throws(VaultError) {
        try await reservations.reserve(bytes) { () async throws(VaultError) in
            try await usage()
        } makeRoom: { (bytes) async throws(VaultError) in
            _ = try await write { try self.forgetUploads(freeing: bytes, $0) }
        }
    }

    package func giveBack(_ bytes: UInt64) async { reservations.end(bytes) }

    package func hold(_ upload: UploadID) { reservations.hold(upload) }
    package func release(_ upload: UploadID) { reservations.release(upload) }

    package func record(
        _ chunks: UnrecordedChunks, of upload: UploadID, by user: String, at time: Int64, isOver: Bool
    ) async throws(VaultError) -> Bool {
        try await write(endingReservation: chunks.reservedBytes) { database in
            guard try SQLiteCatalog.touch(upload, by: user, at: time, isOver: isOver, database) else { return false }
            let sizes = try self.insert(stored: chunks.received, isPending: true, database)
            var added: UInt64 = 0
            for (chunk, bytes) in zip(chunks.received, sizes) {
                if try SQLiteCatalog.own(chunk.digest, bytes, upload, database) { added += bytes }
            }
            try SQLiteCatalog.addPending(added, database)
            return true
        }
    }

    package func rely(
        on digests: [Digest], for upload: UploadID, of user: String, at time: Int64
    ) async throws(VaultError) -> Reliance? {
        let chunks = try read { database in try digests.map { try SQLiteCatalog.chunk($0, database) } }
        guard chunks.contains(where: { $0?.isPending == true }) else {
            return Reliance(areThere: chunks.map { $0 != nil }, isRecorded: false)
        }
        return try await write { database in
            guard try SQLiteCatalog.touch(upload, by: user, at: time, isOver: false, database) else { return nil }
            var added: UInt64 = 0
            let areThere = try digests.map { digest in
                guard let chunk = try SQLiteCatalog.chunk(digest, database) else { return false }
                if chunk.isPending, try SQLiteCatalog.own(digest, chunk.bytes, upload, database) {
                    added += chunk.bytes
                }
                return true
            }
            try SQLiteCatalog.addPending(added, database)
            return Reliance(areThere: areThere, isRecorded: true)
        }
    }

    /// Notes that something came of an upload.
    ///
    /// - Returns: false where the upload's chunks have given way to others.
    private static func touch(
        _ upload: UploadID, by user: String, at time: Int64, isOver: Bool, _ database: Database
    ) throws -> Bool {
        if try isForgotten(upload, database) { return false }
        var touch = try Query(
            database,
            """
            INSERT INTO upload (id, touched_at, user, state) VALUES (?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET touched_at = excluded.touched_at, state = excluded.state
            """)
        touch.bind(blob: upload.value.bytes)
        touch.bind(time)
        touch.bind(text: user)
        touch.bind((isOver ? UploadRow.over : .underWay).rawValue)
        try touch.first()
        return true
    }

    static func isForgotten(_ upload: UploadID, _ database: Database) throws -> Bool {
        var query = try Query(database, "SELECT 1 FROM upload WHERE id = ? AND state = \(UploadRow.forgotten.rawValue)")
        query.bind(blob: upload.value.bytes)
        defer { query.finish() }
        return try query.step()
    }

    /// A chunk that the vault has undamaged.
    private static func chunk(_ digest: Digest, _ database: Database) throws -> (bytes: UInt64, isPending: Bool)? {
        var query = try Query(database, "SELECT length, pending FROM chunk WHERE digest = ? AND damaged = 0")
        query.bind(digest)
        defer { query.finish() }
        guard try query.step() else { return nil }
        return (try query.count(0) + UInt64(RecordHeader.byteCount), try query.int(1) != 0)
    }

    /// - Parameter bytes: by which the chunk counts for the upload.
    /// - Returns: false where it was the upload's already.
    private static func own(
        _ digest: Digest, _ bytes: UInt64, _ upload: UploadID, _ database: Database
    ) throws -> Bool {
        var own = try Query(database, "INSERT OR IGNORE INTO upload_chunk (upload, digest, bytes) VALUES (?, ?, ?)")
        own.bind(blob: upload.value.bytes)
        own.bind(digest)
        own.bind(bytes)
        try own.first()
        return database.changesCount > 0
    }

    private static func addPending(_ bytes: UInt64, _ database: Database) throws {
        if bytes == 0 { return }
        var update = try Query(database, "UPDATE vault SET pending_bytes = pending_bytes + ?")
        update.bind(bytes)
        try update.first()
    }

    /// Forgets uploads that this process is not at work on, the oldest first, with the chunks that only they have.
    ///
    /// One that another process may be at work on is remembered as forgotten, so that it cannot end in a version.
    ///
    /// - Returns: the bytes that no longer count.
    func forgetUploads(freeing bytes: UInt64, _ database: Database) throws -> UInt64 {
        var found: [(id: UploadID, isOver: Bool)] = []
        let query = try Query(
            database,
            "SELECT id, state FROM upload WHERE state <> \(UploadRow.forgotten.rawValue) ORDER BY touched_at, id")
        while try query.step() {
            guard let id = UniqueID(query.bytes(0)) else { throw query.damage("an upload's id") }
            found.append((UploadID(id), try query.int(1) == UploadRow.over.rawValue))
        }
        var freed: UInt64 = 0
        for upload in found where freed < bytes && !reservations.isHeld(upload.id) {
            freed += try SQLiteCatalog.leave(upload.id, database)
            var end = try Query(
                database,
                upload.isOver
                    ? "DELETE FROM upload WHERE id = ?"
                    : "UPDATE upload SET state = \(UploadRow.forgotten.rawValue) WHERE id = ?")
            end.bind(blob: upload.id.value.bytes)
            try end.first()
        }
        var update = try Query(database, "UPDATE vault SET pending_bytes = max(0, pending_bytes - ?)")
        update.bind(freed)
        try update.first()
        return freed
    }

    /// Takes an upload's chunks from it, and forgets those that nothing else needs.
    private static func leave(_ upload: UploadID, _ database: Database) throws -> UInt64 {
        let freed = try bytes(of: upload, database)
        for statement in [
            """
            DELETE FROM chunk WHERE pending <> 0 AND digest IN (SELECT digest FROM upload_chunk WHERE upload = ?1)
            AND NOT EXISTS (
              SELECT 1 FROM upload_chunk AS other WHERE other.digest = chunk.digest AND other.upload <> ?1)
            """, "DELETE FROM upload_chunk WHERE upload = ?1",
        ] {
            var delete = try Query(database, statement)
            delete.bind(blob: upload.value.bytes)
            try delete.first()
        }
        return freed
    }

    private static func bytes(of upload: UploadID, _ database: Database) throws -> UInt64 {
        var sum = try Query(database, "SELECT coalesce(sum(bytes), 0) FROM upload_chunk WHERE upload = ?")
        sum.bind(blob: upload.value.bytes)
        defer { sum.finish() }
        return try sum.step() ? sum.count(0) : 0
    }

    /// Ends an upload whose chunks a version needs from now on.
    static func end(_ upload: UploadID, _ database: Database) throws {
        let bytes = try bytes(of: upload, database)
        if bytes > 0 {
            var count = try Query(
                database,
                "UPDATE vault SET stored_bytes = stored_bytes + ?1, pending_bytes = max(0, pending_bytes - ?1)")
            count.bind(bytes)
            try count.first()
        }
        for statement in [
            """
            UPDATE chunk SET pending = 0
            WHERE pending <> 0 AND digest IN (SELECT digest FROM upload_chunk WHERE upload = ?)
            """, "DELETE FROM upload_chunk WHERE upload = ?", "DELETE FROM upload WHERE id = ?",
        ] {
            var query = try Query(database, statement)
            query.bind(blob: upload.value.bytes)
            try query.first()
        }
    }

    /// Has a version rely on a chunk.
    ///
    /// - Returns: the bytes that count from now on: none where a version has it already.
    static func settle(_ digest: Digest, _ database: Database) throws -> UInt64 {
        guard let chunk = try chunk(digest, database), chunk.isPending else { return 0 }
        var update = try Query(database, "UPDATE chunk SET pending = 0 WHERE digest = ?")
        update.bind(digest)
        try update.first()
        return chunk.bytes
    }
}
