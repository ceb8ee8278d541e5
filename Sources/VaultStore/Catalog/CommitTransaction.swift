import GRDB
import VaultModel

/// Decides and applies the requests of one commit.
///
/// Each request is checked completely before it changes a row, so that a refused one leaves nothing.
struct CommitTransaction {
    private var sequence: UInt64
    let epoch: UInt64
    private var storedBytes: UInt64
    /// What the commit adds to it, as far as it is decided.
    private var addedBytes: UInt64 = 0
    private let quota: UInt64?
    /// What uploads reserved, and what of it the commit records.
    private let reservedBytes: UInt64
    private(set) var endedBytes: UInt64 = 0
    private let head: JournalHead
    private let time: Int64
    private let firstSequence: UInt64

    private var changes: [JournalChange] = []
    private var chunks: [PackRecord] = []
    private var pending: Set<Digest> = []
    private var received: [ReceivedChunk] = []
    private var groups: [JournalGroup.Written] = []
    private var touchedRows = false
    /// Names that have names below them, by saves of this commit; not asked for again.
    var directories: Set<Name> = []
    var copiedNames = 0
    /// As whom the present call changes the vault.
    private var caller: Caller?

    init(_ database: Database, at now: Int64, reservedBytes: UInt64) throws {
        self.reservedBytes = reservedBytes
        let state = try Query(database, "SELECT sequence, stored_bytes, epoch, quota FROM vault")
        guard try state.step() else { throw CatalogDamage(what: "the vault's row is missing") }
        sequence = state.unsigned(0)
        storedBytes = state.unsigned(1)
        epoch = state.unsigned(2)
        quota = state.isNull(3) ? nil : state.unsigned(3)
        state.finish()
        head = try SQLiteCatalog.journalHead(database)
        // A clock that went back must not make the journal's times go back.
        time = max(now, head.time)
        firstSequence = sequence + 1
    }

    var hasEffect: Bool { !changes.isEmpty || !chunks.isEmpty || touchedRows }

    /// Carries out the requests of a call, or answers it like the one that it repeats.
    mutating func apply(
        _ call: CommitCall, _ database: Database
    ) throws -> [Result<CommitResult, VaultError>] {
        if let results = try SQLiteCatalog.results(ofRepeated: call, database) { return results }
        caller = call.by
        var audit = AuditTrail(of: call.by, at: time)
        let results = try call.requests.map { request in
            let before = sequence
            let result = try apply(request, by: call.by, database)
            if !call.by.peer.isEmpty, sequence > before, case .success(let result) = result {
                audit.add(request, result, before + 1...sequence)
            }
            return result
        }
        for record in audit.records { try SQLiteCatalog.insert(record, database) }
        if let change = call.change {
            let answer = StoredAnswer(results, to: call)
            try SQLiteCatalog.keep(answer, to: change, of: call.by.user, at: time, database)
            touchedRows = true
        }
        return results
    }

    private mutating func apply(
        _ request: CommitRequest, by caller: Caller, _ database: Database
    ) throws -> Result<CommitResult, VaultError> {
        do {
            switch request {
            case .save(let save):
                return .success(try self.save(save, by: caller, database))
            case .change(let change):
                return .success(.changed(try self.change(change, by: caller.user, database)))
            case .drop(let object, _, let versions):
                try record(.drop(object: object, versions: versions), database)
                return .success(.changed(ChangeOutcome(count: 1, entry: nil)))
            }
        } catch let error as VaultError {
            return .failure(error)
        }
    }

    // MARK: Saves

    private mutating func save(
        _ save: CommitSave, by caller: Caller, _ database: Database
    ) throws -> CommitResult {
        if let begun = save.epoch, begun != epoch { return .collected }
        if let refusal = save.refusal { throw refusal }
        let intent = save.intent
        let current = try SQLiteCatalog.entryByName(database, intent.name)
        try CommitTransaction.check(intent.ifVersion, current, intent.name)
        let live = current?.entry.kind == .removed ? nil : current?.entry
        let tags = (live?.tags ?? [:]).merging(intent.tags) { $1 }
        if let live, live.tags == tags, live.isSaved(by: intent, save.content) {
            // A chunk that was found damaged is stored again, which heals all that uses it.
            let newBytes = try store(save, database)
            try refresh(live, intent.attributes, database)
            try end(save, database)
            let tellsNewBytes = caller.readsEverything || save.chunk == nil
            return .saved(SaveOutcome(entry: live, isCreated: false, newBytes: tellsNewBytes ? newBytes : 0))
        }
        let room = live == nil ? try self.room(for: intent.name, database) : Room()
        var newBytes: UInt64
        if let chunk = save.chunk, !caller.readsEverything {
            // Neither the number nor a used-up quota may tell whether the vault has the chunk already.
            newBytes = UInt64(chunk.bytes.count)
            let isHeld = live?.content == save.content
            if !isHeld { try checkQuota(newBytes + UInt64(RecordHeader.byteCount), intent.name) }
            _ = try store(save, database)
        } else {
            newBytes = try store(save, database)
        }
        try take(room, by: caller.user, database)
        let entry = try record(
            SavedVersion(
                name: intent.name, kind: intent.kind,
                version: try nextVersion(of: intent.name, after: current?.entry, database), content: save.content,
                attributes: intent.attributes, savedBy: caller.user, tags: tags), database)
        try end(save, database)
        return .saved(SaveOutcome(entry: entry, isCreated: true, newBytes: newBytes))
    }

