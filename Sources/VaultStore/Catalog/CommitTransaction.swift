package import VaultModel

/// Decides and applies the requests of one commit.
///
/// Each request is checked completely before it changes a row, so that a refused one leaves nothing.
package struct CommitTransaction<Rows: CommitRows> {
    private var sequence: UInt64
    package let epoch: UInt64
    /// With what the commit adds, as far as it is decided.
    private var usage: VaultUsage
    /// Bytes that the commit adds to the catalog, about.
    private var recordBytes: UInt64 = 0
    /// Bytes of chunks that unfinished uploads had, and versions need from now on.
    private var settledBytes: UInt64 = 0
    /// What uploads reserved, and what of it the commit records.
    private let reservedBytes: UInt64
    package private(set) var endedBytes: UInt64 = 0
    private let time: Int64
    private let firstSequence: UInt64
    private var journal: JournalWriter
    /// Stores a group that is full while the commit goes on.
    private let spill: (PackRecord) throws -> PackLocation
    /// How long the commit has been at work.
    private let elapsed: () -> Duration

    private var chunks: [(record: PackRecord, isCharged: Bool)] = []
    private var pending: Set<Digest> = []
    /// Those that the present call has brought.
    private var brought: Set<Digest> = []
    private var received: [ReceivedChunk] = []
    /// Groups that have been stored, and the one that comes last.
    private var groups: [StoredGroup] = []
    private var lastGroup: JournalWriter.Written?
    private var touchedRows = false
    /// Names that have names below them, by saves of this commit; not asked for again.
    var directories: Set<Name> = []
    /// Names that changes of prefixes have been about: in the present call, with their bytes, and in all.
    var callNames = 0
    var callBytes = 0
    var walkedNames = 0
    /// As whom the present call changes the vault, and whether somebody waits for it.
    private var caller: Caller?
    private var presence: CommitCall.Presence?

    /// - Parameters:
    ///   - now: seconds since 1970 UTC.
    ///   - reservedBytes: what uploads have reserved of the quota.
    ///   - elapsed: how long the commit has been at work; nil for the time since now.
    ///   - spill: stores the record of a journal group, of which a commit of many changes has several.
    package init(
        _ rows: Rows, at now: Int64, reservedBytes: UInt64, elapsed: (() -> Duration)? = nil,
        spill: @escaping (PackRecord) throws -> PackLocation = { _ in throw VaultError.unplaced }
    ) throws {
        let begin = ContinuousClock.now
        self.elapsed = elapsed ?? { ContinuousClock.now - begin }
        self.spill = spill
        self.reservedBytes = reservedBytes
        let state = try rows.state()
        sequence = state.sequence
        usage = state.usage
        epoch = state.epoch
        let head = state.head
        // A clock that was wrong once dates what was saved then, and nothing after it. One who has waited for another's
        // commit has looked at the clock before that one; this is no clock that went back.
        let waited = head.time.subtractingReportingOverflow(now)
        let isOvertaken = !waited.overflow && (1...StoreLimits.overtakenSeconds).contains(waited.partialValue)
        time = isOvertaken ? head.time : now
        firstSequence = sequence + 1
        journal = JournalWriter(after: head.digest, time: time, firstSequence: firstSequence)
    }

    package var hasEffect: Bool { sequence >= firstSequence || !chunks.isEmpty || touchedRows }

    /// Carries out calls, the first ones only where they change very much; see ``Catalog/commit(_:at:into:)``.
    package mutating func apply(
        _ calls: [CommitCall], _ rows: Rows
    ) throws -> [[Result<CommitResult, VaultError>]] {
        var results: [[Result<CommitResult, VaultError>]] = []
        for call in calls {
            if walkedNames > StoreLimits.commitRequestsMax { break }
            results.append(try apply(call, rows))
        }
        return results
    }

    /// Carries out the requests of a call, or answers it like the one that it repeats.
    ///
    /// - Returns: a result for each request; of a call that is divisible, for the first ones perhaps.
    /// - Throws: `CancellationError` where nobody waits for the call any more: the commit must not take effect then.
    package mutating func apply(
        _ call: CommitCall, _ rows: Rows
    ) throws -> [Result<CommitResult, VaultError>] {
        presence = call.presence
        (callNames, callBytes) = (0, 0)
        let begin = elapsed()
        if let results = try rows.results(ofRepeated: call) { return results }
        if let judgement = call.judgement, try hasMoved(call, since: judgement.sequence, rows) {
            // Not kept as the answer: it is asked for again.
            return call.requests.map { _ in .failure(.movedMeanwhile) }
        }
        caller = call.by
        brought = []
        let (first, hadTouched) = (sequence, touchedRows)
        touchedRows = false
        defer { touchedRows = touchedRows || hadTouched }
        var audit = AuditTrail(of: call.by, at: time)
        var results: [Result<CommitResult, VaultError>] = []
        for (place, request) in call.requests.enumerated() {
            if call.isDivisible, !results.isEmpty, elapsed() - begin >= StoreLimits.commitWork { break }
            let before = sequence
            if let judgement = call.judgement, try hasMoved(request, since: judgement.sequence, rows) {
                results.append(.failure(.movedMeanwhile))
                continue
            }
            let result = try apply(request, by: call.by, rows)
            if case .success = result, let tags = call.judgement?.tags[place], case .change(let change) = request {
                try tag(change, tags, by: call.by, rows)
            }
            if !call.by.peer.isEmpty, sequence > before, case .success(let result) = result {
                audit.add(request, result, before + 1...sequence)
            }
            results.append(result)
        }
        for record in audit.records { try rows.insert(record) }
        // What has left nothing behind may be done again. The end of an upload cannot, even where it changed no name: that
        // is kept while there is room for it.
        let isToBeKept =
            sequence > first
            || ((touchedRows || !brought.isEmpty || call.endsUpload) && usage.excess(reserved) == 0)
        if let change = call.change, isToBeKept {
            let answer = StoredAnswer(results, to: call)
            add(CommitCost.answer(answer))
            try rows.keep(answer, to: change, of: call.by.user, at: time)
            touchedRows = true
        }
        return results
    }

    private func hasMoved(_ call: CommitCall, since sequence: UInt64, _ rows: Rows) throws -> Bool {
        for case .change(let change) in call.requests where try hasMoved(change, since: sequence, rows) { return true }
        return false
    }

    /// Whether a name that is to lose versions has become another object's, or holds something else.
    private func hasMoved(_ request: CommitRequest, since sequence: UInt64, _ rows: Rows) throws -> Bool {
        // An object without a name cannot change any more.
        guard case .drop(let object, let name?, _, _) = request else { return false }
        guard let current = try rows.entry(name), current.object == object else { return true }
        return current.since > sequence || current.entry.sequence > sequence
    }

    mutating func apply(
        _ request: CommitRequest, by caller: Caller, _ rows: Rows
    ) throws -> Result<CommitResult, VaultError> {
        let before = sequence
        do {
            switch request {
            case .save(let save):
                return .success(try self.save(save, by: caller, rows))
            case .change(let change):
                return .success(.changed(try self.change(change, by: caller.user, rows)))
            case .drop(let object, _, let versions, let isPart):
                add(CommitCost.drop(versions.count))
                try record(.drop(object: object, versions: versions), rows)
                return .success(.changed(ChangeOutcome(count: isPart ? 0 : 1, entry: nil)))
            }
        } catch let error as VaultError where sequence == before {
            return .failure(error)
        }
    }

    // MARK: Saves

    private mutating func save(
        _ save: CommitSave, by caller: Caller, _ rows: Rows
    ) throws -> CommitResult {
        if let begun = save.epoch, begun != epoch { return .collected }
        if try save.chunks.received.contains(where: { try rows.isDisowned($0.location.pack) }) { return .collected }
        if let upload = save.upload, try rows.isForgotten(upload) { return .collected }
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
        let isBrought = brought.contains(chunk.digest)
        let isThere = try isBrought || pending.contains(chunk.digest) || rows.isKnown(chunk.digest)
        if isBrought || (isShown && isThere) {
            let settled = try pending.contains(chunk.digest) ? 0 : rows.settle(chunk.digest)
            settledBytes += settled
            try makeRoom(content: settled, records: cost, for: name, rows)
            return 0
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

    // MARK: The quota

    /// What uploads have reserved and not recorded.
    private var reserved: UInt64 { reservedBytes - min(reservedBytes, endedBytes) }

    /// Counts what a request adds, if the quota has room for it. Uploads that nobody is at work on give way.
    ///
    /// - Parameters:
    ///   - content: bytes of chunks.
    ///   - records: bytes of the journal and of the catalog.
    ///   - isReserved: whether the chunks are among what uploads have reserved.
    ///   - isMakingRoom: whether the request is what makes room in the end.
    /// - Throws: `quota`.
    mutating func makeRoom(
        content: UInt64 = 0, records: UInt64, for name: Name?, isReserved: Bool = false, isMakingRoom: Bool = false,
        _ rows: Rows
    ) throws {
        var wanted = usage
        wanted.contentBytes += content
        wanted.catalogBytes += records
        let reserved = isReserved ? 0 : reserved
        var excess = content + records == 0 ? 0 : wanted.excess(reserved, isMakingRoom: isMakingRoom)
        if excess > 0, wanted.pendingBytes > 0 {
            let freed = try rows.forgetUploads(freeing: excess)
            if freed > 0 { touchedRows = true }
            usage.pendingBytes -= min(usage.pendingBytes, freed)
            wanted.pendingBytes = usage.pendingBytes
            excess = wanted.excess(reserved, isMakingRoom: isMakingRoom)
        }
        if excess > 0, let quota = usage.quota {
            let error = VaultError.usedUp(quota)
            throw name.map { error.about($0) } ?? error
        }
        usage = wanted
        recordBytes += records
    }

    /// Counts records for which there is room, or which must be made.
    private mutating func add(_ records: UInt64) {
        usage.catalogBytes += records
        recordBytes += records
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

    // MARK: The journal

    /// - Parameter isTold: whether hooks may hear of it.
    @discardableResult
    mutating func record(_ saved: SavedVersion, isTold: Bool = true, _ rows: Rows) throws -> Entry {
        try record(.save(saved), rows)
        if isTold { try tell(saved.kind == .removed ? .remove : .save, saved.name, version: saved.version, rows) }
        return Entry(
            name: saved.name, kind: saved.kind, content: saved.content, version: saved.version, sequence: sequence,
            attributes: saved.attributes, savedAt: time, savedBy: saved.savedBy, tags: saved.tags)
    }

    /// Whether hooks may want to hear of what happens.
    var isTelling: Bool { caller?.telling != nil }

    /// Writes down for the hooks what has happened, if they want to hear of it.
    mutating func tell(
        _ kind: OutboxEvent.Kind, _ name: Name, formerName: Name? = nil, version: UInt64, _ rows: Rows
    ) throws {
        guard let caller, let telling = caller.telling, telling.wants(kind, name) else { return }
        let event = OutboxEvent(
            kind: kind, name: name, formerName: formerName, version: version, user: caller.user, peer: caller.peer,
            time: time, depth: telling.depth)
        add(CommitCost.event(event))
        try rows.insert(event)
    }

    mutating func record(_ change: JournalChange, _ rows: Rows) throws {
        sequence += 1
        try rows.apply(change, sequence: sequence, time: time, pausing: pause)
        if let full = journal.add(change) { groups.append(stored(full, at: try spill(full.record))) }
    }

    /// Stops a change of many names for which nobody waits any more.
    func pause() throws {
        if presence?.isOver == true { throw CancellationError() }
    }

    /// The records that the commit has still to store: its chunks, then the rest of its journal.
    package mutating func records() -> [PackRecord] {
        lastGroup = journal.finish()
        return chunks.map(\.record) + [lastGroup?.record].compactMap(\.self)
    }

    private func stored(_ group: JournalWriter.Written, at location: PackLocation) -> StoredGroup {
        StoredGroup(lastSequence: group.lastSequence, digest: group.record.digest, location: location, time: time)
    }

    /// Notes where the records are that ``records()`` told of.
    package mutating func finish(_ rows: Rows, _ locations: [PackLocation]) throws {
        let stored = zip(chunks, locations).map { chunk, location in
            ReceivedChunk(digest: chunk.record.digest, location: location, isCharged: chunk.isCharged)
        }
        if let lastGroup, let location = locations.last { groups.append(self.stored(lastGroup, at: location)) }
        try rows.finish(
            stored + received, groups, settled: settledBytes, recordBytes: recordBytes, sequence: sequence)
    }
}

extension VaultError {
    /// For a change of what hooks were asked about, which is another thing by now.
    package static let movedMeanwhile = VaultError(
        .conflict, "What hooks were asked about has changed meanwhile: try again.", isRetryable: true)
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
