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
        _ chunks: UnrecordedChunks, of upload: UploadID, by user: String, at time: Int64, mark: UInt64?
    ) async throws(VaultError) -> UInt64? {
        try await write(endingReservation: chunks.reservedBytes) { database in
            guard let mark = try SQLiteCatalog.touch(upload, by: user, at: time, mark, database) else { return nil }
            // Whoever may not know whether the vault has a chunk pays for it in both cases.
            let phantoms = try chunks.received.map {
                try $0.isCharged && SQLiteCatalog.chunk($0.digest, database) != nil
            }
            let sizes = try self.insert(stored: chunks.received, isPending: true, database)
            var added: UInt64 = 0
            for (chunk, (size, isPhantom)) in zip(chunks.received, zip(sizes, phantoms)) {
                let isNew = try SQLiteCatalog.own(chunk.digest, isPhantom ? size : 0, upload, database)
                if isNew || !isPhantom { added += size }
            }
            try SQLiteCatalog.addPending(added, database)
            return mark
        }
    }

    package func rely(
        on digests: [Digest], for upload: UploadID, of user: String, isCharged: Bool, at time: Int64, mark: UInt64?
    ) async throws(VaultError) -> Reliance? {
        if !isCharged {
            let chunks = try read { database in try digests.map { try SQLiteCatalog.chunk($0, database) } }
            guard chunks.contains(where: { $0?.isPending == true }) else {
                return Reliance(areThere: chunks.map { $0 != nil }, mark: mark)
            }
        }
        return try await write { database in
            guard let mark = try SQLiteCatalog.touch(upload, by: user, at: time, mark, database) else { return nil }
            var added: UInt64 = 0
            let areThere = try digests.map { digest in
                guard let chunk = try SQLiteCatalog.chunk(digest, database) else { return false }
                guard chunk.isPending || isCharged else { return true }
                let phantom = isCharged ? chunk.bytes : 0
                if try SQLiteCatalog.own(digest, phantom, upload, database) { added += phantom }
                return true
            }
            try SQLiteCatalog.addPending(added, database)
            let excess = try SQLiteCatalog.usage(database).excess(self.reservations.bytes)
            if excess > 0 {
                _ = try self.forgetUploads(freeing: excess, database)
                let usage = try SQLiteCatalog.usage(database)
                if let quota = usage.quota, usage.excess(self.reservations.bytes) > 0 { throw VaultError.usedUp(quota) }
            }
            return Reliance(areThere: areThere, mark: mark)
        }
    }

    package func settle(_ upload: UploadID) async throws(VaultError) {
        try await write { try SQLiteCatalog.end(upload, $0) }
    }

    /// Notes that something came of an upload.
    ///
    /// - Parameter mark: the one that it has; nil where it may be new.
    /// - Returns: its mark; nil where what it had stored has given way to others.
    private static func touch(
        _ upload: UploadID, by user: String, at time: Int64, _ mark: UInt64?, _ database: Database
    ) throws -> UInt64? {
        let found = try self.mark(of: upload, database)
        if let mark, found != mark { return nil }
        let valid = found ?? UInt64.random(in: 1...StoreLimits.numberMax)
        var touch = try Query(
            database,
            """
            INSERT INTO upload (id, touched_at, user, mark) VALUES (?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET touched_at = excluded.touched_at
            """)
        touch.bind(blob: upload.value.bytes)
        touch.bind(time)
        touch.bind(text: user)
        touch.bind(valid)
        try touch.first()
        return valid
    }

    static func mark(of upload: UploadID, _ database: Database) throws -> UInt64? {
        var query = try Query(database, "SELECT mark FROM upload WHERE id = ?")
        query.bind(blob: upload.value.bytes)
        defer { query.finish() }
        return try query.step() ? query.count(0) : nil
    }

    /// A chunk that the vault has undamaged.
    private static func chunk(_ digest: Digest, _ database: Database) throws -> (bytes: UInt64, isPending: Bool)? {
        var query = try Query(database, "SELECT length, pending FROM chunk WHERE digest = ? AND damaged = 0")
        query.bind(digest)
        defer { query.finish() }
        guard try query.step() else { return nil }
        let length = try query.count(0)
        guard length <= UInt64(StoreLimits.recordBytesMax) else { throw query.damage("the length of a record") }
        return (length + UInt64(RecordHeader.byteCount), try query.int(1) != 0)
    }

    /// - Parameter bytes: by which the chunk counts for the upload, besides what a chunk counts that no version needs.
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
    /// One that another process is at work on finds its mark gone, and is tried again there.
    ///
    /// - Returns: what is free again: nothing, and nothing is forgotten, where all of it would be less than that.
    func forgetUploads(freeing bytes: UInt64, _ database: Database) throws -> FreedRoom {
        var found: [UploadID] = []
        let query = try Query(database, "SELECT id FROM upload ORDER BY touched_at, id")
        while try query.step() {
            guard let id = UniqueID(query.bytes(0)) else { throw query.damage("an upload's id") }
            if !reservations.isHeld(UploadID(id)) { found.append(UploadID(id)) }
        }
        let nothing = FreedRoom(try SQLiteCatalog.usage(database))
        if found.isEmpty { return nothing }
        try database.execute(sql: "SAVEPOINT forgetting")
        var freed = nothing
        for upload in found where freed.bytes < bytes { try SQLiteCatalog.forget(upload, &freed, database) }
        guard freed.bytes >= bytes else {
            try database.execute(sql: "ROLLBACK TO forgetting; RELEASE forgetting")
            return nothing
        }
        try database.execute(sql: "RELEASE forgetting")
        var update = try Query(database, "UPDATE vault SET pending_bytes = max(0, pending_bytes - ?)")
        update.bind(freed.pendingBytes)
        try update.first()
        return freed
    }

    private static func forget(_ upload: UploadID, _ freed: inout FreedRoom, _ database: Database) throws {
        let isAlone = """
            pending <> 0 AND digest IN (SELECT digest FROM upload_chunk WHERE upload = ?1)
            AND NOT EXISTS (
              SELECT 1 FROM upload_chunk AS other WHERE other.digest = chunk.digest AND other.upload <> ?1)
            """
        let header = RecordHeader.byteCount
        let (alone, _) = try sum("length + \(header)", "chunk WHERE damaged = 0 AND \(isAlone)", upload, database)
        let (phantoms, count) = try sum("bytes", "upload_chunk WHERE upload = ?1", upload, database)
        freed.add(pendingBytes: min(alone, StoreLimits.numberMax) + phantoms, chunks: count)
        try run(
            [
                "DELETE FROM chunk WHERE \(isAlone)", "DELETE FROM upload_chunk WHERE upload = ?1",
                "DELETE FROM upload WHERE id = ?1",
            ], upload, database)
    }

    /// Ends an upload whose chunks versions need from now on.
    static func end(_ upload: UploadID, _ database: Database) throws {
        let isOwn = "pending <> 0 AND digest IN (SELECT digest FROM upload_chunk WHERE upload = ?1)"
        let header = RecordHeader.byteCount
        let (pending, _) = try sum("length + \(header)", "chunk WHERE damaged = 0 AND \(isOwn)", upload, database)
        let (phantoms, _) = try sum("bytes", "upload_chunk WHERE upload = ?1", upload, database)
        if pending + phantoms > 0 {
            var count = try Query(
                database,
                "UPDATE vault SET stored_bytes = stored_bytes + ?1, pending_bytes = max(0, pending_bytes - ?1)")
            count.bind(min(pending + phantoms, StoreLimits.numberMax))
            try count.first()
        }
        try run(
            [
                "UPDATE chunk SET pending = 0 WHERE \(isOwn)", "DELETE FROM upload_chunk WHERE upload = ?1",
                "DELETE FROM upload WHERE id = ?1",
            ], upload, database)
    }

    private static func sum(
        _ value: String, _ rows: String, _ upload: UploadID, _ database: Database
    ) throws -> (sum: UInt64, count: UInt64) {
        var query = try Query(database, "SELECT coalesce(sum(\(value)), 0), count(*) FROM \(rows)")
        query.bind(blob: upload.value.bytes)
        defer { query.finish() }
        return try query.step() ? (query.count(0), query.count(1)) : (0, 0)
    }

    private static func run(_ statements: [String], _ upload: UploadID, _ database: Database) throws {
        for statement in statements {
            var query = try Query(database, statement)
            query.bind(blob: upload.value.bytes)
            try query.first()
        }
    }

    /// Has a version need a chunk, where only unfinished uploads do.
    ///
    /// - Returns: its bytes; 0 where a version needs it already, or it is not there.
    static func settle(_ digest: Digest, _ database: Database) throws -> UInt64 {
        guard let chunk = try chunk(digest, database), chunk.isPending else { return 0 }
        var update = try Query(database, "UPDATE chunk SET pending = 0 WHERE digest = ?")
        update.bind(digest)
        try update.first()
        return chunk.bytes
    }
}
