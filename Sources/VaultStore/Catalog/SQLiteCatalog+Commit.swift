import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func commit(
        _ requests: [CommitRequest], vault: UniqueID, at time: Int64,
        append: ([PackRecord]) async throws(VaultError) -> Appended
    ) async throws(VaultError) -> [Result<CommitResult, VaultError>] {
        try await writeLock.withLock { () throws(VaultError) in
            try begin()
            do throws(VaultError) {
                var (results, transaction) = try access { database in
                    var transaction = try CommitTransaction(database, at: time)
                    let results = try requests.map { try transaction.apply($0, database) }
                    return (results, transaction)
                }
                guard transaction.hasEffect else {
                    rollBack()
                    return results
                }
                let appended = try await append(transaction.records())
                try access { try transaction.finish($0, appended.locations, self) }
                try commitTransaction()
                withExtendedLifetime(appended.hold) {}
                return results
            } catch {
                rollBack()
                throw error
            }
        }
    }
}

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
    private var directories: Set<Name> = []

    init(_ database: Database, at now: Int64) throws {
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

    mutating func apply(
        _ request: CommitRequest, _ database: Database
    ) throws -> Result<CommitResult, VaultError> {
        do {
            switch request {
            case .save(let save):
                return .success(try self.save(save, database))
            case .change(let change, let by):
                return .success(.changed(try self.change(change, by: by, database)))
            case .drop(let object, let versions):
                try record(.drop(object: object, versions: versions), database)
                return .success(.changed(ChangeOutcome(count: versions.count, entry: nil)))
            }
        } catch let error as VaultError {
            return .failure(error)
        }
    }

    // MARK: Saves

    private mutating func save(_ save: CommitSave, _ database: Database) throws -> CommitResult {
        if let begun = save.epoch, begun != epoch { return .collected }
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
            return .saved(SaveOutcome(entry: live, isCreated: false, newBytes: newBytes))
        }
        let room = live == nil ? try self.room(for: intent.name, database) : Room()
        let newBytes = try store(save, database)
        try take(room, by: save.by, database)
        let entry = try record(
            SavedVersion(
                name: intent.name, kind: intent.kind,
                version: try nextVersion(of: intent.name, after: current?.entry, database), content: save.content,
                attributes: intent.attributes, savedBy: save.by, tags: tags), database)
        try end(save, database)
        return .saved(SaveOutcome(entry: entry, isCreated: true, newBytes: newBytes))
    }

    /// Throws what would refuse a save of this intent now.
    func check(_ intent: SaveIntent, _ database: Database) throws {
        let current = try SQLiteCatalog.entryByName(database, intent.name)
        try CommitTransaction.check(intent.ifVersion, current, intent.name)
        if current == nil || current?.entry.kind == .removed { _ = try room(for: intent.name, database) }
    }

    private static func check(_ ifVersion: UInt64?, _ current: StoredVersion?, _ name: Name) throws {
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
    private struct Room {
        /// An empty directory that gives way.
        var emptied: Entry?
        var directories: [Name] = []
    }

    /// Checks that no other name stands where `name` needs a directory, or the other way round.
    private func room(for name: Name, _ database: Database) throws -> Room {
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
    private mutating func take(_ room: Room, by: String, _ database: Database) throws {
        if let emptied = room.emptied { try record(removal(of: emptied, by: by, database), database) }
        directories.formUnion(room.directories)
    }

    private func removal(of entry: Entry, by: String, _ database: Database) throws -> SavedVersion {
        SavedVersion(
            name: entry.name, kind: .removed, version: try nextVersion(of: entry.name, after: entry, database),
            content: .empty,
            attributes: Attributes(mode: 0, modified: 0), savedBy: by, tags: [:])
    }

    /// The number of a name's next version: behind all that it ever had, under whatever object.
    private func nextVersion(of name: Name, after current: Entry?, _ database: Database) throws -> UInt64 {
        var query = try Query(database, "SELECT last_version FROM retired_name WHERE name = ?")
        query.bind(text: name.bytes)
        defer { query.finish() }
        return max(current?.version ?? 0, try query.step() ? query.unsigned(0) : 0) + 1
    }

    /// Takes the chunk of a small save, unless the vault has it.
    private mutating func store(_ save: CommitSave, _ database: Database) throws -> UInt64 {
        guard let chunk = save.chunk else {
            try checkQuota(save.received.reduce(0) { $0 + $1.location.storedBytes }, save.intent.name)
            return save.newBytes
        }
        if pending.contains(chunk.digest) { return 0 }
        if try SQLiteCatalog.isKnown(database, chunk.digest) { return 0 }
        let size = UInt64(chunk.bytes.count)
        try checkQuota(size + UInt64(RecordHeader.byteCount), save.intent.name)
        pending.insert(chunk.digest)
        chunks.append(PackRecord(kind: .chunk, digest: chunk.digest, bytes: chunk.bytes))
        return size
    }

    private mutating func checkQuota(_ bytes: UInt64, _ name: Name) throws {
        if bytes > 0, let quota, storedBytes + addedBytes + bytes > quota { throw VaultError.usedUp(quota).about(name) }
        addedBytes += bytes
    }

    /// Ends the upload of a save, with what it had stored last.
    private mutating func end(_ save: CommitSave, _ database: Database) throws {
        received += save.received
        if !save.received.isEmpty { touchedRows = true }
        guard let upload = save.upload else { return }
        for table in ["upload_chunk WHERE upload", "upload WHERE id"] {
            var delete = try Query(database, "DELETE FROM \(table) = ?")
            delete.bind(blob: upload.value.bytes)
            try delete.first()
        }
        touchedRows = true
    }

    // MARK: Changes without content

    private mutating func change(
        _ change: Change, by: String, _ database: Database
    ) throws -> ChangeOutcome {
        switch change {
        case .remove(let prefix, let ifVersion):
            return try remove(prefix, ifVersion, by: by, database)
        case .rename(let from, let to):
            return try rename(from, to, by: by, database)
        case .copy(let from, let to):
            return try copy(from, to, by: by, database)
        case .revert(let name, let version):
            guard let current = try SQLiteCatalog.entryByName(database, name) else { throw nothing(under: name) }
            guard let old = try SQLiteCatalog.version(version, of: current, database), old.kind != .removed else {
                throw VaultError(.notFound, "'\(name)' has no version \(version) to go back to.", name: name)
            }
            if current.entry.kind != .removed, current.entry.version == version {
                return ChangeOutcome(count: 0, entry: current.entry)
            }
            if current.entry.kind == .removed { try take(room(for: name, database), by: by, database) }
            let version = try nextVersion(of: name, after: current.entry, database)
            let entry = try record(old.again(as: name, version: version, by: by), database)
            return ChangeOutcome(count: 1, entry: entry)
        case .tag(let name, let tags):
            guard let current = try SQLiteCatalog.entryByName(database, name)?.entry, current.kind != .removed else {
                throw nothing(under: name)
            }
            var changed = current
            for (key, value) in tags { changed.tags[key] = value }
            if let problem = changed.tags.problem(of: name) { throw problem }
            if changed.tags == current.tags { return ChangeOutcome(count: 0, entry: current) }
            let version = try nextVersion(of: name, after: current, database)
            let entry = try record(changed.again(as: name, version: version, by: by), database)
            return ChangeOutcome(count: 1, entry: entry)
        }
    }

    private func nothing(under name: Name) -> VaultError {
        VaultError(.notFound, "The vault holds nothing under '\(name)'.", name: name)
    }

    private mutating func remove(
        _ prefix: NamePrefix, _ ifVersion: UInt64?, by: String, _ database: Database
    ) throws -> ChangeOutcome {
        if let top = prefix.top, let ifVersion {
            try CommitTransaction.check(ifVersion, SQLiteCatalog.entryByName(database, top), top)
        }
        let removed = try SQLiteCatalog.live(database, prefix)
        guard !removed.isEmpty else {
            guard let top = prefix.top else { return ChangeOutcome(count: 0, entry: nil) }
            throw nothing(under: top)
        }
        var last: Entry?
        for entry in removed { last = try record(removal(of: entry, by: by, database), database) }
        directories = []
        return ChangeOutcome(count: removed.count, entry: removed.count == 1 ? last : nil)
    }

    private mutating func rename(
        _ from: Name, _ to: Name, by: String, _ database: Database
    ) throws -> ChangeOutcome {
        let moved = try SQLiteCatalog.live(database, NamePrefix(from))
        guard !moved.isEmpty else { throw nothing(under: from) }
        let room = try room(forTarget: to, from: from, database)
        for entry in moved { _ = try target(of: entry.name, from: from, to: to) }
        try take(room, by: by, database)
        try record(.rename(from: from, to: to, isPrefix: moved[0].name != from), database)
        directories = []
        return ChangeOutcome(
            count: moved.count, entry: try SQLiteCatalog.entryByName(database, to)?.entry)
    }

    private mutating func copy(
        _ from: Name, _ to: Name, by: String, _ database: Database
    ) throws -> ChangeOutcome {
        let copied = try SQLiteCatalog.live(database, NamePrefix(from))
        guard !copied.isEmpty else { throw nothing(under: from) }
        let room = try room(forTarget: to, from: from, database)
        let targets = try copied.map { try target(of: $0.name, from: from, to: to) }
        try take(room, by: by, database)
        var last: Entry?
        for (entry, target) in zip(copied, targets) {
            let before = try SQLiteCatalog.entryByName(database, target)?.entry
            let version = try nextVersion(of: target, after: before, database)
            last = try record(entry.again(as: target, version: version, by: by), database)
        }
        return ChangeOutcome(count: copied.count, entry: copied.count == 1 ? last : nil)
    }

    private func room(forTarget to: Name, from: Name, _ database: Database) throws -> Room {
        if NamePrefix(from).contains(to) || NamePrefix(to).contains(from) {
            throw VaultError(.invalid, "'\(from)' and '\(to)' contain one another.", name: to)
        }
        if let there = try SQLiteCatalog.entryByName(database, to)?.entry, there.kind != .removed {
            throw VaultError(.exists, "'\(to)' exists already.", name: to)
        }
        return try room(for: to, database)
    }

    private func target(of name: Name, from: Name, to: Name) throws -> Name {
        try Name(to.bytes + name.bytes.dropFirst(from.bytes.count))
    }

    // MARK: The journal

    @discardableResult
    private mutating func record(_ saved: SavedVersion, _ database: Database) throws -> Entry {
        try record(.save(saved), database)
        return Entry(
            name: saved.name, kind: saved.kind, content: saved.content, version: saved.version, sequence: sequence,
            attributes: saved.attributes, savedAt: time, savedBy: saved.savedBy, tags: saved.tags)
    }

    private mutating func record(_ change: JournalChange, _ database: Database) throws {
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

    /// This version again, as a new one.
    fileprivate func again(as name: Name, version: UInt64, by: String) -> SavedVersion {
        SavedVersion(
            name: name, kind: kind, version: version, content: content, attributes: attributes, savedBy: by,
            tags: tags)
    }
}
