import Glibc
import TestSupport
import Testing
import VaultStore

@testable import VaultModel

@Suite struct StoreGuardTests {
    /// A source with a vault, a server's data and a user's files in it.
    private func fixture() async throws -> (TreeFixture, inside: StoredVault) {
        let fixture = try await TreeFixture()
        try fixture.source.write("docs/a", Array("precious".utf8))
        try fixture.source.write("data/share/note", [1])
        let inside = try await StoredVault.open(fixture.source.root.appending("data/share/vault"), access: .create)
        for name in ["server.sqlite", "lock", "certificate.pem", "key.pem"] {
            try fixture.source.write("srv/\(name)", [2])
        }
        // What only looks alike is somebody's files.
        for name in ["server.sqlite", "key.pem"] { try fixture.source.write("mine/\(name)", [2]) }
        try fixture.source.write("packs/catalog.sqlite.txt", [3])
        return (fixture, inside)
    }

    private let kept = ["data/share/note", "docs/a", "mine/key.pem", "mine/server.sqlite", "packs/catalog.sqlite.txt"]

    @Test func aPushLeavesVaultsAndServersOutWithALine() async throws {
        let (fixture, inside) = try await fixture()
        let log = EventLog()
        for vault in [fixture.vault, inside as any Vault] {
            let report = try await fixture.push(to: vault) {
                $0.deletes = true
            } onEvent: {
                log($0)
            }
            #expect((report.saved, report.skipped, report.failed.count) == (kept.count, 2, 0))
            let names = try await vault.list(ListQuery()).entries.map { String($0.name.text.dropFirst(2)) }
            #expect(names == kept)
        }
        #expect(Set(log.all.filter { $0.hasPrefix("skipped") }) == ["skipped srv", "skipped vault"])
        var walked = 0
        var walk = try TreeWalk(fixture.source.root)
        while let item = walk.next() { if case .entry = item { walked += 1 } }
        #expect(walked == kept.count)
        await inside.close()
    }

