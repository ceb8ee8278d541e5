package import VaultModel

/// The rows of a catalog as one commit finds and changes them, within its transaction.
///
/// What is changed is seen by what asks afterwards. When it reaches the engine is the engine's affair: at once where a
/// row costs microseconds, many together where it costs a way over the network.
package protocol CommitRows {
    func state() throws -> CommitState

    /// What a named change was answered, and when; nil for a name that is not known, or no longer.
    func answer(to change: UniqueID, of user: String) throws -> (answer: StoredAnswer, time: Int64)?
    /// Keeps an answer, and forgets a few that are too old.
    func keep(_ answer: StoredAnswer, to change: UniqueID, of user: String, at time: Int64) throws

    /// What a name holds, a removal included.
    func entry(_ name: Name) throws -> StoredVersion?
    /// Whether anything that is no removal has a name below this one.
    func hasNames(below name: Name) throws -> Bool
    /// The current entries under the next names of a prefix, in the order of names.
    ///
    /// - Parameters:
    ///   - after: the name behind which to go on; nil at the beginning.
    ///   - limit: the most names; fewer are the last.
    func live(_ prefix: NamePrefix, after: Name?, limit: Int) throws -> [Entry]
    /// Whether anything that is current under a prefix came, changed or got its name after a sequence.
    func hasMoved(_ prefix: NamePrefix, since sequence: UInt64) throws -> Bool
    func version(_ number: UInt64, of current: StoredVersion) throws -> Entry?
    /// The last version that a name had under an object which has left it; 0 for none.
    func lastRetiredVersion(of name: Name) throws -> UInt64
    /// Whether the vault has a chunk undamaged.
    func isKnown(_ digest: Digest) throws -> Bool
    /// Whether a pack has been disowned: what was stored there does not count.
    func isDisowned(_ pack: PackID) throws -> Bool
    /// Is told of names that will be asked for one by one.
    func foresee(_ names: [Name]) throws

    /// Applies a change.
    ///
    /// - Parameter pausing: is called between parts of a change of many names, and ends it by what it throws.
    func apply(_ change: JournalChange, sequence: UInt64, time: Int64, pausing: () throws -> Void) throws
    /// Remembers by what the unchanged file will be recognised.
    func setOrigin(_ origin: Attributes.Origin, of name: Name) throws
    /// The mark of an upload; nil where nothing of it is there any more.
    func mark(of upload: UploadID) throws -> UInt64?
    /// Forgets an unfinished upload, whose chunks a version needs from now on.
    func end(_ upload: UploadID) throws
    /// Has a version need a chunk that the vault has.
    ///
    /// - Returns: the bytes that only unfinished uploads needed until now.
    func settle(_ digest: Digest) throws -> UInt64
    /// Forgets unfinished uploads that nobody of this process is at work on, if that frees so many bytes.
    func forgetUploads(freeing bytes: UInt64) throws -> FreedRoom
    func insert(_ event: OutboxEvent) throws
    func insert(_ record: AuditRecord) throws

    /// Notes where chunks and journal groups are, the bytes of what was settled, and the vault's last sequence.
    ///
    /// - Parameter recordBytes: what the commit added to the catalog, about.
    func finish(
        _ stored: [ReceivedChunk], _ groups: [StoredGroup], settled: UInt64, recordBytes: UInt64, sequence: UInt64
    ) throws
}

/// Where a vault stands as a commit begins.
package struct CommitState: Sendable {
    package var sequence: UInt64
    /// A number that grows whenever chunks are removed or withdrawn.
    package var epoch: UInt64
    package var usage: VaultUsage
    package var head: JournalHead

    package init(sequence: UInt64, epoch: UInt64, usage: VaultUsage, head: JournalHead) {
        self.sequence = sequence
        self.epoch = epoch
        self.usage = usage
        self.head = head
    }
}

extension JournalChange {
    fileprivate var savedName: Name? {
        if case .save(let saved) = self { saved.name } else { nil }
    }
}

extension CommitRows {
    /// The results that a call had before; nil for one that is no repetition.
    package func results(ofRepeated call: CommitCall) throws -> [Result<CommitResult, VaultError>]? {
        guard let change = call.change, let (answer, time) = try answer(to: change, of: call.by.user) else {
            return nil
        }
        let again = StoredAnswer([], to: call)
        guard answer.fingerprint == again.fingerprint, answer.results.count == call.requests.count else {
            return call.requests.map { _ in .failure(.usedTwice(change)) }
        }
        // A save that must be tried again has not happened: the next try may have the same id.
        if case .collected? = answer.results.first { return nil }
        return try zip(call.requests, answer.results).map { request, result in
            switch result {
            case .failed(let error): return .failure(error)
            case .uploaded(let outcome): return .success(.saved(outcome))
            case .collected: return .success(.collected)
            case .changed(let outcome): return .success(.changed(outcome))
            case .small(let isCreated, let newBytes, let version, let sequence):
                guard case .save(let save) = request else { return .failure(.usedTwice(change)) }
                let entry =
                    try entry(version, of: save.intent.name, sequence)
                    ?? Entry(
                        name: save.intent.name, kind: save.intent.kind, content: save.content, version: version,
                        sequence: sequence, attributes: save.intent.attributes, savedAt: time,
                        savedBy: call.by.user, tags: save.intent.tags)
                return .success(.saved(SaveOutcome(entry: entry, isCreated: isCreated, newBytes: newBytes)))
            }
        }
    }

    /// What the commit of an upload was answered; nil where it is not known, or no longer.
    package func result(ofCommit change: UniqueID, of user: String) throws -> Result<CommitResult, VaultError>? {
        guard let results = try answer(to: change, of: user)?.answer.results else { return nil }
        switch results.first {
        case .failed(let error) where results.count == 1: return .failure(error)
        case .uploaded(let outcome) where results.count == 1: return .success(.saved(outcome))
        case .collected where results.count == 1: return .success(.collected)
        case .failed, .uploaded, .collected, .small, .changed, nil: return .failure(.usedTwice(change))
        }
    }

    /// A version that a save made or found; nil where it is no longer there, or has another name by now.
    private func entry(_ version: UInt64, of name: Name, _ sequence: UInt64) throws -> Entry? {
        guard let current = try entry(name) else { return nil }
        let found = try self.version(version, of: current)
        return found?.sequence == sequence ? found : nil
    }

    /// See ``Catalog/replay(_:)``.
    ///
    /// - Parameter isContinuous: whether the first group has to follow on the last one there.
    package func replay(
        _ groups: [(group: JournalGroup, stored: StoredGroup)], isContinuous: Bool = true
    ) throws {
        guard let first = groups.first, let last = groups.last else { return }
        guard try !isContinuous || first.group.previous == state().head.digest else {
            throw VaultError(
                .conflict, "The journal at sequence \(first.group.firstSequence) does not follow on the vault's.")
        }
        for (group, _) in groups {
            try foresee(group.changes.compactMap(\.savedName))
            for (index, change) in group.changes.enumerated() {
                try apply(change, sequence: group.firstSequence + UInt64(index), time: group.time) {}
            }
        }
        let journalBytes = groups.reduce(0) { $0 + $1.stored.location.storedBytes }
        try finish(
            [], groups.map(\.stored), settled: 0, recordBytes: CommitCost.replay(journalBytes),
            sequence: last.group.lastSequence)
    }
}
