import Foundation
import Glibc
import TestSupport
import Testing
import VaultModel

/// The commands on a server's users, with the built program.
@Suite struct UserCommandTests {
    private let sandbox: Sandbox

    init() throws {
        sandbox = try Sandbox()
        try sandbox.write("password", "correct horse\nsecond line\n")
        chmod(sandbox.path + "/password", 0o600)
    }

    private func add(_ name: Word) async throws {
        try await sandbox.succeed("user", "add", name, "--data", "data", "--password-file", "password")
    }

    @Test func addsListsAndRemovesUsers() async throws {
        let added = try await sandbox.succeed(
            "user", "add", "anna", "--quota", "10M", "--data", "data", "--password-file", "password")
        #expect(added.output == "" && added.errors.contains("minivault login minivault://anna@HOST"))
        #expect(!added.errors.contains("chmod"))
        let again = try await sandbox.run("user", "add", "anna", "--data", "data", "--password-file", "password")
        #expect(again.status == 1 && again.errors.contains("user passwd"))
        try await add("bert")
        #expect(
            try await sandbox.succeed("user", "list", "--data", "data").lines
                == ["anna", "  vault anna: read,save,remove", "bert", "  vault bert: read,save,remove"])
        let objects = try await sandbox.succeed("user", "list", "--json", "--data", "data").objects
        #expect(objects.count == 2)
        let removed = try await sandbox.succeed("user", "remove", "anna", "--data", "data")
        #expect(removed.errors.contains("The vault 'anna' stays"))
        try await sandbox.succeed("user", "remove", "bert", "--with-vault", "--data", "data")
        let vaults = try await sandbox.succeed("user", "vaults", "--data", "data").lines
        #expect(vaults.count == 1 && vaults[0].hasPrefix("anna\tdata/vaults/"))
        let returned = try await sandbox.succeed(
            "user", "add", "anna", "--data", "data", "--password-file", "password")
        #expect(returned.errors.contains("was there already"))
        try await sandbox.succeed("user", "remove-vault", "anna", "--data", "data")
        #expect(try FileManager.default.contentsOfDirectory(atPath: sandbox.path + "/data/vaults").isEmpty)
        #expect(try await sandbox.run("user", "remove", "carl", "--data", "data").status == 3)
    }

    @Test func grantsRevokesAndSetsQuotas() async throws {
        try await add("anna")
        try await sandbox.succeed("user", "add-vault", "team", "--quota", "1G", "--data", "data")
        try await sandbox.succeed("user", "grant", "anna", "team", "read,append", "--prefix", "in/", "--data", "data")
        try await sandbox.succeed("user", "grant", "anna", "team", "read", "--data", "data")
        #expect(
            try await sandbox.succeed("user", "list", "--data", "data").lines
                == [
                    "anna", "  vault anna: read,save,remove", "  vault team: read",
                    "  vault team: read,append below 'in'",
                ])
        try await sandbox.succeed("user", "revoke", "anna", "team", "--prefix", "in", "--data", "data")
        #expect(try await sandbox.run("user", "revoke", "anna", "team", "--prefix", "in", "--data", "data").status == 3)
        try await sandbox.succeed("user", "revoke", "anna", "team", "--data", "data")
        #expect(try await sandbox.run("user", "grant", "anna", "team", "write", "--data", "data").status == 1)
        #expect(try await sandbox.run("user", "grant", "anna", "none", "read", "--data", "data").status == 3)
        let quota = try await sandbox.succeed("user", "quota", "team", "2.5K", "--data", "data")
        #expect(quota.errors.contains("2.5 KiB"))
        try await sandbox.succeed("user", "quota", "team", "none", "--data", "data")
        #expect(try await sandbox.run("user", "quota", "team", "much", "--data", "data").status == 2)
        let audit = try await sandbox.succeed("audit", "--json", "--data", "data").objects
        #expect(
            audit.compactMap { $0["event"] as? String } == [
                "user_added", "vault_added", "granted", "granted", "revoked", "revoked", "quota_set", "quota_set",
            ])
        #expect(try await sandbox.succeed("audit", "--user", "anna", "--limit", "2", "--data", "data").lines.count == 2)
        #expect(try await sandbox.succeed("user", "keys", "anna", "--data", "data").output == "")
        #expect(try await sandbox.run("user", "forget-key", "anna", "SHA256:x", "--data", "data").status == 3)
    }

    @Test func aMistypedDirectoryIsNotMade() async throws {
        let commands: [[Word]] = [
            ["user", "list"], ["user", "passwd", "anna"], ["user", "remove", "anna"], ["user", "vaults"], ["audit"],
            ["user", "grant", "anna", "anna", "read"], ["user", "quota", "anna", "1G"],
        ]
        for words in commands {
            let outcome = try await sandbox.start(words + ["--data", "typo"]).end()
            #expect(outcome.status == 3 && outcome.errors.contains("'typo' has no server's data"), "\(outcome.errors)")
        }
        #expect(!sandbox.exists("typo"))
    }

    @Test(arguments: ["postgres://anna:hunter22@db/minivault", "host=db password=hunter22"])
    func aPasswordInTheCatalogsLocationIsRefusedAndNotRepeated(_ location: String) async throws {
        let commands: [[Word]] = [
            ["serve"], ["user", "add", "anna"], ["user", "list"], ["user", "vaults"], ["audit"], ["hook", "failed"],
            ["migrate", "vault", "engines:anna"],
        ]
        for words in commands {
            let outcome = try await sandbox.start(
                words + ["--data", "data", "--catalog", Word(location), "--packs", "s3://bucket/prefix"]
            ).end()
            #expect(outcome.status == 2 && outcome.errors.contains("PGPASSFILE"), "\(words): \(outcome.errors)")
            #expect(!outcome.errors.contains("hunter22") && !outcome.output.contains("hunter22"))
        }
        #expect(!sandbox.exists("data"))
    }

    @Test func passwordsComeFromAFileOrTheEnvironmentAndAreNotShort() async throws {
        let short = try await sandbox.run(
            "user", "add", "anna", "--data", "data", environment: ["MINIVAULT_PASSWORD": "1234567"])
        #expect(short.status == 1 && short.errors.contains("8 bytes at least") && !short.errors.contains("1234567"))
        try await sandbox.succeed(
            "user", "add", "anna", "--data", "data", environment: ["MINIVAULT_PASSWORD": "12345678"])
        chmod(sandbox.path + "/password", 0o644)
        let open = try await sandbox.succeed("user", "passwd", "anna", "--data", "data", "--password-file", "password")
        #expect(open.errors.contains("chmod 600"))
        #expect(
            try await sandbox.run("user", "passwd", "bert", "--data", "data", "--password-file", "password").status == 3
        )
        let nobody = try await sandbox.shell("setsid -w '\(Sandbox.program)' user passwd anna --data data </dev/null")
        #expect(nobody.status == 4 && nobody.errors.contains("--password-file"))
    }

    @Test func aTerminalIsAskedTwiceWithoutEcho() async throws {
        let terminal = try Terminal()
        let program = try terminal.run(sandbox, "user", "add", "anna", "--data", "data")
        try await terminal.wait(for: "New password of anna: ")
        #expect(!terminal.echoes)
        // Stopping here would leave the shell without echo.
        terminal.type("correct\u{1A} horse\n")
        try await terminal.wait(for: "The same again: ")
        terminal.type("correct\u{1A} horse\n")
        let outcome = try await program.end()
        #expect(outcome.status == 1 && terminal.echoes)
        #expect(!terminal.text.contains("horse"))

        let second = try terminal.run(sandbox, "user", "add", "anna", "--data", "data")
        try await terminal.wait(for: "New password of anna: ")
        terminal.type("correct horse\n")
        try await terminal.wait(for: "The same again: ")
        terminal.type("correct horse\n")
        #expect(try await second.end().status == 0)
        #expect(terminal.echoes && !terminal.text.contains("horse"))

        let differing = try terminal.run(sandbox, "user", "passwd", "anna", "--data", "data")
        try await terminal.wait(for: "New password of anna: ")
        terminal.type("correct horse\n")
        try await terminal.wait(for: "The same again: ")
        terminal.type("battery staple\n")
        #expect(try await differing.end().status == 1)
        #expect(terminal.text.contains("differ"))
    }

    @Test func anInterruptedPromptGivesTheEchoBack() async throws {
        let terminal = try Terminal()
        let program = try terminal.run(sandbox, "user", "add", "anna", "--data", "data")
        try await terminal.wait(for: "New password of anna: ")
        #expect(!terminal.echoes)
        terminal.type("secret\u{3}")
        #expect(try await program.end().status == 130)
        #expect(terminal.echoes && !terminal.text.contains("secret"))
        #expect(try await sandbox.succeed("user", "list", "--data", "data").output == "")
    }

    @Test func aRemovedVaultEndsTheSessionsThatAreOpen() async throws {
        let data = LocalPath(sandbox.path + "/data")
        let key = try await TestLogin.addUser("anna", in: data)
        let server = try await ServerProcess.start(data: data, users: ["anna": key])
        defer { server.kill() }
        let vault: any Vault = try await server.connect(as: "anna")
        _ = try await vault.stat(Name("a"), .current)
        try await sandbox.succeed("user", "remove-vault", "anna", "--data", "data")
        let deadline = ContinuousClock.now + .seconds(120)
        var found: VaultError.Code?
        while found == nil, ContinuousClock.now < deadline {
            found = await eventualCode { try await vault.stat(Name("a"), .current) }
        }
        #expect(found == .denied)
        await vault.close()
    }

    @Test func aKilledAdditionIsWholeOrNothing() async throws {
        func directories() -> Int {
            ((try? FileManager.default.contentsOfDirectory(atPath: sandbox.path + "/data/vaults")) ?? []).count
        }
        for number in 0..<12 {
            let before = directories()
            let program = try sandbox.start(
                ["user", "add", Word("u\(number)"), "--data", "data", "--password-file", "password"])
            try await program.wait { directories() > before }
            usleep(UInt32(number) * 1000)
            program.send(SIGKILL)
            _ = try await program.end()
        }
        try await add("last")
        let users = try await sandbox.succeed("user", "list", "--json", "--data", "data").objects
        let vaults = try await sandbox.succeed("user", "vaults", "--data", "data").lines
        #expect(users.count == vaults.count && vaults.count == directories())
        for vault in vaults {
            let path = vault.split(separator: "\t")[1]
            #expect(try await sandbox.succeed("list", "--vault", Word(String(path))).output == "")
        }
    }
}
