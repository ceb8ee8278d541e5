import FuzzSupport
import Synchronization
import VaultModel
import VaultWire
import VaultWireFuzzing

/// A number that tasks count down.
private final class Countdown: Sendable {
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    /// False once nothing is left.
    func take() -> Bool {
        left.withLock { left in
            left -= 1
            return left >= 0
        }
    }
}

/// A vault that lists and gives what choices have it, whether or not it fits together.
struct MadeVault: Vault {
    private struct File {
        var entry: Entry
        var chunk: Chunk?
    }

    private let files: [File]
    /// Whether the chunks of an answer are of another place than was asked for.
    private let isShifted: Bool
    /// How often the vault tells of chunks: a content may say that it has no end.
    private let layoutsLeft = Countdown(200)

    init(_ choices: inout Choices) {
        var files: [File] = []
        for _ in 0..<choices.below(8) {
            guard var entry = try? choices.entry().model else { continue }
            let bytes = choices.someBytes(40)
            let chunk = Chunk(digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
            // Most have a content that is there, so that there is something to write.
            if !choices.rarely(4) { entry.content = bytes.isEmpty ? .empty : Content(chunk.reference) }
            files.append(File(entry: entry, chunk: choices.rarely() ? nil : chunk))
        }
        // Other orders are refused by whoever lists.
        self.files = choices.rarely() ? files : files.sorted { $0.entry.name < $1.entry.name }
        isShifted = choices.rarely()
    }

    func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        let listed = files.map(\.entry).filter { entry in query.after.map { $0 < entry.name } ?? true }
        return ListPage(entries: Array(listed.prefix(query.limit)), next: nil)
    }

    func read(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        reads.map { read in
            file(read.name).map { .success(SmallContent(entry: $0.entry, chunk: $0.chunk)) } ?? .failure(MadeVault.none)
        }
    }

    func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead {
        guard let index = files.firstIndex(where: { $0.entry.name == name }) else { throw MadeVault.none }
        return OpenRead(id: ReadID(UniqueID(high: 0, low: UInt64(index))), entry: files[index].entry)
    }

    func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk] {
        guard layoutsLeft.take(), let chunk = file(read)?.chunk else { return [] }
        return [PlacedChunk(position: isShifted ? position : 0, reference: chunk.reference)]
    }

    func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        file(read)?.chunk.map { chunk in chunks.map { _ in chunk } } ?? []
    }

    func closeRead(_ read: ReadID) async {}

    func stat(_ name: Name, _ selector: Selector) async throws(VaultError) -> Entry? { file(name)?.entry }

    func history(_ name: Name) async throws(VaultError) -> [Entry] { files.map(\.entry) }

    private func file(_ name: Name) -> File? { files.first { $0.entry.name == name } }

    private func file(_ read: ReadID) -> File? {
        files.indices.contains(Int(read.value.low)) ? files[Int(read.value.low)] : nil
    }

    // MARK: What a pull does not ask for

    private static let none = VaultError(.notFound, "There is nothing.")

    func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UploadID { throw MadeVault.none }
    func offer(_ chunks: [ChunkReference], to upload: UploadID) async throws(VaultError) -> [Bool] {
        throw MadeVault.none
    }
    func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) { throw MadeVault.none }
    func commit(
        _ upload: UploadID, content: Content, changedWhileRead: Bool
    ) async throws(VaultError) -> SaveOutcome? { throw MadeVault.none }
    func abort(_ upload: UploadID) async {}
    func save(_ saves: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        throw MadeVault.none
    }
    func change(_ changes: [Change]) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        throw MadeVault.none
    }
    func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool
    ) async throws(VaultError) -> KeepReport { throw MadeVault.none }
    func collect() async throws(VaultError) -> CollectionReport { throw MadeVault.none }
    func verify(_ request: VerifyRequest) async throws(VaultError) -> VerifyReport { throw MadeVault.none }
    func close() async {}
}
