import Foundation
import LuaEngine
import Testing
import VaultModel
import VaultStore

@testable import VaultLua

@Suite struct ScriptRunnerTests {
    private func run(_ text: String, arguments: [String] = [], vault: String = "vault") async throws -> ScriptFailure? {
        let directory = TemporaryDirectory()
        let file = directory.path + "/script.lua"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let path = LocalPath(directory.path + "/" + vault)
        let runner = ScriptRunner(
            ScriptSession.Host(
                open: { () async throws(VaultError) in try await StoredVault.open(path, access: .create) },
                connect: { (url) async throws(VaultError) in try await StoredVault.open(LocalPath(url)) },
                log: { _, _ in }, tell: { _ in }), stop: ScriptStop())
        let failure = await runner.run(
            ScriptRunner.Script(
                file: Array(file.utf8), arguments: arguments.map { Array($0.utf8) },
                commandLine: (["minivault", "run", file] + arguments).map { Array($0.utf8) }, position: 2))
        withExtendedLifetime(directory) {}
        return failure
    }

    @Test func givesScriptsTheirArguments() async throws {
        let failure = try await run(
            """
            #!/usr/bin/env -S minivault run
            assert(... == "one" and select("#", ...) == 2 and arg[2] == "two" and #arg == 2)
            assert(arg[0]:find "script%.lua$" and arg[-1] == "run" and arg[-2] == "minivault" and arg[-3] == nil)
            vault.put("f", "x")
            """, arguments: ["one", "two"])
        #expect(failure == nil, "\(failure?.text ?? "")")
    }

    @Test func tellsHowAScriptFailed() async throws {
        let error = try await run("local function f() error 'lost' end\nf()")
        #expect(error?.text?.contains("script.lua:1: lost\nstack traceback:") == true)
        #expect(error?.code == nil)
        let syntax = try await run("local = 1")
        #expect(syntax?.text?.contains("script.lua:1: <name> expected near '='") == true)
        let object = try await run("vault.get 'none'")
        #expect(object?.code == .notFound)
        #expect(object?.text?.hasPrefix("The vault holds nothing under 'none'.\nstack traceback:") == true)
        let value = try await run("error {}")
        #expect(value?.text?.hasPrefix("(error object is a table value)") == true)
        let unopenable = try await run("vault.list():count()", vault: "script.lua/vault")
        #expect(unopenable?.code == .notFound || unopenable?.code == .invalid || unopenable?.code == .internal)
    }

    @Test func opensNoVaultForAScriptThatNeedsNone() async throws {
        let failure = try await run("assert(vault.version and vault.json.encode {})", vault: "script.lua/vault")
        #expect(failure == nil)
    }
}
