import Synchronization
package import VaultModel

/// A vault that tells of every transfer, listing and change, and remembers it, before it passes it on.
package final class RecordingVault: ForwardingVault {
    package enum Call: Sendable {
        case beginUpload(SaveIntent)
        case offer([ChunkReference])
        case put([Chunk])
        case commit(Content)
        case abort
        case save([SmallSave])
        case read([SmallRead])
        case openRead(Name)
        case layout(UInt64)
        case fetch([PlacedChunk])
        case closeRead
        case list(ListQuery)
        case change([Change])
    }

    package let other: any Vault
    private let before: @Sendable (Call) async throws(VaultError) -> Void
    private let recorded = Mutex<[Call]>([])

    /// - Parameter before: is called before each call; where it throws, the call is not passed on.
    package init(
        _ other: any Vault, before: @escaping @Sendable (Call) async throws(VaultError) -> Void = { _ in }
    ) {
        self.other = other
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
        return try await other.beginUpload(intent)
    }

    package func offer(_ chunks: [ChunkReference], to upload: UploadID) async throws(VaultError) -> [Bool] {
        try await tell(.offer(chunks))
        return try await other.offer(chunks, to: upload)
    }

    package func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) {
        // A copy without the bytes: what is remembered must not hold transfer buffers.
        try await tell(.put(chunks.map { Chunk(digest: $0.digest, bytes: BufferSlice(copying: [])) }))
        try await other.put(chunks, to: upload)
    }

    package func commit(
        _ upload: UploadID, content: Content, changedWhileRead: Bool
    ) async throws(VaultError) -> SaveOutcome? {
        try await tell(.commit(content))
        return try await other.commit(upload, content: content, changedWhileRead: changedWhileRead)
    }

    package func abort(_ upload: UploadID) async {
        try? await tell(.abort)
        await other.abort(upload)
    }

    package func save(_ saves: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        try await tell(.save(saves))
        return try await other.save(saves)
    }

    package func read(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        try await tell(.read(reads))
        return try await other.read(reads)
    }

    package func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead {
        try await tell(.openRead(name))
        return try await other.openRead(name, selector)
    }

    package func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk] {
        try await tell(.layout(position))
        return try await other.layout(read, from: position, count: count)
    }

    package func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        try await tell(.fetch(chunks))
        return try await other.fetch(chunks, of: read)
    }

    package func closeRead(_ read: ReadID) async {
        try? await tell(.closeRead)
        await other.closeRead(read)
    }

    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        try await tell(.list(query))
        return try await other.list(query)
    }

    package func change(_ changes: [Change]) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        try await tell(.change(changes))
        return try await other.change(changes)
    }
}
