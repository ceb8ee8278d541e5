import Glibc
import TestSupport
import Testing
import VaultStore

@testable import VaultModel

@Suite struct DownloadTests {
    private let directory: TemporaryDirectory
    private let tree: LocalTree
    private let vault: any Vault
    private let bytes = randomBytes(5 << 20, seed: 6)

    init() async throws {
        directory = try TemporaryDirectory()
        tree = try LocalTree(directory("tree"))
        vault = try await StoredVault.open(directory("vault"), access: .create)
        try tree.write("file", bytes)
        _ = try await FileSave(to: vault).save(tree.root.appending("file"), as: Name("name"))
    }

    @Test(arguments: [0, 1, 1_000_000, 5 << 20 - 1, 5 << 20, 6 << 20])
    func streamsFromAnyPosition(start: Int) async throws {
        let read = try await vault.openRead(Name("name"), .current)
        var content: [UInt8] = []
        try await Download(from: vault).stream(read, from: UInt64(start)) { content += $0 }
        await vault.closeRead(read.id)
        #expect(content == Array(bytes.dropFirst(start)))
    }

    /// A vault far away may answer anything.
    @Test(arguments: LyingVault.Lie.allCases)
    func takesNoContentThatIsNotTheEntrys(lie: LyingVault.Lie) async throws {
        let lying = LyingVault(vault, lie)
        let path = tree.root.appending("copy")
        #expect(await eventualCode { try await FileRead(from: lying).read(Name("name"), to: path) } == .integrity)
        #expect(try tree.paths() == ["file"])
        let read = try await lying.openRead(Name("name"), .current)
        #expect(await eventualCode { try await Download(from: lying).stream(read) { _ in } } == .integrity)
        await lying.closeRead(read.id)
    }

    @Test func takesNoChunksThatLieBeforeThePlaceThatWasAskedFor() async throws {
        let early = EarlyVault(other: vault)
        let read = try await early.openRead(Name("name"), .current)
        #expect(
            await eventualCode { try await Download(from: early).stream(read, from: 4 << 20) { _ in } } == .integrity)
        await early.closeRead(read.id)
    }

    @Test func endsAStreamWhereItsReaderFails() async throws {
        let read = try await vault.openRead(Name("name"), .current)
        let ending = await eventualCode {
            try await Download(from: vault).stream(read) { _ throws(VaultError) in throw VaultError(.quota, "Enough.") }
        }
        #expect(ending == .quota)
        await vault.closeRead(read.id)
    }
}

/// Tells of the chunks from the start, whichever it is asked for.
private struct EarlyVault: ForwardingVault {
    let other: any Vault

    func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk] {
        try await other.layout(read, from: 0, count: count)
    }
}