    /// Throws what would refuse a save of this intent now.
    func check(_ intent: SaveIntent, _ database: Database) throws {
        let current = try SQLiteCatalog.entryByName(database, intent.name)
        try CommitTransaction.check(intent.ifVersion, current, intent.name)
        if current == nil || current?.entry.kind == .removed { _ = try room(for: intent.name, database) }
    }

    static func check(_ ifVersion: UInt64?, _ current: StoredVersion?, _ name: Name) throws {
        guard let ifVersion else { return }
        let live = current?.entry.kind == .removed ? nil : current?.entry.version
        if ifVersion == live ?? 0 { return }
        if ifVersion == 0 {
            throw VaultError(.exists, "'\(name)' exists already, at version \(live ?? 0).", name: name)
        }
        throw VaultError(
            .conflict,
            live.map { "'\(name)' is at version \($0), not \(ifVersion)." }
                ?? "'\(name)' holds nothing, and not version \(ifVersion).", name: name)
    }

    /// Remembers by what the unchanged file will be recognised. The journal has no part in that.
    private mutating func refresh(_ live: Entry, _ attributes: Attributes, _ database: Database) throws {
        guard live.attributes.origin != attributes.origin, let origin = attributes.origin else { return }
        var update = try Query(database, "UPDATE entry SET changed = ?, inode = ? WHERE name = ?")
        update.bind(origin.changed)
        update.bind(origin.inode)
        update.bind(text: live.name.bytes)
        try update.first()
        touchedRows = true
    }

    /// What a new name takes the place of, or is put into.
    struct Room {
        /// An empty directory that gives way.
        var emptied: Entry?
        var directories: [Name] = []
    }

    /// Checks that no other name stands where `name` needs a directory, or the other way round.
    func room(for name: Name, _ database: Database) throws -> Room {
        var room = Room()
        for ancestor in name.ancestors.reversed() {
            if directories.contains(ancestor) { break }
            if let found = try SQLiteCatalog.entryByName(database, ancestor)?.entry, found.kind != .removed {
                guard found.kind == .directory else {
                    throw VaultError(
                        .exists, "'\(ancestor)' is a \(found.kind): no name can be below it.", name: name)
                }
                room.emptied = found
            }
            room.directories.append(ancestor)
        }
        var below = try Query(
            database, "SELECT 1 FROM entry WHERE name > ? AND name < ? AND kind <> 4 LIMIT 1")
        SQLiteCatalog.bindRange(below: name, to: &below)
        defer { below.finish() }
        if try below.step() { throw VaultError(.exists, "There are names below '\(name)'.", name: name) }
        return room
    }

    /// Makes the room that was checked, once nothing can refuse the request any more.
    mutating func take(_ room: Room, by: String, _ database: Database) throws {
        if let emptied = room.emptied { try record(removal(of: emptied, by: by, database), database) }
        directories.formUnion(room.directories)
    }

    func removal(of entry: Entry, by: String, _ database: Database) throws -> SavedVersion {
        SavedVersion(
            name: entry.name, kind: .removed, version: try nextVersion(of: entry.name, after: entry, database),
            content: .empty,
            attributes: Attributes(mode: 0, modified: 0), savedBy: by, tags: [:])
    }

    /// The number of a name's next version: behind all that it ever had, under whatever object.
    func nextVersion(of name: Name, after current: Entry?, _ database: Database) throws -> UInt64 {
        var query = try Query(database, "SELECT last_version FROM retired_name WHERE name = ?")
        query.bind(text: name.bytes)
        defer { query.finish() }
        return max(current?.version ?? 0, try query.step() ? query.unsigned(0) : 0) + 1
    }

