import Glibc
import TestSupport
import Testing
import VaultStore

@testable import VaultModel

@Suite struct ContentSaveTests {
    private let directory: TemporaryDirectory
    private let vault: any Vault

    init() async throws {
        directory = try TemporaryDirectory()
        vault = try await StoredVault.open(directory("vault"), access: .create)
    }

    private func intent(_ name: String) throws -> SaveIntent {
        SaveIntent(name: try Name(name), attributes: Attributes(mode: 0o644, modified: 1))
    }

    @Test(arguments: [0, 1, Chunker.minimumSize, Chunker.minimumSize + 1, Limits.bufferBytes, 20 << 20])
    func bringsBytesBackAndCutsThemAsAFile(size: Int) async throws {
        let bytes = randomBytes(size, seed: UInt64(size))
        let saved = try await ContentSave(to: vault).save(bytes, intent("memory"))
        #expect(try await ContentRead(from: vault).read(Name("memory"), .current) == bytes)
        let tree = try LocalTree(directory("tree"))
        try tree.write("file", bytes)
        let file = try OpenFile(tree.root.appending("file"), flags: O_RDONLY)
        let streamed = try await FileSave(to: vault).saveStream(file, intent("stream"))
        #expect(streamed.entry.content == saved.entry.content)
        #expect(streamed.newBytes == 0)
    }

    @Test func takesNoMemoryForASizeThatAVaultMadeUp() async throws {
        let lying = try ListingVault([["a"]])
        #expect(await eventualCode { try await ContentRead(from: lying).read(Name("a"), .current) } == .integrity)
    }
}
