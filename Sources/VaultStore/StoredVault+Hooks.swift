import Synchronization
package import VaultModel

/// A save before it takes effect: its content is there and durable, and nobody can see it.
package struct StagedSave: Sendable {
    package var intent: SaveIntent
    /// Which of the saves of a change it is, from 0 on.
    package var number = 0
    package var content: Content
    /// The content of a small save; nil where it is read by ``StoredVault/openStaged(_:)``.
    package var bytes: BufferSlice?
    /// Makes the content of a small save durable, before anybody reads it; nil where it is.
    package var staging: Staging?

    init(
        intent: SaveIntent, number: Int = 0, content: Content, bytes: BufferSlice? = nil, staging: Staging? = nil
    ) {
        self.intent = intent
        self.number = number
        self.content = content
        self.bytes = bytes
        self.staging = staging
    }

    /// The content of a version to which no name leads any more.
    package init(_ entry: Entry) {
        self.init(
            intent: SaveIntent(name: entry.name, kind: entry.kind, attributes: entry.attributes, tags: entry.tags),
            content: entry.content)
    }
}

/// Makes the contents of some small saves durable once one of them is to be read; those that nobody reads become so with
/// the commit.
package final class Staging: Sendable {
    private let vault: StoredVault
    private let saves: [SmallSave]
    private let caller: Caller
    private let working = AsyncLock()
    private let staged = Mutex<[ReceivedChunk?]?>(nil)

    init(_ saves: [SmallSave], by caller: Caller, in vault: StoredVault) {
        self.saves = saves
        self.caller = caller
        self.vault = vault
    }

    /// Where the contents are that were made durable; nil for none.
    var places: [ReceivedChunk?]? { staged.withLock { $0 } }

    /// - Throws: why the contents cannot be saved.
    package func finish() async throws(VaultError) {
        try await working.withLock { () async throws(VaultError) in
            if places != nil { return }
            let places = try await vault.stage(saves, by: caller)
            staged.withLock { $0 = places }
        }
    }
}

/// What is to become of a staged save.
package struct SaveDecision: Sendable {
    /// The intent, with another name or other tags perhaps.
    package var intent: SaveIntent
    /// Why it is refused; nil where it is not.
    package var refusal: VaultError?

    package init(intent: SaveIntent, refusal: VaultError? = nil) {
        self.intent = intent
        self.refusal = refusal
    }

    /// - Throws: why nobody could decide: that is no decision, and the next try has a chance.
    func check() throws(VaultError) {
        if let refusal, refusal.code == .unavailable, refusal.isRetryable { throw refusal }
    }
}

extension StoredVault {
    /// Decides on staged saves.
    package struct Decider: Sendable {
        let wants: @Sendable (Name) -> Bool
        let decide: @Sendable ([StagedSave]) async -> [SaveDecision]

        /// - Parameters:
        ///   - wants: whether a save under a name is decided on at all; if not, it is accepted.
        ///   - decide: comes to a decision for each save.
        package init(
            wants: @escaping @Sendable (Name) -> Bool = { _ in true },
            decide: @escaping @Sendable ([StagedSave]) async -> [SaveDecision]
        ) {
            self.wants = wants
            self.decide = decide
        }
    }

    // MARK: What hooks are told

    /// Writes down events that no change has brought along.
    package func tell(_ events: [OutboxEvent]) async throws(VaultError) {
        try await prepareToWrite()
        try await catalog.tell(events)
    }

    /// Events of the outbox behind a number, in their order: those to be told, or those set aside.
    package func outbox(
        failed: Bool = false, after number: UInt64 = 0, limit: Int
    ) async throws(VaultError) -> [OutboxRecord] {
        try await catalog.outbox(failed: failed, after: number, limit: limit)
    }

    /// How many events are to be told, and how many are set aside.
    package func outboxCounts() async throws(VaultError) -> (waiting: Int, failed: Int) {
        try await catalog.outboxCounts()
    }

    package func settle(_ outcomes: [OutboxOutcome]) async throws(VaultError) {
        try await catalog.settle(outcomes)
    }

    /// Has events told again that were set aside.
    ///
    /// - Parameter ids: which; nil for all.
    /// - Returns: how many there are.
    package func retryFailed(_ ids: [UniqueID]?) async throws(VaultError) -> Int {
        try await catalog.retryFailed(ids)
    }

    /// Seconds since 1970 UTC, the same for all who have the vault open.
    package var now: Int64 { clock() }

    /// Whether servers on other machines have the vault open too.
    package var isShared: Bool { home == nil }

    /// Takes or keeps a duty that one of those who have the vault open has, for so many seconds.
    ///
    /// - Returns: whether `holder` has it; always in a vault that is not shared.
    package func takeDuty(_ name: String, as holder: UniqueID, seconds: Int64) async throws(VaultError) -> Bool {
        try await catalog.takeDuty(name, as: holder, seconds: seconds)
    }