    /// Takes the chunk of a small save, unless the vault has it.
    private mutating func store(_ save: CommitSave, _ database: Database) throws -> UInt64 {
        guard let chunk = save.chunk else {
            // Reserved by the upload, but other processes may have filled the vault since.
            let bytes = save.chunks.received.reduce(0) { $0 + $1.location.storedBytes }
            try checkQuota(bytes, save.intent.name, isReserved: true)
            addedBytes += bytes
            return save.newBytes
        }
        if pending.contains(chunk.digest) { return 0 }
        if try SQLiteCatalog.isKnown(database, chunk.digest) { return 0 }
        let size = UInt64(chunk.bytes.count)
        try checkQuota(size + UInt64(RecordHeader.byteCount), save.intent.name)
        addedBytes += size + UInt64(RecordHeader.byteCount)
        pending.insert(chunk.digest)
        if let staged = save.staged {
            received.append(staged)
            return size
        }
        chunks.append(PackRecord(kind: .chunk, digest: chunk.digest, bytes: chunk.bytes))
        return size
    }

    private func checkQuota(_ bytes: UInt64, _ name: Name, isReserved: Bool = false) throws {
        guard bytes > 0, let quota else { return }
        let reserved = isReserved ? 0 : reservedBytes - min(reservedBytes, endedBytes)
        if storedBytes + addedBytes + reserved + bytes > quota { throw VaultError.usedUp(quota).about(name) }
    }

    /// Ends the upload of a save, with what it had stored last.
    private mutating func end(_ save: CommitSave, _ database: Database) throws {
        received += save.chunks.received
        endedBytes += save.chunks.reservedBytes
        if !save.chunks.received.isEmpty { touchedRows = true }
        guard let upload = save.upload else { return }
        for table in ["upload_chunk WHERE upload", "upload WHERE id"] {
            var delete = try Query(database, "DELETE FROM \(table) = ?")
            delete.bind(blob: upload.value.bytes)
            try delete.first()
        }
        touchedRows = true
    }

    // MARK: The journal

    /// - Parameter isTold: whether hooks may hear of it.
    @discardableResult
    mutating func record(_ saved: SavedVersion, isTold: Bool = true, _ database: Database) throws -> Entry {
        try record(.save(saved), database)
        if isTold { try tell(saved.kind == .removed ? .remove : .save, saved.name, version: saved.version, database) }
        return Entry(
            name: saved.name, kind: saved.kind, content: saved.content, version: saved.version, sequence: sequence,
            attributes: saved.attributes, savedAt: time, savedBy: saved.savedBy, tags: saved.tags)
    }

    /// Writes down for the hooks what has happened, if they want to hear of it.
    func tell(
        _ kind: OutboxEvent.Kind, _ name: Name, formerName: Name? = nil, version: UInt64, _ database: Database
    ) throws {
        guard let caller, let telling = caller.telling, telling.wants(kind, name) else { return }
        let event = OutboxEvent(
            kind: kind, name: name, formerName: formerName, version: version, user: caller.user, peer: caller.peer,
            time: time, depth: telling.depth)
        try SQLiteCatalog.insert(event, database)
    }

    mutating func record(_ change: JournalChange, _ database: Database) throws {
        sequence += 1
        try SQLiteCatalog.apply(change, sequence: sequence, time: time, database)
        changes.append(change)
    }

    /// What the commit has to store: its chunks, then its journal.
    mutating func records() -> [PackRecord] {
        groups = JournalGroup.groups(of: changes, after: head.digest, time: time, firstSequence: firstSequence)
        return chunks + groups.map(\.record)
    }

    /// Notes where the records are.
    mutating func finish(_ database: Database, _ locations: [PackLocation], _ catalog: SQLiteCatalog) throws {
        let stored = zip(chunks, locations).map { ReceivedChunk(digest: $0.digest, location: $1) }
        storedBytes += try catalog.insert(stored: stored + received, database)
        for (group, location) in zip(groups, locations.dropFirst(chunks.count)) {
            var insert = try Query(
                database,
                "INSERT INTO journal_group (last_sequence, time, digest, pack, offset, length) VALUES (?, ?, ?, ?, ?, ?)"
            )
            insert.bind(group.lastSequence)
            insert.bind(time)
            insert.bind(group.record.digest)
            insert.bind(try catalog.number(database, of: location.pack, length: location.end))
            insert.bind(location.offset)
            insert.bind(Int64(location.length))
            try insert.first()
        }
        var update = try Query(database, "UPDATE vault SET sequence = ?, stored_bytes = ?")
        update.bind(sequence)
        update.bind(storedBytes)
        try update.first()
    }
}

extension Entry {
    /// Whether a save would make a version that equals this one, but for its tags.
    fileprivate func isSaved(by intent: SaveIntent, _ content: Content) -> Bool {
        kind == intent.kind && self.content == content
            && attributes.mode == intent.attributes.mode && attributes.modified == intent.attributes.modified
    }
}
