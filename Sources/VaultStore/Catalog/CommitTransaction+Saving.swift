package import VaultModel

/// Saves, and the room that a name needs.
extension CommitTransaction {
    mutating func save(
        _ save: CommitSave, by caller: Caller, _ rows: Rows
    ) throws -> CommitResult {
        if let begun = save.epoch, begun != epoch { return .collected }
        if try save.chunks.received.contains(where: { try rows.isDisowned($0.location.pack) }) { return .collected }
        if let upload = save.upload, let mark = save.mark, try rows.mark(of: upload) != mark { return .collected }
        if let refusal = save.refusal { throw refusal }
        let intent = save.intent
        let current = try rows.entry(intent.name)
        try CommitTransaction.check(intent.ifVersion, current, intent.name)
        let live = current?.entry.kind == .removed ? nil : current?.entry
        let inherited = (live?.tags ?? [:]).filter { $0.key != .changed }
        let tags = inherited.merging(intent.versionTags) { $1 }
        let isShown = caller.mayKnow(save.content, under: intent.name, holding: live?.content)
        if var live, live.isSame(as: intent, save.content, tags: tags) {
            // A chunk that was found damaged is stored again, which heals all that uses it.
            let newBytes = try store(save, costing: 0, isShown: isShown, rows)
            if live.isChangedWhileRead, !intent.changedWhileRead {
                live.tags = tags
                live.attributes.modified = intent.attributes.modified
                try record(.settle(live.name, modified: live.attributes.modified), rows)
            }
            try refresh(live, intent.attributes, rows)
            try end(save, rows)
            let tellsNewBytes = caller.readsEverything || save.chunk == nil
            return .saved(SaveOutcome(entry: live, isCreated: false, newBytes: tellsNewBytes ? newBytes : 0))
        }
        if let problem = tags.problem(of: intent.name) {
            // In themselves they are few enough: those that are there are in the way.
            throw VaultError(.conflict, problem.message, name: intent.name)
        }
        let room = live == nil ? try self.room(for: intent.name, rows) : Room()
        let cost = CommitCost.save(intent.name, tags) + (room.emptied.map { CommitCost.removal($0.name) } ?? 0)
        var newBytes = try store(save, costing: cost, isShown: isShown, rows)
        // The number may not tell either whether the vault has the chunk already.
        if let chunk = save.chunk, !caller.readsEverything { newBytes = UInt64(chunk.bytes.count) }
        try take(room, by: caller.user, rows)
        let entry = try record(
            SavedVersion(
                name: intent.name, kind: intent.kind,
                version: try nextVersion(of: intent.name, after: current?.entry, rows), content: save.content,
                attributes: intent.attributes, savedBy: caller.user, tags: tags), rows)
        try end(save, rows)
        return .saved(SaveOutcome(entry: entry, isCreated: true, newBytes: newBytes))
    }

