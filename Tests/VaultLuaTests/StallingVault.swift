import Synchronization
import VaultModel

/// A vault of which some calls do not end before they are cancelled.
final class StallingVault: ForwardingVault {
    let other: any Vault
    /// The names of the calls; "all" for every one.
    private let stalled: Set<String>
    /// How many calls wait to be cancelled.
    static let waiting = Atomic<Int>(0)

    init(_ other: any Vault, _ stalled: Set<String>) {
        self.other = other
        self.stalled = stalled
    }

    static func stall() async throws(VaultError) {
        waiting.add(1, ordering: .relaxed)
        defer { waiting.subtract(1, ordering: .relaxed) }
        try await mappingErrors { try await Task.sleep(for: .seconds(1000)) }
    }

    private func stall(_ call: String) async throws(VaultError) {
        if stalled.contains("all") || stalled.contains(call) { try await StallingVault.stall() }
    }

    func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UploadID {
        try await stall("beginUpload")
        return try await other.beginUpload(intent)
    }

    func offer(_ chunks: [ChunkReference], to upload: UploadID) async throws(VaultError) -> [Bool] {
        try await stall("offer")
        return try await other.offer(chunks, to: upload)
    }

    func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) {
        try await stall("put")
        try await other.put(chunks, to: upload)
    }

    func commit(
        _ upload: UploadID, content: Content, changedWhileRead: Bool
    ) async throws(VaultError) -> SaveOutcome? {
        try await stall("commit")
        return try await other.commit(upload, content: content, changedWhileRead: changedWhileRead)
    }

    func save(_ saves: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        try await stall("save")
        return try await other.save(saves)
    }

    func read(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        try await stall("read")
        return try await other.read(reads)
    }

    func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead {
        try await stall("openRead")
        return try await other.openRead(name, selector)
    }

    func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk] {
        try await stall("layout")
        return try await other.layout(read, from: position, count: count)
    }

    func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        try await stall("fetch")
        return try await other.fetch(chunks, of: read)
    }

    func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        try await stall("list")
        return try await other.list(query)
    }

    func stat(_ name: Name, _ selector: Selector) async throws(VaultError) -> Entry? {
        try await stall("stat")
        return try await other.stat(name, selector)
    }

    func history(_ name: Name) async throws(VaultError) -> [Entry] {
        try await stall("history")
        return try await other.history(name)
    }

    func change(_ changes: [Change]) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        try await stall("change")
        return try await other.change(changes)
    }

    func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool
    ) async throws(VaultError) -> KeepReport {
        try await stall("keep")
        return try await other.keep(prefix, policy, calendar: calendar, isDryRun: isDryRun)
    }

    func collect() async throws(VaultError) -> CollectionReport {
        try await stall("collect")
        return try await other.collect()
    }

    func verify(_ request: VerifyRequest) async throws(VaultError) -> VerifyReport {
        try await stall("verify")
        return try await other.verify(request)
    }
}