    @Test func aPullNeitherWritesToThemNorRemovesThem() async throws {
        let (fixture, inside) = try await fixture()
        // An old push has taken the vault's files along.
        for name in [
            "data/share/vault/catalog.sqlite", "data/share/vault/packs/00/x.pack", "srv/server.sqlite", "docs/a",
        ] {
            let intent = SaveIntent(name: try Name("p/" + name), attributes: Attributes(mode: 0o600, modified: 1))
            _ = try await inside.save([SmallSave(intent: intent, chunk: nil)])[0].get()
        }
        let before = try fixture.source.nodes()
        let log = EventLog()
        let report = try await fixture.pull(from: inside, to: fixture.source.root) {
            $0.deletes = true
        } onEvent: {
            log($0)
        }
        #expect((report.saved, report.skipped, report.failed.count) == (1, 2, 0))
        #expect(Set(log.all.filter { $0.hasPrefix("skipped") }) == ["skipped srv", "skipped vault"])
        let after = try fixture.source.nodes()
        for (path, node) in before where path.starts(with: "srv/".utf8) { #expect(after[path] == node) }
        #expect(after[Array("data/share/vault/catalog.sqlite".utf8)]?.bytes.isEmpty == false)
        #expect(!fixture.source.exists("data/share/vault/packs/00/x.pack"))
        #expect(!fixture.source.exists("mine") && fixture.source.exists("docs/a"))
        #expect(try await inside.stat(Name("p/docs/a"), .current) != nil)
        await inside.close()
    }

    @Test func knowsStoresByAllTheirFiles() throws {
        let place = try TemporaryDirectory()
        let tree = try LocalTree(place.path)
        func kind(_ files: [String]) throws -> String? {
            let top = "\(UniqueID())"
            for file in files { try tree.write("\(top)/\(file)", [1]) }
            let directory = try TreeDirectory(root: tree.root.appending(top))
            let kind = try StoreGuard().kind(of: directory)
            let listed = try StoreGuard().kind(of: directory, holding: DirectoryListing(directory.open()).children)
            #expect(kind == listed)
            return kind.map { "\($0)" }
        }
        // A server whose vaults are in engines, and a vault that has lost its catalog.
        #expect(try kind(["shared/certificate.pem", "shared/key.pem", "workers/1/x"]) == "a server")
        #expect(try kind(["shared/certificate.pem", "shared/key.pem", "cache/x"]) == "a server")
        #expect(try kind(["packs/00/x.pack", "lock", "reserve"]) == "a vault")
        let id = "0123456789abcdef0123456789abcdef"
        #expect(try kind(["packs/01/\(id).pack"]) == "a vault")
        #expect(try kind(["vaults/\(id)/packs/01/x", "key.pem"]) == "a server")
        // Somebody's projects.
        #expect(try kind(["vaults/\(id)", "key.pem"]) == nil && kind(["packs/01/pack-\(id).pack"]) == nil)
        #expect(try kind(["certificate.pem", "key.pem", "cache/x", "workers/x"]) == nil)
        #expect(try kind(["packs/1", "lock"]) == nil && kind(["shared/key.pem", "cache/x"]) == nil)
    }

    @Test func packsOnADiskOfTheirOwnAreTheVaultsToo() async throws {
        let fixture = try await TreeFixture()
        try fixture.source.write("a", [1])
        let (packs, moved) = (fixture.directory("vault/packs"), fixture.source.root.appending("moved"))
        _ = packs.withCString { old in moved.withCString { rename(old, $0) } }
        _ = moved.withCString { target in packs.withCString { symlink(target, $0) } }
        let log = EventLog()
        for _ in 0..<2 {
            try await fixture.push {
                $0.deletes = true
            } onEvent: {
                log($0)
            }
        }
        #expect(try await fixture.vault.list(ListQuery()).entries.map(\.name.text) == ["p/a"])
        #expect(log.all.filter { $0.hasPrefix("skipped") } == ["skipped moved", "skipped moved"])
        try await fixture.pull(to: fixture.source.root) { $0.deletes = true }
        #expect(try fixture.source.paths().contains { $0.hasSuffix(".pack") })
    }

    @Test func noFileOfAVaultIsSavedInIt() async throws {
        let fixture = try await TreeFixture()
        let catalog = fixture.directory("vault/catalog.sqlite")
        let code = await eventualCode { try await FileSave(to: fixture.vault).save(catalog, as: Name("c")) }
        #expect(code == .invalid)
    }

    @Test func hooksWorkBesideAServersFiles() async throws {
        let (fixture, inside) = try await fixture()
        try fixture.source.write("srv/workers/1/event/file", [1])
        let root = fixture.source.root
        #expect(await eventualCode { try StoreGuard().check(root.appending("srv/workers/1/event")) } == nil)
        #expect(await eventualCode { try StoreGuard().check(root.appending("srv/other")) } == .invalid)
        await inside.close()
    }

    @Test func noTreeIsInAVault() async throws {
        let (fixture, inside) = try await fixture()
        let packs = fixture.source.root.appending("data/share/vault/packs")
        var options = TreeOptions()
        options.deletes = true
        for root in [packs.parent, packs, packs.appending("new/below")] {
            #expect(await eventualCode { _ = try await Pull(from: inside, options: options).run(.all, root) } != nil)
            _ = try await fixture.vault.save([
                SmallSave(
                    intent: SaveIntent(name: Name("p/x"), attributes: Attributes(mode: 0o600, modified: 1)), chunk: nil)
            ])
            #expect(await eventualCode { _ = try await fixture.pull(to: root) } == .invalid)
        }
        for root in [packs.parent, packs] {
            #expect(await eventualCode { _ = try await Push(to: inside, options: options).run(root, .all) } == .invalid)
            #expect(code { try TreeWalk(root) } == .invalid)
            #expect(code { try Compare(inside, root, .all, options) } == .invalid)
        }
        let file = packs.parent.appending("catalog.sqlite")
        let size = try FileStatus(of: file).size
        #expect(
            await eventualCode { _ = try await FileRead(from: fixture.vault).read(Name("p/x"), to: file) } == .invalid)
        #expect(try FileStatus(of: file).size == size)
        await inside.close()
    }

    @Test func theVaultInUseIsKnownWhateverIsLeftOfIt() async throws {
        let (fixture, inside) = try await fixture()
        let directory = try TreeDirectory(root: fixture.source.root.appending("data/share/vault"))
        #expect(StoreGuard([inside]).kind(of: directory, holding: []) == .vault)
        #expect(StoreGuard([RecordingVault(inside)]).kind(of: directory, holding: []) == .vault)
        #expect(StoreGuard([fixture.vault]).kind(of: directory, holding: []) == nil)
        await inside.close()
    }
}
