package import VaultModel

/// The transactional index of a vault's packs: names, versions, chunks, uploads.
///
/// Operations are whole: each is one transaction, or one consistent read. They may be called from any
/// task and from several processes at the same time.
package protocol Catalog: Sendable {
    /// Which of these chunks and list nodes the vault has, undamaged.
    func known(_ digests: [Digest]) async throws(VaultError) -> [Bool]

    /// Which of these chunks unfinished uploads of a user have stored or put, and the vault has
    /// undamaged.
    func received(_ digests: [Digest], by user: String) async throws(VaultError) -> [Bool]

    /// Where chunks or list nodes are; nil for those that the vault does not have.
    func locations(_ digests: [Digest]) async throws(VaultError) -> [PackLocation?]

    /// Where journal groups are; nil for groups that are not part of the vault's history.
    func journalLocations(_ digests: [Digest]) async throws(VaultError) -> [PackLocation?]

    /// Checks an intent as a commit would, as far as it is known what it meets.
    ///
    /// - Returns: the epoch: a number that grows whenever chunks are removed or withdrawn.
    func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UInt64

    /// A number that grows whenever chunks are removed or withdrawn.
    func epoch() async throws(VaultError) -> UInt64

    /// Reserves room for bytes that uploads of this process are about to store.
    ///
    /// - Throws: `quota` where there is none.
    func reserve(_ bytes: UInt64) async throws(VaultError)

    /// Gives a reservation back of bytes that are not recorded in the end.
    func giveBack(_ bytes: UInt64) async

    /// Notes that an upload of this process is under way, so that its chunks do not give way to others.
    func hold(_ upload: UploadID)
    func release(_ upload: UploadID)

    /// Records chunks that an unfinished upload of a user stored, so that they outlive it: for a day, or until there would
    /// be no room for something else. Their reservation ends.
    ///
    /// - Parameter mark: what the upload was given when something was recorded for it; nil for the first time.
    /// - Returns: the upload's mark; nil where the chunks were not recorded, since a pack that they are in has been disowned,
    ///   or what the upload had stored has given way to others.
    @discardableResult
    func record(
        _ chunks: UnrecordedChunks, of upload: UploadID, by user: String, at time: Int64, mark: UInt64?
    ) async throws(VaultError) -> UInt64?

    /// Has an unfinished upload of a user rely on chunks that the vault has. Those that only unfinished uploads have stored
    /// become this one's as well.
    ///
    /// - Parameters:
    ///   - isCharged: whether all of them become the upload's, and count once more: whether others need them must not be
    ///     seen by what it costs.
    ///   - mark: see ``record(_:of:by:at:mark:)``.
    /// - Returns: which of them are there, and stay; nil where what the upload had stored has given way to others.
    /// - Throws: `quota` where there is no room.
    func rely(
        on digests: [Digest], for upload: UploadID, of user: String, isCharged: Bool, at time: Int64, mark: UInt64?
    ) async throws(VaultError) -> Reliance?

    /// Ends an upload that has stored what versions need.
    func settle(_ upload: UploadID) async throws(VaultError)

    /// Carries out calls in one transaction, and the requests of each, in their order.
    ///
    /// A call that repeats another one, by the user and the id of its change, is answered like that one
    /// was and changes nothing. Answers are kept for seven days.
    ///
    /// Where much has been done, the calls that are left wait for the next commit, and so do requests of a call that is
    /// divisible.
    ///
    /// - Parameters:
    ///   - time: seconds since 1970 UTC.
    ///   - packs: where the records go, the last journal group behind all others; they are durable before anything is
    ///     visible.
    /// - Returns: a result for each request of each call that was carried out, one call at least; a request that is refused
    ///   changes nothing.
    /// - Throws: where none of the requests took effect; `cancelled` where a caller has left meanwhile.
    func commit(
        _ calls: [CommitCall], at time: Int64, into packs: any PackStore
    ) async throws(VaultError) -> [[Result<CommitResult, VaultError>]]

    /// What the commit of an upload was answered; nil where it is not known, or no longer.
    func answer(
        toCommit change: UniqueID, of user: String
    ) async throws(VaultError) -> Result<CommitResult, VaultError>?

    /// The results of a call that repeats one; nil for a call that is none.
    func results(ofRepeated call: CommitCall) async throws(VaultError) -> [Result<CommitResult, VaultError>]?

    // MARK: The outbox, and what hooks keep

    func tell(_ events: [OutboxEvent]) async throws(VaultError)
    func outbox(failed: Bool, after number: UInt64, limit: Int) async throws(VaultError) -> [OutboxRecord]
    func outboxCounts() async throws(VaultError) -> (waiting: Int, failed: Int)
    func settle(_ outcomes: [OutboxOutcome]) async throws(VaultError)
    /// - Parameter ids: which of those set aside; nil for all.
    func retryFailed(_ ids: [UniqueID]?) async throws(VaultError) -> Int
    func hookValue(_ key: String) async throws(VaultError) -> HookValue
    /// The values behind a key, in the order of the keys.
    func hookValues(after key: String, limit: Int) async throws(VaultError) -> [(key: String, value: HookValue)]
    /// - Returns: nil where the key is at another version.
    func store(_ value: [UInt8], as key: String, ifVersion: UInt64) async throws(VaultError) -> HookValue?
    func add(_ amount: Double, to key: String, once id: String?, at time: Int64) async throws(VaultError) -> HookValue

    // MARK: What one of many processes does

    /// Takes or keeps a duty that one process at a time has, for so many seconds.
    ///
    /// - Returns: whether `holder` has it.
    func takeDuty(_ name: String, as holder: UniqueID, seconds: Int64) async throws(VaultError) -> Bool
    func leaveDuty(_ name: String, as holder: UniqueID) async throws(VaultError)
    /// Lets one process do what is to be done once: who asks first since a time (seconds since 1970 UTC).
    func claim(_ name: String, since time: Int64, at now: Int64) async throws(VaultError) -> Bool
    /// When something was claimed last; `now` where it never was, which counts as the last time from then on.
    func claimTime(_ name: String, at now: Int64) async throws(VaultError) -> Int64

    // MARK: The audit

    /// The audit behind a sequence, from a time on (seconds since 1970 UTC), oldest first.
    func audit(since time: Int64, after sequence: UInt64, limit: Int) async throws(VaultError) -> [AuditRecord]

    // MARK: Looking

    /// What names hold; nil for those that hold nothing.
    func stat(_ names: [(Name, Selector)]) async throws(VaultError) -> [Entry?]

    /// The last sequence of the state at a time, by the times of commits that ``ClockTrust`` trusts.
    ///
    /// A commit whose time is not trusted counts as made with the last one before it whose time is.
    ///
    /// - Parameters:
    ///   - time: seconds since 1970 UTC.
    ///   - now: the time, which no commit can be behind.
    func lastSequence(at time: Int64, now: Int64) async throws(VaultError) -> UInt64
    /// The times of all journal groups; nil where none goes back and none is behind `now`, so that all are trusted.
    func journalTimes(now: Int64) async throws(VaultError) -> JournalTimes?
    /// Versions of a name, as many as a page has.
    ///
    /// - Parameter sequence: only those with greater sequence numbers.
    /// - Throws: `notFound` for a name without any.
    func history(_ name: Name, after sequence: UInt64) async throws(VaultError) -> VersionPage
    func list(_ query: ListQuery) async throws(VaultError) -> ListPage
    /// Whether there are more names than `count` strictly below one of `prefixes` that hold something.
    func isAny(of prefixes: [NamePrefix], widerThan count: Int) async throws(VaultError) -> Bool

    /// The objects of a listing with all their versions, removed ones included, for `keep`; none behind the last.
    ///
    /// - Parameter limit: the most objects; where they have very many versions, fewer come at once.
    func objects(
        _ prefix: NamePrefix, afterObject: UInt64, limit: Int
    ) async throws(VaultError) -> [ObjectHistory]

    /// Objects under the names that they had last, by object; none for an object that is gone.
    func thinnedNames(of objects: [UInt64]) async throws(VaultError) -> [UInt64: ThinnedName]

    /// Takes or renews a lease on the state as of now: until it ends, nothing that was needed then is
    /// collected.
    func lease(_ id: UniqueID, at time: Int64) async throws(VaultError)
    func endLease(_ id: UniqueID) async throws(VaultError)

    /// The packs that the catalog knows, with the lengths up to which it knows them.
    func packs() async throws(VaultError) -> [PackID: UInt64]

    /// Forgets what nothing needs: see ``Vault/collect()``.
    ///
    /// - Parameter node: reads the list node of this name; what it throws ends the collection.
    func forgetUnused(
        at time: Int64, node: (Digest) async throws(VaultError) -> ListNode
    ) async throws(VaultError) -> ForgottenContent

    /// Bytes of records in use, headers included, by pack. Damaged ones count as long as they are
    /// needed: what cannot be read today may be readable tomorrow, in a catalog made anew.
    func usedBytes() async throws(VaultError) -> [PackID: UInt64]

    /// Moves records that are still where `moved` says to their new place.
    func relocate(_ moved: [Relocation]) async throws(VaultError)

    /// Forgets packs in which no record is in use.
    func forget(_ packs: [PackID]) async throws(VaultError)

    /// Those of `packs` of which the catalog knows nothing, and never will.
    func disown(_ packs: [PackID], at time: Int64) async throws(VaultError) -> Set<PackID>

    /// Withdraws chunks that cannot be read, so that saving them again heals what uses them.
    func withdraw(_ damaged: [PackLocation: Digest]) async throws(VaultError)

    /// Forgets by what unchanged files of these names are recognised, so that they are read again.
    func forgetOrigins(of names: [Name]) async throws(VaultError)

    /// Counts chunks as known again that were withdrawn, and can be read after all.
    func reinstate(_ found: [PackLocation: Digest]) async throws(VaultError)

    /// Chunks and list nodes in the order of their digests, behind `after`.
    func chunks(after: Digest?, limit: Int) async throws(VaultError) -> [StoredChunk]

    func usage() async throws(VaultError) -> VaultUsage
    /// Gives what the catalog has free back to the disk, as far as it is a file.
    ///
    /// - Parameter bytes: so much may stay free.
    func shrink(leaving bytes: UInt64) async throws(VaultError)
    func setQuota(_ bytes: UInt64?) async throws(VaultError)

    /// The journal behind a sequence, oldest group first.
    func journal(after sequence: UInt64, limit: Int) async throws(VaultError) -> [StoredGroup]

    /// Applies groups of another vault's journal, whose records have been stored, behind those that the vault has.
    ///
    /// - Throws: `conflict` where the first does not follow on the last one there.
    func replay(_ groups: [(group: JournalGroup, stored: StoredGroup)]) async throws(VaultError)

    /// Takes over records of another vault's audit.
    func restore(_ records: [AuditRecord]) async throws(VaultError)

    /// The end of the journal.
    func journalHead() async throws(VaultError) -> JournalHead

    func close() async
}

