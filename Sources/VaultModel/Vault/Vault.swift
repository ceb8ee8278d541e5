/// One independent store of named entries, here or on another computer.
///
/// All operations may be called from any task and at the same time. A cancelled task's operation ends
/// with `cancelled`; a change that it had begun to commit may still take effect. Operations block the
/// thread of the task's executor while they wait for a disk, so transfers prefer a
/// ``BlockingExecutor``. Unless said otherwise, an operation that failed has changed nothing.
package protocol Vault: Sendable {
    /// Agrees on a save and opens an upload for its content.
    ///
    /// - Throws: what a commit of the same intent would throw, as far as it is known already.
    func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UploadID

    /// Takes the next chunks of the upload's content, in the order of the file, and tells for each
    /// whether its bytes must be put.
    func offer(_ chunks: [ChunkReference], to upload: UploadID) async throws(VaultError) -> [Bool]

    /// Stores chunks that were offered. Chunks may come in any order, and from several tasks.
    func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError)

    /// Bytes of content that are best put or fetched at once, where chunks are not larger: fewer on a slow way.
    var transferBytes: Int { get }

    /// Makes what was offered and put the current version of the intent's name, durably.
    ///
    /// - Parameters:
    ///   - content: what the sender says the content is; it must be what was offered.
    ///   - changedWhileRead: see ``SaveIntent/changedWhileRead``, which is known only now.
    /// - Returns: nil where a chunk that had been there when it was offered has been collected since;
    ///   the upload is over then, and the save must be tried again.
    func commit(
        _ upload: UploadID, content: Content, changedWhileRead: Bool
    ) async throws(VaultError) -> SaveOutcome?

    /// Ends an upload without a commit. Its chunks are kept for a day, so that the save can resume.
    func abort(_ upload: UploadID) async

    /// Saves files of at most one chunk, links and empty directories, together and durably.
    ///
    /// The saves take effect in their order. One that fails fails alone.
    func save(_ saves: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>]

    /// Reads files of at most one chunk, links and empty directories together, verified.
    ///
    /// One that fails fails alone: `notFound` for a name that holds nothing, `conflict` for what is longer than said.
    func read(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>]

    /// Opens what a name holds for reading; the content cannot be collected until it is closed.
    func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead

    /// The chunks of an open read from the one that covers `position`, `count` at most.
    func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk]

    /// The verified bytes of chunks that ``layout(_:from:count:)`` gave, in order.
    func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk]

    func closeRead(_ read: ReadID) async

    /// The next page of a listing, in the order of names, then versions.
    func list(_ query: ListQuery) async throws(VaultError) -> ListPage

    /// What the name holds or held; nil where that is nothing.
    func stat(_ name: Name, _ selector: Selector) async throws(VaultError) -> Entry?

    /// All versions of what has this name now, oldest first, removals included.
    ///
    /// - Throws: `notFound` for a name that has no version: none was ever saved, or all were forgotten.
    func history(_ name: Name) async throws(VaultError) -> [Entry]

    /// Carries out changes in their order, together and durably. One that fails fails alone.
    func change(_ changes: [Change]) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>]

    /// Removes the versions that a policy does not keep.
    ///
    /// - Parameter calendar: the civil calendar by which days, weeks and months are told apart.
    func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool
    ) async throws(VaultError) -> KeepReport

    /// Gives back the space of what no version, upload or open read needs.
    func collect() async throws(VaultError) -> CollectionReport

    /// Reads what is stored back and compares it with its digests.
    func verify(_ request: VerifyRequest) async throws(VaultError) -> VerifyReport

    /// Where the vault is on this machine; nil for one that is elsewhere.
    var directory: LocalPath? { get }

    /// Ends all use of the vault.
    func close() async
}

extension Vault {
    package func commit(_ upload: UploadID, content: Content) async throws(VaultError) -> SaveOutcome? {
        try await commit(upload, content: content, changedWhileRead: false)
    }

    package var directory: LocalPath? { nil }
    package var transferBytes: Int { Limits.fetchBytesMax }
}

/// An unfinished save.
package struct UploadID: Hashable, Sendable {
    package var value: UniqueID
    package init(_ value: UniqueID) { self.value = value }
}

/// An open read.
package struct ReadID: Hashable, Sendable {
    package var value: UniqueID
    package init(_ value: UniqueID) { self.value = value }
}

/// 128 random bits.
package struct UniqueID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init() {
        var generator = SystemRandomNumberGenerator()
        high = generator.next()
        low = generator.next()
    }

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

extension UniqueID: CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    package var description: String {
        [high, low].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    package var bytes: [UInt8] {
        var writer = ByteWriter(reserving: 16)
        writer.write(high.bigEndian)
        writer.write(low.bigEndian)
        return writer.bytes
    }

    package init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.init(
            high: bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) },
            low: bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
        )
    }
}
