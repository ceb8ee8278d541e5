import Foundation
import Testing

/// No vault comes to be by mistake.
@Suite struct InitTests {
    private let nobody: [String: String?] = ["MINIVAULT_VAULT": nil]

    @Test func onlyTheVaultThatNobodyNamesIsMadeByItself() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", "f")
        let first = try await sandbox.succeed("save", "f", environment: nobody)
        #expect(first.errors == "minivault: made the vault in '\(sandbox.path)/home/data/minivault/default'.\n")
        #expect(try await sandbox.succeed("list", environment: nobody).errors == "")
        let quiet = try await sandbox.succeed(
            "list", "--quiet", environment: ["MINIVAULT_VAULT": nil, "XDG_DATA_HOME": sandbox.path + "/other"])
        #expect(quiet.errors == "" && sandbox.exists("other/minivault/default/catalog.sqlite"))
    }

    @Test func aMistypedOrUnmountedPathIsNoVault() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("t/f", "f")
        // An empty directory is what is left of a disk that is not mounted.
        try sandbox.makeDirectory(Array("mount".utf8))
        for path in ["mount", "mistyped"] {
            let commands: [[Word]] = [
                ["save", "t/f"], ["push", "t"], ["list"], ["read", "f", "-"], ["pull", "t", "out"], ["stat", "f"],
                ["history", "f"], ["remove", "f"], ["rename", "f", "g"], ["copy", "f", "g"], ["revert", "f", "1"],
                ["tag", "f", "k=v"], ["compare", "t"], ["keep", "--last", "1"], ["gc"], ["verify"],
                ["verify", "--repair"], ["status"],
            ]
            for words in commands {
                let outcome = try await sandbox.start(words + ["--vault", Word(path)]).end()
                let line = words.map { String(decoding: $0.bytes, as: UTF8.self) }
                #expect(outcome.status == 3 && outcome.errors.contains("minivault init"), "\(line): \(outcome.errors)")
            }
            let script = """
                local function code(f, ...) local ok, e = pcall(f, ...) return ok or e.code end
                print(code(vault.put, "f", "x"), code(vault.connect, arg[1]))
                vault.init(arg[2])
                local other = vault.connect(arg[2])
                other:put("f", "x")
                print(code(vault.replicate, vault, other, ""), code(vault.init, arg[2]), other:list():count())
                """
            let outcome = try await sandbox.script(
                script, Word(path), Word("made by \(path)"), environment: ["MINIVAULT_VAULT": sandbox.path + "/" + path]
            )
            #expect(outcome.output == "not_found\tnot_found\nnot_found\texists\t1\n", "\(outcome.errors)")
            #expect(try await sandbox.shell("ls -A \(path) 2>/dev/null").output == "")
        }
    }

    @Test func makesAVaultOnce() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", "f")
        try sandbox.write("full/x", "mine")
        let made = try await sandbox.succeed("init", "deep/below/v")
        #expect(made.errors == "minivault: made the vault in 'deep/below/v'.\n" && made.output == "")
        try await sandbox.succeed("save", "f", "--vault", "deep/below/v")
        let again = try await sandbox.run("init", "deep/below/v")
        #expect(again.status == 1 && again.errors.contains("already"))
        #expect(try await sandbox.succeed("list", "--vault", "deep/below/v").output == "f\n")
        #expect(try await sandbox.run("init", "full").status == 1)
        #expect(try await sandbox.shell("ls -A full").output == "x\n")
        #expect(try await sandbox.run("init", "minivault://anna@localhost").errors.contains("user add"))
        #expect(try await sandbox.run("init", "a", "--vault", "b").status == 2)
        #expect(try await sandbox.succeed("init", "--quiet", "--vault", "b").errors == "")
        #expect(try await sandbox.succeed("init", environment: nobody).errors.contains("minivault/default"))
        #expect(try await sandbox.run("init", environment: nobody).status == 1)
    }
}
