import TestSupport
import Testing
import VaultModel

/// The program's login at the program's server.
@Suite struct LoginTests {
    @Test func logsInOnceAndRefusesAServerWhoseKeyChanged() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("password", "correct horse\n")
        try sandbox.write("file", "content")
        let data = LocalPath(sandbox.path + "/data")
        try await sandbox.succeed("user", "add", "anna", "--data", "data", "--password-file", "password")
        let server = try await ServerProcess.start(data: data, users: [:])
        let url = Word("minivault://anna@127.0.0.1:\(server.port)")

        let unknown = try await sandbox.run("login", url, "--password-file", "password")
        #expect(unknown.status == 4 && unknown.errors.contains("--accept-new"))
        let early = try await sandbox.run("save", "file", "--vault", url)
        #expect(early.status == 4 && early.errors.contains("minivault login"))
        let wrong = try await sandbox.run("login", url, "--accept-new", environment: ["MINIVAULT_PASSWORD": "wrong"])
        #expect(wrong.status == 4)
        try await sandbox.succeed("login", url, "--accept-new", "--password-file", "password")
        try await sandbox.succeed("save", "file", "--vault", url)

        server.kill()
        for name in ["certificate.pem", "key.pem"] { #expect(try SmallFile.remove(data.appending(name))) }
        let changed = try await ServerProcess.start(
            data: data, users: [:], port: server.port, options: ["--new-certificate"])
        let listed = try await sandbox.run("list", "--vault", url)
        #expect(listed.status == 4 && listed.errors.contains("has changed") && listed.errors.contains("--forget"))
        let again = try await sandbox.run("login", url, "--accept-new", "--password-file", "password")
        #expect(again.status == 4 && again.errors.contains("has changed"))

        try await sandbox.succeed("login", url, "--forget")
        // The device's key is still the user's: nobody needs to type the password.
        try await sandbox.succeed("login", url, "--accept-new")
        #expect(try await sandbox.succeed("list", "--vault", url).lines == ["file"])
        changed.kill()
    }
}
