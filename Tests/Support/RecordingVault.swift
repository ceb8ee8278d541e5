import Synchronization
package import VaultModel

/// A vault that passes every call on to another one, tells of it before, and remembers it.
package final class RecordingVault: Vault {
    package enum Call: Sendable {
        case beginUpload(SaveIntent)
        case offer([ChunkReference])
        case put([Chunk])
        case commit(Content)
        case abort
        case save([SmallSave])
        case openRead(Name)
        case layout(UInt64)
        case fetch([PlacedChunk])
        case closeRead
        case list(ListQuery)
        case change([Change])
        case other(String)
    }

    private let vault: any Vault
    private let before: @Sendable (Call) async throws(VaultError) -> Void
    private let recorded = Mutex<[Call]>([])

    /// - Parameter before: is called before each call; where it throws, the call is not passed on.
    package init(
        _ vault: any Vault, before: @escaping @Sendable (Call) async throws(VaultError) -> Void = { _ in }
    ) {
        self.vault = vault
        self.before = before
    }

    /// The calls so far. Chunks keep their buffers: ``forget()`` gives them back.
    package var calls: [Call] { recorded.withLock { $0 } }

    package func forget() { recorded.withLock { $0 = [] } }

    /// The chunks that were put, in uploads or small saves.
    package var putDigests: [Digest] {
        calls.flatMap { call -> [Digest] in
            switch call {
            case .put(let chunks): chunks.map(\.digest)
            case .save(let saves): saves.compactMap(\.chunk?.digest)
            default: []
            }
        }
    }

    private func tell(_ call: Call) async throws(VaultError) {
        recorded.withLock { $0.append(call) }
        try await before(call)
    }

    package func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UploadID {
        try await tell(.beginUpload(intent))
        return try await vault.beginUpload(intent)
    }

    package func offer(_ chunks: [ChunkReference], to upload: UploadID) async throws(VaultError) -> [Bool] {
        try await tell(.offer(chunks))
        return try await vault.offer(chunks, to: upload)
    }

    package func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) {
        // A copy without the bytes: what is remembered must not hold transfer buffers.
        try await tell(.put(chunks.map { Chunk(digest: $0.digest, bytes: BufferSlice(copying: [])) }))
        try await vault.put(chunks, to: upload)
    }

    package func commit(_ upload: UploadID, content: Content) async throws(VaultError) -> SaveOutcome? {
        try await tell(.commit(content))
        return try await vault.commit(upload, content: content)
    }

    package func abort(_ upload: UploadID) async {
        try? await tell(.abort)
        await vault.abort(upload)
    }

    package func save(_ saves: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        try await tell(.save(saves))
        return try await vault.save(saves)
    }

    package func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead {
        try await tell(.openRead(name))
        return try await vault.openRead(name, selector)
    }

    package func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk] {
        try await tell(.layout(position))
        return try await vault.layout(read, from: position, count: count)
    }

    package func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        try await tell(.fetch(chunks))
        return try await vault.fetch(chunks, of: read)
    }

    package func closeRead(_ read: ReadID) async {
        try? await tell(.closeRead)
        await vault.closeRead(read)
    }

    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        try await tell(.list(query))
        return try await vault.list(query)
    }

    package func stat(_ name: Name, _ selector: Selector) async throws(VaultError) -> Entry? {
        try await tell(.other("stat"))
        return try await vault.stat(name, selector)
    }

    package func history(_ name: Name) async throws(VaultError) -> [Entry] {
        try await tell(.other("history"))
        return try await vault.history(name)
    }

    package func change(_ changes: [Change]) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        try await tell(.change(changes))
        return try await vault.change(changes)
    }

    package func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool
    ) async throws(VaultError) -> KeepReport {
        try await tell(.other("keep"))
        return try await vault.keep(prefix, policy, calendar: calendar, isDryRun: isDryRun)
    }

    package func collect() async throws(VaultError) -> CollectionReport {
        try await tell(.other("collect"))
        return try await vault.collect()
    }

    package func verify(_ request: VerifyRequest) async throws(VaultError) -> VerifyReport {
        try await tell(.other("verify"))
        return try await vault.verify(request)
    }

    package func close() async {
        await vault.close()
    }
}
