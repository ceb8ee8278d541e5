import VaultModel

@testable import VaultStore

/// The packs of a vault with a commit's records stored in another way, or with packs of which none is young.
struct OtherPacks: PackStore {
    typealias Append = @Sendable ([PackRecord], ([PackLocation]) -> Void) async throws(VaultError) -> Appended

    private let packs: any PackStore
    private let areOld: Bool
    private let append: Append?

    /// - Parameters:
    ///   - areOld: whether no pack is so young that it could be somebody's.
    ///   - append: stores the records of a commit.
    init(_ packs: any PackStore, areOld: Bool = false, append: Append? = nil) {
        self.packs = packs
        self.areOld = areOld
        self.append = append
    }

    func append(_ records: [PackRecord]) async throws(VaultError) -> Appended { try await packs.append(records) }

    func append(
        _ records: [PackRecord], placed: ([PackLocation]) -> Void
    ) async throws(VaultError) -> Appended {
        if let append { return try await append(records, placed) }
        return try await packs.append(records, placed: placed)
    }

    func builder() throws(VaultError) -> any PackBuilder { try packs.builder() }

    func read(
        _ pack: PackID, at offset: UInt64, into memory: UnsafeMutableRawBufferPointer
    ) async throws(VaultError) -> Int { try await packs.read(pack, at: offset, into: memory) }

    func list() async throws(VaultError) -> [PackID: PackStatus] {
        let packs = try await packs.list()
        return areOld ? packs.mapValues { PackStatus(length: $0.length) } : packs
    }

    func adopt(
        _ packs: [PackID], committedLength: (PackID) async throws(VaultError) -> UInt64?
    ) async throws(VaultError) {}

    func delete(
        _ packs: [PackID], disowned: ([PackID]) async throws(VaultError) -> Set<PackID>
    ) async throws(VaultError) -> Set<PackID> { try await self.packs.delete(packs, disowned: disowned) }

    func close() async {}
}
