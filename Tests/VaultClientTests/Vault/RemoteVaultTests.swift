import TestSupport
import Testing
import VaultModel

@testable import VaultClient

/// What takes more than one message to say.
@Suite struct RemoteVaultTests {
    @Test func aHistoryOfManyMessagesIsWhole() async throws {
        let server = try await BoundedServer { _ in }
        let vault = try await server.connect()
        let name = try Name("versions")
        // Each version has its own tags, so that some 69 fill a message.
        let tags: [TagText: TagText] = ["text": TagText(String(repeating: "x", count: 60_000))]
        for count in 1...80 {
            let intent = SaveIntent(
                name: name, kind: .link, attributes: Attributes(mode: 0o777, modified: 1), tags: tags)
            _ = try await ContentSave(to: vault).save(Array("\(count)".utf8), intent)
        }
        #expect(try await vault.history(name).map(\.version) == Array(1...80))
        await vault.close()
        await server.stop()
    }

    @Test func changesThatFillMoreThanAMessageAreMadeInSeveral() async throws {
        let server = try await BoundedServer { _ in }
        let vault = try await server.connect()
        let text = TagText(String(repeating: "x", count: 20_000))
        let changes = try (1...90).map { Change.tag(try Name("none \($0)"), ["text": text]) }
        let results = try await vault.change(changes)
        #expect(results.count == 90)
        for result in results { #expect(throws: VaultError.self) { try result.get() } }
        await vault.close()
        await server.stop()
    }
}
