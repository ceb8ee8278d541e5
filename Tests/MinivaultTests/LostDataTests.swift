import Foundation
import TestSupport
import Testing
import VaultModel

/// Servers that have lost some of their data, with the built program.
@Suite struct LostDataTests {
    private let sandbox: Sandbox

    init() throws {
        sandbox = try Sandbox()
        try sandbox.write("f", "content")
    }

    private var data: LocalPath { LocalPath(sandbox.path + "/data") }

    private func lose(_ names: String...) throws {
        for name in names { try SmallFile.remove(data.appending(name)) }
    }

    private func loseAccounts() throws { try lose("server.sqlite", "server.sqlite-wal", "server.sqlite-shm") }

    @Test func aServerWithoutItsAccountsGoesOnWithAdoptedVaults() async throws {
        let server = try await sandbox.serve()
        try await sandbox.succeed("save", "f")
        server.kill()
        try loseAccounts()
        let commands: [[Word]] = [
            ["serve", "--listen", "127.0.0.1:0"], ["user", "list"], ["user", "add-vault", "team"], ["audit"],
            ["user", "add", "bert", "--password-file", "password"],
        ]
        for words in commands {
            let refused = try await sandbox.start(words + ["--data", "data"]).end()
            #expect(refused.status == 6 && refused.errors.contains("'data/server.sqlite' is lost"), "\(refused.errors)")
            #expect(refused.errors.contains("user adopt-vault ID NAME --data data"))
        }
        let listed = try await sandbox.succeed("user", "vaults", "--json", "--data", "data").objects
        let id = try #require(listed.first?["id"] as? String)
        #expect(listed.count == 1 && listed[0]["orphaned"] as? Bool == true && listed[0]["name"] is NSNull)
        let lines = try await sandbox.succeed("user", "vaults", "--data", "data").lines
        #expect(lines == ["(orphaned)\tdata/vaults/\(id)"])

        let other = Word("\(UniqueID())")
        #expect(try await sandbox.run("user", "adopt-vault", other, "anna", "--data", "data").status == 3)
        #expect(try await sandbox.run("user", "adopt-vault", "anna", "anna", "--data", "data").status == 2)
        #expect(!sandbox.exists("data/server.sqlite"))
        let adopted = try await sandbox.succeed("user", "adopt-vault", Word(id), "anna", "--data", "data")
        #expect(adopted.errors.contains("new ones are made") && adopted.errors.contains("user add anna"))
        #expect(try await sandbox.run("user", "adopt-vault", Word(id), "other", "--data", "data").status == 1)
        let added = try await sandbox.succeed("user", "add", "anna", "--data", "data", "--password-file", "password")
        #expect(added.errors.contains("was there already"))
        let named = try await sandbox.succeed("user", "vaults", "--json", "--data", "data").objects
        #expect(named.map { $0["name"] as? String } == ["anna"] && named[0]["orphaned"] as? Bool == false)

        let again = try await ServerProcess.start(data: data, users: [:], port: server.port)
        defer { again.kill() }
        try await sandbox.succeed("login", Word(sandbox.vaultURL(again)), "--password-file", "password")
        #expect(try await sandbox.succeed("read", "f", "-").output == "content")
    }

    @Test func aServerTellsOfVaultsThatRestoredAccountsDoNotKnow() async throws {
        let server = try await sandbox.serve()
        server.kill()
        try await sandbox.shell("mkdir copy; mv data/server.sqlite* copy/; mv data/vaults copy/; mkdir data/vaults")
        try await sandbox.succeed("user", "add", "bert", "--data", "data", "--password-file", "password")
        try await sandbox.shell("mv copy/vaults/* data/vaults/")
        let listed = try await sandbox.succeed("user", "vaults", "--data", "data")
        #expect(listed.lines.count == 2 && listed.lines.contains { $0.hasPrefix("(orphaned)\t") })
        let again = try await ServerProcess.start(data: data, users: [:])
        #expect(again.log.contains("user adopt-vault ID NAME"))
        again.kill()
    }

    @Test func aServerWithoutItsKeyMakesAnotherOneOnDemandOnly() async throws {
        let server = try await sandbox.serve()
        server.kill()
        let serve: [Word] = ["serve", "--data", "data", "--listen", "127.0.0.1:0"]
        for names in [["key.pem"], ["certificate.pem"], ["key.pem", "certificate.pem"]] {
            try await sandbox.shell("rm -rf kept; cp -a data kept; cd data; rm " + names.joined(separator: " "))
            let refused = try await sandbox.start(serve).end()
            #expect(refused.status == 6 && refused.errors.contains("--new-certificate"), "\(refused.errors)")
            for name in names {
                #expect(refused.errors.contains("'data/\(name)'") && !sandbox.exists("data/\(name)"))
            }
            try await sandbox.shell("rm -rf data; mv kept data")
        }
        let whole = try await sandbox.start(serve + ["--new-certificate"]).end()
        #expect(whole.status == 1 && whole.errors.contains("are not lost"))
        let operators: [Word] = ["--certificate", "data/certificate.pem", "--key", "data/key.pem"]
        let named = try await sandbox.start(serve + ["--new-certificate"] + operators).end()
        #expect(named.status == 2)

        try lose("certificate.pem")
        let renewed = try await ServerProcess.start(
            data: data, users: [:], port: server.port, options: ["--new-certificate"])
        #expect(try await sandbox.succeed("list").output == "")
        renewed.kill()
        let plain = try await ServerProcess.start(data: data, users: [:], port: server.port)
        #expect(try await sandbox.succeed("list").output == "")
        plain.kill()
    }

    @Test func usersBeforeTheFirstStartAreNoLoss() async throws {
        try sandbox.write("password", "correct horse\n")
        try await sandbox.succeed("user", "add", "anna", "--data", "data", "--password-file", "password")
        let server = try await ServerProcess.start(data: data, users: [:])
        server.kill()
        #expect(sandbox.exists("data/key.pem") && sandbox.exists("data/certificate.pem"))
    }
}
