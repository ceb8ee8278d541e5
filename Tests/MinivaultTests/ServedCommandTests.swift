import Foundation
import TestSupport
import Testing
import VaultModel

/// The commands and a script of the examples, against a vault on a server, unchanged.
@Suite struct ServedCommandTests {
    @Test func everyCommandWorksOnAVaultOnAServer() async throws {
        let sandbox = try Sandbox()
        let server = try await sandbox.serve()
        defer { server.kill() }
        let input = randomBytes(3_000_000, seed: 5)
        try sandbox.write("tree/a/b", "content")
        try sandbox.write("tree/link target", "x")
        let streamed = try await sandbox.succeed("save", "-", "--as", "stream", input: input)
        #expect(streamed.lines.count == 1)
        #expect(try await sandbox.succeed("read", "stream", "-").outputBytes == input)
        let saved = try await sandbox.succeed("save", "tree/a/b", "--as", "in/", "--tag", "k=v", "--json")
        #expect(saved.objects.first?["name"] as? String == "in/b")
        try await sandbox.succeed("push", "tree")
        try await sandbox.succeed("pull", "tree", "back")
        #expect(sandbox.read("back/a/b") == Array("content".utf8))
        #expect(try await sandbox.succeed("list", "tree").lines == ["tree/a/b", "tree/link target"])
        #expect(try await sandbox.succeed("stat", "in/b").output.contains("k=v"))
        try await sandbox.succeed("rename", "in/b", "in/c")
        try await sandbox.succeed("copy", "in/c", "in/d")
        try await sandbox.succeed("remove", "in/d")
        try await sandbox.succeed("revert", "in/d", "1")
        #expect(try await sandbox.succeed("history", "in/d").lines.count == 3)
        #expect(try await sandbox.succeed("compare", "tree").lines == [])
        try await sandbox.succeed("keep", "--last", "1")
        try await sandbox.succeed("gc")
        try await sandbox.succeed("verify")
        #expect(try await sandbox.succeed("status").output.contains("anna"))
        #expect(try await sandbox.run("read", "none").status == 3)
        let audit = try await sandbox.succeed("audit", "--data", "data", "--user", "anna")
        #expect(audit.output.contains("login") && audit.output.contains("rename") && audit.output.contains("127.0.0.1"))
    }

    @Test func aBackupScriptRunsUnchanged() async throws {
        let sandbox = try Sandbox()
        let server = try await sandbox.serve()
        defer { server.kill() }
        let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("examples").path
        for name in ["docs/a", "docs/b.tmp", "docs/sub/c"] { try sandbox.write(name, name) }
        let report = try await sandbox.succeed("run", Word(examples + "/backup.lua"), "docs")
        #expect(report.lines[0].hasPrefix("docs: 2 saved"))
        #expect(try await sandbox.succeed("list").lines == ["docs/a", "docs/sub/c"])
    }

    @Test func programsThatAScriptStartsHaveNoConnectionOfIt() async throws {
        let sandbox = try Sandbox()
        let server = try await sandbox.serve()
        defer { server.kill() }
        let files = try await sandbox.script(
            "vault.put('f', 'x') io.write(vault.exec({'ls', '-l', '/proc/self/fd'}).stdout)")
        #expect(files.output.contains("pipe:") && !files.output.contains("socket:"), "\(files.output)")
    }

    @Test func theBandwidthIsLimited() async throws {
        let sandbox = try Sandbox()
        let server = try await sandbox.serve()
        defer { server.kill() }
        try sandbox.write("file", randomBytes(1_500_000, seed: 6))
        let clock = ContinuousClock()
        let start = clock.now
        try await sandbox.succeed("save", "file", "--bandwidth", "1M")
        #expect(clock.now - start > .seconds(1))
        #expect(try await sandbox.run("save", "file", "--bandwidth", "fast").status == 2)
    }

    @Test func errorsSayWhatToDo() async throws {
        let sandbox = try Sandbox()
        let server = try await sandbox.serve()
        let url = sandbox.vaultURL(server)
        let stranger = try await sandbox.run("list", "--vault", "minivault://bert@127.0.0.1:\(server.port)")
        #expect(stranger.status == 4 && stranger.errors.contains("minivault login"))
        let other = try await sandbox.run("list", "--vault", Word(url + "/other"))
        #expect(other.status == 4 && other.errors.contains("There is no vault 'other'"))
        server.kill()
        let gone = try await sandbox.run("list")
        #expect(gone.status == 5 && gone.errors.contains("is 'minivault serve' running there?"))
        let unknown = try await sandbox.run("login", "minivault://no-such-host.invalid", "--accept-new")
        #expect(unknown.status == 5 && unknown.errors.contains("was not found"))
    }
}

extension Sandbox {
    /// Starts a server with the user anna, and logs in to it; the environment names her vault from then on.
    func serve(options: [String] = []) async throws -> ServerProcess {
        try write("password", "correct horse\n")
        try await succeed("user", "add", "anna", "--data", "data", "--password-file", "password")
        let server = try await ServerProcess.start(
            data: LocalPath(path + "/data"), users: [:], options: options)
        try await succeed("login", Word(vaultURL(server)), "--accept-new", "--password-file", "password")
        vault.change { $0 = self.vaultURL(server) }
        return server
    }

    func vaultURL(_ server: ServerProcess) -> String { "minivault://anna@127.0.0.1:\(server.port)" }
}
