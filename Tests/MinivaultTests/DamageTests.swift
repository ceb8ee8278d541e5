import Foundation
import GRDBSQLite
import TestSupport
import Testing

@Suite struct DamageTests {
    private func filled() async throws -> Sandbox {
        let sandbox = try Sandbox()
        try sandbox.write("t/small", "small")
        try sandbox.write("t/large", randomBytes(3_000_000, seed: 1))
        try await sandbox.succeed("push", "t")
        try sandbox.write("t/small", "second")
        try await sandbox.succeed("push", "t")
        try await sandbox.succeed("copy", "t/small", "gone")
        try await sandbox.succeed("remove", "gone")
        return sandbox
    }

    private func expectWhole(_ sandbox: Sandbox) async throws {
        #expect(try await sandbox.succeed("list").lines == ["t/large", "t/small"])
        #expect(try await sandbox.succeed("read", "t/small", "-", "--version", "1").output == "small")
        #expect(try await sandbox.succeed("read", "t/small", "-").output == "second")
        #expect(try await sandbox.succeed("read", "t/large", "-").outputBytes == randomBytes(3_000_000, seed: 1))
        #expect(try await sandbox.run("stat", "gone").status == 3)
        try await sandbox.succeed("verify")
        try sandbox.write("new", "new")
        try await sandbox.succeed("save", "new")
    }

    @Test func rebuildsALostCatalog() async throws {
        let sandbox = try await filled()
        try await sandbox.shell("rm vault/catalog.sqlite*")
        for words: [Word] in [["list"], ["save", "t/small"], ["read", "t/small", "-"], ["verify"], ["gc"]] {
            let outcome = try await sandbox.start(words).end()
            #expect(outcome.status == 6 && outcome.output == "", "\(outcome.errors)")
            #expect(outcome.errors.contains("has lost its catalog: run 'minivault verify --repair' to rebuild it."))
        }
        let script = try await sandbox.script("print(pcall(vault.list):count()) ")
        #expect(script.status == 1)
        let repaired = try await sandbox.succeed("verify", "--repair")
        #expect(repaired.errors.contains("The catalog was rebuilt from"))
        try await expectWhole(sandbox)
        #expect(try await sandbox.succeed("verify", "--repair").errors.contains("rebuilt") == false)
    }

    @Test(arguments: [
        "printf garbage > vault/catalog.sqlite", "head -c 4096 /dev/urandom > vault/catalog.sqlite",
        ": > vault/catalog.sqlite", "dd if=/dev/urandom of=vault/catalog.sqlite bs=512 seek=9 count=20 conv=notrunc",
        "truncate -s 6000 vault/catalog.sqlite",
    ])
    func rebuildsADamagedCatalog(damage: String) async throws {
        let sandbox = try await filled()
        // Everything into the main file first, so that the damage is to it.
        try execute("PRAGMA wal_checkpoint(TRUNCATE)", sandbox)
        try await sandbox.shell("rm -f vault/catalog.sqlite-*; " + damage)
        let listed = try await sandbox.run("list", "--versions")
        #expect(listed.status == 6, "\(listed.status): \(listed.errors)")
        #expect(listed.errors.contains("--repair"), "\(listed.errors)")
        let repaired = try await sandbox.run("verify", "--repair")
        #expect(repaired.status == 0 && repaired.errors.contains("The catalog was rebuilt from"), "\(repaired.errors)")
        try await expectWhole(sandbox)
    }

    @Test func refusesANewerFormat() async throws {
        let sandbox = try await filled()
        try execute("UPDATE vault SET format = 99", sandbox)
        for words: [Word] in [["list"], ["save", "t/small"], ["verify"], ["verify", "--repair"], ["gc"]] {
            let outcome = try await sandbox.start(words).end()
            #expect(outcome.status == 1, "\(outcome.errors)")
            #expect(
                outcome.errors.contains("has format 99, this program knows 6: use a newer one."), "\(outcome.errors)")
        }
        try execute("UPDATE vault SET format = 6", sandbox)
        try await expectWhole(sandbox)
    }

    @Test func findsAndHealsDamagedContent() async throws {
        let sandbox = try await filled()
        let pack = try await sandbox.shell("ls vault/packs/*/*.pack").lines[0]
        try await sandbox.shell("printf XXXX | dd of=\(pack) bs=1 seek=1500000 conv=notrunc")
        let read = try await sandbox.run("read", "t/large", "copy")
        #expect(read.status == 6 && !sandbox.exists("copy"), "\(read.errors)")
        #expect(try await sandbox.run("read", "t/large", "-").status == 6)
        #expect(try await sandbox.succeed("read", "t/small", "-").output == "second")
        let verified = try await sandbox.run("verify")
        #expect(verified.status == 6 && verified.output == "damaged: version 1 of t/large\n", "\(verified.output)")
        #expect(try await sandbox.run("verify", "--repair").status == 6)
        let script = try await sandbox.script(
            "local r = vault.verify() assert(not r.clean and #r.damaged == 1 and r.damaged[1].name == 't/large') "
                + "local ok, e = pcall(vault.get, 't/large') print(e.code)")
        #expect(script.output == "integrity\n", "\(script.errors)")
        let pulled = try await sandbox.run("pull", "t", "out")
        #expect(pulled.status == 6 && sandbox.exists("out/small") && !sandbox.exists("out/large"))
        try await sandbox.succeed("save", "t/large", "--as", "again")
        #expect(try await sandbox.run("verify").status == 0)
        #expect(try await sandbox.succeed("read", "t/large", "-").outputBytes == randomBytes(3_000_000, seed: 1))
    }

    @Test func takesOnlyADirectoryOfItsOwn() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("full/x", "mine")
        try sandbox.write("f", "f")
        for words: [Word] in [["save", "f", "--vault", "full"], ["list", "--vault", "full"]] {
            #expect(try await sandbox.start(words).end().status == 1)
        }
        #expect(try await sandbox.run("verify", "--repair", "--vault", "full").status == 3)
        #expect(sandbox.read("full/x") == Array("mine".utf8))
        #expect(try await sandbox.shell("ls -A full").output == "x\n")
        #expect(try await sandbox.run("verify", "--repair", "--vault", "none").status == 3)
        #expect(!sandbox.exists("none"))
        #expect(try await sandbox.run("save", "f", "--vault", "f").status != 0)
    }

    private func execute(_ sql: String, _ sandbox: Sandbox) throws {
        var database: OpaquePointer?
        defer { sqlite3_close(database) }
        guard sqlite3_open(sandbox.path + "/vault/catalog.sqlite", &database) == SQLITE_OK,
            sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK
        else { throw SystemFailure("sqlite: \(String(cString: sqlite3_errmsg(database)))") }
    }
}
