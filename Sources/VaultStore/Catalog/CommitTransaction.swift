package import VaultModel

/// Decides and applies the requests of one commit.
///
/// Each request is checked completely before it changes a row, so that a refused one leaves nothing.
package struct CommitTransaction<Rows: CommitRows> {
    private var sequence: UInt64
    package let epoch: UInt64
    /// With what the commit adds, as far as it is decided.
    var usage: VaultUsage
    /// Bytes that the commit adds to the catalog, about.
    var recordBytes: UInt64 = 0
    /// Bytes of chunks that unfinished uploads had, and versions need from now on.
    var settledBytes: UInt64 = 0
    /// What uploads reserved, and what of it the commit records.
    let reservedBytes: UInt64
    package internal(set) var endedBytes: UInt64 = 0
    private let time: Int64
    private let firstSequence: UInt64
    private var journal: JournalWriter
    /// Stores a group that is full while the commit goes on.
    private let spill: (PackRecord) throws -> PackLocation
    /// How long the commit has been at work.
    private let elapsed: () -> Duration

    var chunks: [(record: PackRecord, isCharged: Bool)] = []
    var pending: Set<Digest> = []
    /// Those that the present call has brought.
    var brought: Set<Digest> = []
    var received: [ReceivedChunk] = []
    /// Groups that have been stored, and the one that comes last.
    private var groups: [StoredGroup] = []
    private var lastGroup: JournalWriter.Written?
    var touchedRows = false
    /// Names that have names below them, by saves of this commit; not asked for again.
    var directories: Set<Name> = []
    /// Names that changes of prefixes have been about in the present call, and their bytes.
    var callNames = 0
    var callBytes = 0
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

    /// Carries out calls, the first ones only where they take long; see ``Catalog/commit(_:at:into:)``.
    ///
    /// - Parameter work: how long, until calls that are left wait for the next commit.
    package mutating func apply(
        _ calls: [CommitCall], _ rows: Rows, within work: Duration
    ) throws -> [[Result<CommitResult, VaultError>]] {
        var results: [[Result<CommitResult, VaultError>]] = []
        for call in calls {
            results.append(try apply(call, rows))
            if elapsed() >= work { break }
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
        // A call that has left nothing behind may be made again. The end of an upload cannot, even where it changed no name: that
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
