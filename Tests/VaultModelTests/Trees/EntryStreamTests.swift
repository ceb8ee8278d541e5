import TestSupport
import Testing

@testable import VaultModel

@Suite struct EntryStreamTests {
    private func list(_ pages: [[String]], _ prefix: String = "p", versions: Bool = false) async throws -> [String] {
        let query = ListQuery(prefix: try NamePrefix(prefix), includesVersions: versions)
        var stream = EntryStream(try ListingVault(pages), query)
        var names: [String] = []
        while let entry = try await stream.next() { names.append(entry.name.text) }
        return names
    }

    @Test func givesAllPages() async throws {
        #expect(try await list([["p/a", "p/b"], [], ["p/c"], []]) == ["p/a", "p/b", "p/c"])
        #expect(try await list([[]]) == [])
        #expect(try await list([["a", "b"]], "") == ["a", "b"])
        #expect(try await list([["p/a", "p/a"], ["p/a"]], versions: true).count == 3)
    }

    @Test(arguments: [
        [["q/a"]], [["p2"]], [["xy../z"]], [["p/b", "p/a"]], [["p/a", "p/a"]], [["p/b"], ["p/a"]], [["p/a"], ["p/a"]],
    ])
    func refusesWhatDoesNotBelongThere(pages: [[String]]) async {
        #expect(await eventualCode { try await list(pages) } == .integrity)
    }

    @Test func refusesVersionsThatComeAgain() async throws {
        let entries = try ListingVault([["p/a", "p/a"]])
        let page = try await entries.list(ListQuery())
        for order in [[1, 0], [0, 0]] {
            let vault = ListingVault(entries: [order.map { page.entries[$0] }])
            var stream = EntryStream(vault, ListQuery(includesVersions: true))
            _ = try await stream.next()
            let error = await #expect(throws: VaultError.self) { _ = try await stream.next() }
            #expect(error?.code == .integrity)
        }
    }

    @Test func keepsAPullInsideItsTarget() async throws {
        let directory = try TemporaryDirectory()
        let vault = try ListingVault([["p/a"], ["xy../outside"]])
        var options = TreeOptions()
        options.isDryRun = true
        let pull = Pull(from: vault, options: options)
        #expect(await eventualCode { try await pull.run(NamePrefix("p"), directory("target")) } == .integrity)
        let tree = try LocalTree(directory.path)
        #expect(try tree.paths() == [])
    }
}