extension Catalog {
    func stat(_ name: Name, _ selector: Selector) async throws(VaultError) -> Entry? {
        try await stat([(name, selector)])[0]
    }
}

/// A chunk or list node with its place.
package struct StoredChunk: Sendable {
    package var digest: Digest
    package var location: PackLocation
    package var isDamaged: Bool

    package init(digest: Digest, location: PackLocation, isDamaged: Bool) {
        self.digest = digest
        self.location = location
        self.isDamaged = isDamaged
    }
}

/// A journal group with its place.
package struct StoredGroup: Sendable {
    package var lastSequence: UInt64
    package var digest: Digest
    package var location: PackLocation
    /// Seconds since 1970 UTC.
    package var time: Int64

    package init(lastSequence: UInt64, digest: Digest, location: PackLocation, time: Int64) {
        self.lastSequence = lastSequence
        self.digest = digest
        self.location = location
        self.time = time
    }
}

/// A chunk that an upload has stored.
package struct ReceivedChunk: Sendable {
    package var digest: Digest
    package var location: PackLocation
    /// Keeps the pack from being deleted until the chunk is recorded.
    package var hold: (any Sendable)?
    /// Whether its bytes count also where the vault has the chunk, which whoever stored it must not learn. Until the next
    /// collection they do lie there twice.
    package var isCharged = false
}