    /// Throws what would refuse a save of this intent now.
    package func check(_ intent: SaveIntent, _ rows: Rows) throws {
        let current = try rows.entry(intent.name)
        try CommitTransaction.check(intent.ifVersion, current, intent.name)
        if current == nil || current?.entry.kind == .removed { _ = try room(for: intent.name, rows) }
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
    private mutating func refresh(_ live: Entry, _ attributes: Attributes, _ rows: Rows) throws {
        guard live.attributes.origin != attributes.origin, let origin = attributes.origin else { return }
        try rows.setOrigin(origin, of: live.name)
        touchedRows = true
    }

    /// What a new name takes the place of, or is put into.
    struct Room {
        /// An empty directory that gives way.
        var emptied: Entry?
        var directories: [Name] = []
    }

    /// Checks that no other name stands where `name` needs a directory, or the other way round.
    func room(for name: Name, _ rows: Rows) throws -> Room {
        var room = Room()
        for ancestor in name.ancestors.reversed() {
            if directories.contains(ancestor) { break }
            if let found = try rows.entry(ancestor)?.entry, found.kind != .removed {
                guard found.kind == .directory else {
                    throw VaultError(
                        .exists, "'\(ancestor)' is a \(found.kind): no name can be below it.", name: name)
                }
                room.emptied = found
            }
            room.directories.append(ancestor)
        }
        if try rows.hasNames(below: name) { throw VaultError.namesBelow(name) }
        return room
    }

    /// Makes the room that was checked, once nothing can refuse the request any more.
    mutating func take(_ room: Room, by: String, _ rows: Rows) throws {
        if let emptied = room.emptied { try record(removal(of: emptied, by: by, rows), rows) }
        directories.formUnion(room.directories)
    }

    func removal(of entry: Entry, by: String, _ rows: Rows) throws -> SavedVersion {
        SavedVersion(
            name: entry.name, kind: .removed, version: try nextVersion(of: entry.name, after: entry, rows),
            content: .empty,
            attributes: Attributes(mode: 0, modified: 0), savedBy: by, tags: [:])
    }

    /// The number of a name's next version: behind all that it ever had, under whatever object.
    func nextVersion(of name: Name, after current: Entry?, _ rows: Rows) throws -> UInt64 {
        return max(current?.version ?? 0, try rows.lastRetiredVersion(of: name)) + 1
    }

    /// Takes the chunk of a small save, unless the vault has it and the caller may know that. Otherwise it is stored and
    /// counted again: neither the time that it takes nor a quota tells of what others have saved.
    ///
    /// - Parameters:
    ///   - cost: bytes of the records that the save makes besides.
    ///   - isShown: whether the caller may know if the vault has the chunk.
    private mutating func store(
        _ save: CommitSave, costing cost: UInt64, isShown: Bool, _ rows: Rows
    ) throws -> UInt64 {
        let name = save.intent.name
        guard let chunk = save.chunk else {
            // Reserved by the upload, but other processes may have filled the vault since.
            let bytes = save.chunks.received.reduce(0) { $0 + $1.location.storedBytes }
            try makeRoom(content: bytes, records: cost, for: name, isReserved: true, rows)
            return save.newBytes
        }
        var cost = cost
        if try isSpared(chunk, isShown: isShown, rows) {
            try makeRoom(records: cost, for: name, rows)
            // The upload that has it may have given way.
            if try isSpared(chunk, isShown: isShown, rows) {
                if !pending.contains(chunk.digest) { try settle(chunk.digest, rows) }
                return 0
            }
            cost = 0
        }
        let size = UInt64(chunk.bytes.count)
        try makeRoom(
            content: size + UInt64(RecordHeader.byteCount), records: cost + StoreLimits.chunkRowBytes, for: name, rows)
        pending.insert(chunk.digest)
        brought.insert(chunk.digest)
        if var staged = save.staged, try !rows.isDisowned(staged.location.pack) {
            staged.isCharged = !isShown
            received.append(staged)
            return size
        }
        chunks.append((PackRecord(kind: .chunk, digest: chunk.digest, bytes: chunk.bytes), isCharged: !isShown))
        return size
    }

    /// Whether the chunk of a small save need not be stored.
    private func isSpared(_ chunk: Chunk, isShown: Bool, _ rows: Rows) throws -> Bool {
        if brought.contains(chunk.digest) { return true }
        let isThere = try pending.contains(chunk.digest) || rows.isKnown(chunk.digest)
        return isShown && isThere
    }

    private mutating func settle(_ digest: Digest, _ rows: Rows) throws {
        let bytes = try rows.settle(digest)
        if bytes == 0 { return }
        settledBytes += bytes
        usage.contentBytes += bytes
        usage.pendingBytes -= min(usage.pendingBytes, bytes)
        touchedRows = true
    }

    /// Ends the upload of a save, with what it had stored last.
    private mutating func end(_ save: CommitSave, _ rows: Rows) throws {
        received += save.chunks.received
        endedBytes += save.chunks.reservedBytes
        if !save.chunks.received.isEmpty { touchedRows = true }
        guard let upload = save.upload else { return }
        try rows.end(upload)
        touchedRows = true
    }
}

extension Entry {
    /// Whether a save would make a version that equals this one.
    ///
    /// Nothing is known about when the content of a file that changed while it was read was written.
    ///
    /// - Parameter tags: those of the version that the save would make.
    fileprivate func isSame(as intent: SaveIntent, _ content: Content, tags: [TagText: TagText]) -> Bool {
        guard kind == intent.kind, self.content == content, attributes.mode == intent.attributes.mode else {
            return false
        }
        let isSettled = isChangedWhileRead && !intent.changedWhileRead
        if isSettled { return self.tags.filter { $0.key != .changed } == tags }
        return self.tags == tags && attributes.modified == intent.attributes.modified
    }
}
