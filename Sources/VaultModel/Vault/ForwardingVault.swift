/// A vault with some calls of its own; all others go to another one.
package protocol ForwardingVault: Vault {
    var other: any Vault { get }
}

extension ForwardingVault {
    package var transferBytes: Int { other.transferBytes }
    package var directory: LocalPath? { other.directory }
    package func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UploadID {
        try await other.beginUpload(intent)
    }
    package func offer(_ chunks: [ChunkReference], to upload: UploadID) async throws(VaultError) -> [Bool] {
        try await other.offer(chunks, to: upload)
    }
    package func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) {
        try await other.put(chunks, to: upload)
    }
    package func commit(
        _ upload: UploadID, content: Content, changedWhileRead: Bool
    ) async throws(VaultError) -> SaveOutcome? {
        try await other.commit(upload, content: content, changedWhileRead: changedWhileRead)
    }
    package func abort(_ upload: UploadID) async { await other.abort(upload) }
    package func save(_ saves: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        try await other.save(saves)
    }
    package func read(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        try await other.read(reads)
    }
    package func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead {
        try await other.openRead(name, selector)
    }
    package func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk] {
        try await other.layout(read, from: position, count: count)
    }
    package func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        try await other.fetch(chunks, of: read)
    }
    package func closeRead(_ read: ReadID) async { await other.closeRead(read) }
    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage { try await other.list(query) }
    package func stat(_ name: Name, _ selector: Selector) async throws(VaultError) -> Entry? {
        try await other.stat(name, selector)
    }
    package func history(_ name: Name) async throws(VaultError) -> [Entry] { try await other.history(name) }
    package func change(_ changes: [Change]) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        try await other.change(changes)
    }
    package func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool
    ) async throws(VaultError) -> KeepReport {
        try await other.keep(prefix, policy, calendar: calendar, isDryRun: isDryRun)
    }
    package func collect() async throws(VaultError) -> CollectionReport { try await other.collect() }
    package func verify(_ request: VerifyRequest) async throws(VaultError) -> VerifyReport {
        try await other.verify(request)
    }
    package func close() async { await other.close() }
}