/// The chunks that an upload relies on.
package struct Reliance: Sendable {
    /// Which of the chunks that it asked about are there.
    package var areThere: [Bool]
    /// The upload's mark; nil where nothing has been recorded for it.
    package var mark: UInt64?

    package init(areThere: [Bool], mark: UInt64?) {
        self.areThere = areThere
        self.mark = mark
    }
}

/// Bytes that are free again where uploads have given way.
package struct FreedRoom: Sendable {
    package var pendingBytes: UInt64 = 0
    /// Of rows of the catalog, about.
    package var catalogBytes: UInt64 = 0
    private let areRowsCounted: Bool

    /// - Parameter usage: of the vault before.
    package init(_ usage: VaultUsage) {
        areRowsCounted = usage.areRecordsCounted
    }

    /// Bytes by which less is counted.
    package var bytes: UInt64 { pendingBytes + (areRowsCounted ? catalogBytes : 0) }

    /// Adds what one upload had, of which no sum is so large that it cannot be added to.
    package mutating func add(pendingBytes: UInt64, chunks: UInt64) {
        self.pendingBytes = min(self.pendingBytes + min(pendingBytes, StoreLimits.numberMax), StoreLimits.numberMax)
        let rows = min(chunks, StoreLimits.numberMax / StoreLimits.chunkRowBytes) * StoreLimits.chunkRowBytes
        catalogBytes = min(catalogBytes + rows, StoreLimits.numberMax)
    }
}

/// What an upload stored and has not recorded yet.
package struct UnrecordedChunks: Sendable {
    package var received: [ReceivedChunk] = []
    /// Bytes that were reserved for those received.
    package var reservedBytes: UInt64 = 0

    var isEmpty: Bool { received.isEmpty }
}

/// A record that was copied to another pack.
package struct Relocation: Sendable {
    package var kind: RecordHeader.Kind
    package var digest: Digest
    package var from: PackLocation
    package var to: PackLocation
}

/// All versions of one object, oldest first.
package struct ObjectHistory: Sendable {
    package var object: UInt64
    /// The present name; nil for a removed object whose name another one has taken.
    package var name: Name?
    /// None where the listing is not about the object.
    package var versions: [KeepPolicy.Candidate]

    package init(object: UInt64, name: Name?, versions: [KeepPolicy.Candidate]) {
        self.object = object
        self.name = name
        self.versions = versions
    }
}

/// The last journal group.
package struct JournalHead: Sendable, Equatable {
    package var sequence: UInt64
    package var digest: Digest?
    package var time: Int64

    package init(sequence: UInt64, digest: Digest?, time: Int64) {
        self.sequence = sequence
        self.digest = digest
        self.time = time
    }
}