    package func leaveDuty(_ name: String, as holder: UniqueID) async throws(VaultError) {
        try await catalog.leaveDuty(name, as: holder)
    }

    /// Lets one of those who have the vault open do what is to be done once: who asks first since a time.
    package func claim(_ name: String, since time: Int64) async throws(VaultError) -> Bool {
        try await catalog.claim(name, since: time, at: clock())
    }

    /// When something was claimed last, seconds since 1970 UTC; now where it never was, which is remembered.
    package func claimTime(_ name: String) async throws(VaultError) -> Int64 {
        try await catalog.claimTime(name, at: clock())
    }

    // MARK: What hooks keep

    package func hookValue(_ key: String) async throws(VaultError) -> HookValue {
        try await catalog.hookValue(key)
    }

    /// - Returns: nil where the key is at another version.
    package func store(_ value: [UInt8], as key: String, ifVersion: UInt64) async throws(VaultError) -> HookValue? {
        try await prepareToWrite()
        try StoredVault.check(key, value)
        return try await catalog.store(value, as: key, ifVersion: ifVersion)
    }

    /// Adds to a number; under an id only the first time in seven days.
    package func add(_ amount: Double, to key: String, once id: String?) async throws(VaultError) -> HookValue {
        try await prepareToWrite()
        try StoredVault.check(key, Array((id ?? "").utf8))
        guard id?.utf8.contains(0) != true else { throw VaultError(.invalid, "An id has no NUL.") }
        guard amount.isFinite else { throw VaultError(.invalid, "What is added to '\(printable(key))' is no number.") }
        return try await catalog.add(amount, to: key, once: id, at: clock())
    }

    private static func check(_ key: String, _ value: [UInt8]) throws(VaultError) {
        guard !key.utf8.contains(0) else { throw VaultError(.invalid, "A key has no NUL.") }
        guard (1...StoreLimits.hookKeyBytesMax).contains(key.utf8.count) else {
            throw VaultError(.invalid, "A key has 1 to \(StoreLimits.hookKeyBytesMax) bytes.")
        }
        guard value.count <= StoreLimits.hookValueBytesMax else {
            throw VaultError(
                .invalid,
                "The value of '\(printable(key))' has \(value.count) bytes: \(StoreLimits.hookValueBytesMax) are allowed."
            )
        }
    }

    // MARK: Staging

    /// Opens the content of a staged save, which is no name's yet; see ``Vault/openRead(_:_:)``.
    package func openStaged(_ staged: StagedSave) async throws(VaultError) -> OpenRead {
        try await open(
            Entry(
                name: staged.intent.name, kind: staged.intent.kind, content: staged.content, version: 0, sequence: 0,
                attributes: staged.intent.attributes, savedAt: clock(), savedBy: "", tags: staged.intent.versionTags))
    }

    /// Opens a content that another process has opened under a name, whatever has become of that since.
    package func open(_ content: Content, as name: Name) async throws(VaultError) -> OpenRead {
        try await open(
            Entry(
                name: name, kind: .file, content: content, version: 0, sequence: 0,
                attributes: Attributes(mode: 0, modified: 0), savedAt: clock(), savedBy: "", tags: [:]))
    }

    private func open(_ entry: Entry) async throws(VaultError) -> OpenRead {
        let lease = try await holdLease()
        let id = ReadID(UniqueID())
        reads.withLock { $0[id] = ReadState(entry: entry, lease: lease) }
        return OpenRead(id: id, entry: entry)
    }

    /// Makes the contents of small saves durable that the vault does not have, as far as their caller may know that.
    ///
    /// - Returns: where they are; nil for those that the vault has, or that are empty.
    func stage(_ saves: [SmallSave], by caller: Caller) async throws(VaultError) -> [ReceivedChunk?] {
        let chunks = saves.compactMap(\.chunk)
        let known = try await dispensable(chunks.map(\.digest), from: caller)
        var records: [PackRecord] = []
        var places: [Digest: Int] = [:]
        for (chunk, isKnown) in zip(chunks, known) where !isKnown && places[chunk.digest] == nil {
            places[chunk.digest] = records.count
            records.append(PackRecord(kind: .chunk, digest: chunk.digest, bytes: chunk.bytes))
        }
        if records.isEmpty { return saves.map { _ in nil } }
        let bytes = records.reduce(0) { $0 + $1.storedBytes }
        try await clearAway(before: bytes)
        // What is refused later must not fill the disk beyond the quota now.
        try await catalog.reserve(bytes)
        let appended: Appended
        do throws(VaultError) {
            appended = try await packs.append(records)
        } catch {
            await catalog.giveBack(bytes)
            throw error
        }
        await catalog.giveBack(bytes)
        return saves.map { save in
            save.chunk.flatMap { chunk in places[chunk.digest] }.map { place in
                ReceivedChunk(
                    digest: records[place].digest, location: appended.locations[place], hold: appended.hold)
            }
        }
    }
}
