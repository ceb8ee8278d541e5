import Foundation
import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel

/// Disks that something else, or the vault, has filled to the last block.
@Suite(.enabled(if: FullDisk.isPossible, "Only the superuser can mount a file system.")) struct FullDiskTests {
    private func sandbox() async throws -> (Sandbox, FullDisk) {
        let sandbox = try Sandbox()
        let disk = try FullDisk(at: sandbox.path + "/disk", megabytes: 60)
        sandbox.vault.change { $0 = sandbox.path + "/disk/vault" }
        try sandbox.write("t/large", randomBytes(12_000_000, seed: 1))
        try sandbox.write("t/b", "small")
        try await sandbox.succeed("push", "t")
        return (sandbox, disk)
    }

    @Test(arguments: [false, true]) func whatIsThereCanBeRead(losesSharedMemory: Bool) async throws {
        let (sandbox, disk) = try await sandbox()
        // A vault that was copied, or restored, lacks the files of SQLite's log.
        if losesSharedMemory { try await sandbox.shell("rm -f disk/vault/catalog.sqlite-*") }
        try disk.fill()
        let commands: [[Word]] = [
            ["list"], ["stat", "t/b"], ["history", "t/b"], ["read", "t/b", "out-b"], ["read", "t/large", "out-large"],
            ["pull", "t", "out"], ["verify"], ["status"], ["compare", "t", "--checksum"],
        ]
        for words in commands {
            let outcome = try await sandbox.start(words).end()
            #expect(
                outcome.status == 0, "\(words.map { String(decoding: $0.bytes, as: UTF8.self) }): \(outcome.errors)")
        }
        #expect(sandbox.read("out/large") == randomBytes(12_000_000, seed: 1))
        let script = try await sandbox.script("print(#vault.get 't/large', vault.open 't/b':read 'a')")
        #expect(script.output == "12000000\tsmall\n", "\(script.errors)")
    }

    @Test(arguments: [false, true]) func aDiskThatSomebodyElseKeepsFullLocksNobodyOut(hasSmallBlocks: Bool) async throws
    {
        let sandbox = try Sandbox()
        let path = sandbox.path + "/disk"
        let disk: FullDisk
        if hasSmallBlocks {
            // Not every machine has loop devices for its containers.
            guard let image = try? FullDisk(at: path, image: sandbox.path + "/image", megabytes: 60) else { return }
            disk = image
        } else {
            disk = try FullDisk(at: path, megabytes: 60)
        }
        sandbox.vault.change { $0 = path + "/vault" }
        for name in ["a", "b", "c", "d", "e", "f"] { try sandbox.write("t/\(name)", name) }
        try await sandbox.succeed("push", "t")
        for user in ["anna", "bert"] { _ = try await TestLogin.addUser(user, in: LocalPath(path + "/data")) }
        for name in ["a", "b", "c", "d", "e"] {
            try disk.fill()
            try await sandbox.succeed("list")
            try await sandbox.succeed("gc")
            try disk.fill()
            try await sandbox.succeed("remove", "t/\(name)")
            try await sandbox.succeed("keep", "--last", "1")
            try disk.fill()
            #expect(try await sandbox.succeed("read", "t/f", "-").output == "f")
            let data = Word(path + "/data")
            try await sandbox.succeed("user", "grant", "bert", "anna", "read", "--data", data)
            try disk.fill()
            try await sandbox.succeed("user", "revoke", "bert", "anna", "--data", data)
            try disk.fill()
            let audit = try await sandbox.succeed("audit", "--data", data).output
            #expect(audit.contains("granted") && audit.contains("revoked"), "\(audit)")
        }
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged"))
    }

    @Test func aSaveFailsAndSaysHowToMakeRoom() async throws {
        let (sandbox, disk) = try await sandbox()
        try disk.fill()
        try sandbox.write("new", randomBytes(3_000_000, seed: 2))
        let outcome = try await sandbox.run("save", "new")
        #expect(outcome.status == 7, "\(outcome.errors)")
        for word in ["remove", "keep", "gc"] {
            #expect(outcome.errors.contains("minivault \(word)"), "\(outcome.errors)")
        }
        #expect(try await sandbox.succeed("list").lines.count == 2)
    }

    @Test func removingForgettingAndCollectingMakeRoom() async throws {
        let (sandbox, disk) = try await sandbox()
        try disk.fill()
        try await sandbox.succeed("remove", "t/large")
        try await sandbox.succeed("keep", "--last", "1", "--dry-run")
        let forgotten = try await sandbox.script("vault.keep('', {within = 1})")
        #expect(forgotten.status == 0, "\(forgotten.errors)")
        try await sandbox.succeed("gc")
        #expect(try await sandbox.succeed("read", "t/b", "-").output == "small")
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged"))
        // What was asked for at once was not old enough; a second later it is.
        while try await sandbox.run("list", "--versions", "t/large").status == 0 {
            try await sandbox.succeed("keep", "--within", "1s")
        }
        try await sandbox.succeed("gc")
        try sandbox.write("new", randomBytes(3_000_000, seed: 2))
        try await sandbox.succeed("save", "new")
    }

    @Test func aServerLetsUsersInAndTheOperatorTakesRightsAway() async throws {
        let sandbox = try Sandbox()
        let disk = try FullDisk(at: sandbox.path + "/disk", megabytes: 90)
        let data = LocalPath(sandbox.path + "/disk/data")
        var users = ["anna": try await TestLogin.addUser("anna", in: data)]
        users["bert"] = try await TestLogin.addUser("bert", in: data)
        let content = randomBytes(3_000_000, seed: 1)
        let intent = SaveIntent(name: try Name("f"), attributes: Attributes(mode: 0o600, modified: 1))
        let first = try await ServerProcess.start(data: data, users: users)
        let saving = try await first.connect(as: "anna")
        _ = try await ContentSave(to: saving).save(content, intent)
        await saving.close()
        // A server that is started on a full disk has less at hand than one that has been there before.
        first.send(SIGTERM)
        #expect(first.waitForEnd() == 0)
        try disk.fill()
        let server = try await ServerProcess.start(data: data, users: users, isCounted: false)
        for _ in 0..<20 {
            let vault = try await server.connect(as: "anna")
            #expect(try await ContentRead(from: vault).read(Name("f"), .current) == content)
            await vault.close()
        }
        let directory = Word("\(data)")
        try await sandbox.succeed("user", "revoke", "bert", "bert", "--data", directory)
        try await sandbox.succeed("user", "remove", "bert", "--data", directory)
        #expect(try await sandbox.succeed("audit", "--data", directory).output.contains("user_removed"))
        let vault = try await server.connect(as: "anna")
        _ = try await vault.changing(.remove(NamePrefix(Name("f"))))
        _ = try await vault.collect()
        await vault.close()
        server.send(SIGTERM)
        #expect(server.waitForEnd() == 0)
    }
}
