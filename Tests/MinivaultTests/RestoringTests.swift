import Glibc
import TestSupport
import Testing
import VaultModel

/// Trees that come back where not everything is allowed, or where a pull was killed.
@Suite struct RestoringTests {
    @Test func contentComesFirstWhereModesTimesAndLinksAreRefused() async throws {
        let sandbox = try Sandbox()
        for name in ["a", "b", "c/d"] { try sandbox.write("t/\(name)", name) }
        try sandbox.makeDirectory(Array("t/void".utf8))
        try sandbox.write("t/large", randomBytes(2_000_000, seed: 1))
        try await sandbox.succeed("push", "t")
        let refusing = ["LD_PRELOAD": "\(try PreloadedLibrary.refusals.get())"]
        let pulled = try await sandbox.succeed("pull", "t", "out", environment: refusing)
        #expect(pulled.errors.contains("The modes or times of 5 files could not be set here"), "\(pulled.errors)")
        #expect(try await sandbox.shell("diff -r t out").output == "")
        let read = try await sandbox.succeed("read", "t/large", "alone", environment: refusing)
        #expect(read.errors.contains("of 1 file could not be set"), "\(read.errors)")
        #expect(sandbox.read("alone") == randomBytes(2_000_000, seed: 1))
        // What is there is not fetched again for it.
        let again = try await sandbox.succeed("pull", "t", "out", environment: refusing)
        #expect(again.errors.contains("0 written, 5 skipped"), "\(again.errors)")
        let script = try await sandbox.script(
            """
            vault.read("t/a", "x", {overwrite = false})
            print(pcall(vault.read, "t/b", "x", {overwrite = false}))
            print(vault.pull("t", "other", {overwrite = false}).unset)
            """, environment: refusing)
        #expect(script.lines.count == 2 && script.lines[0].hasPrefix("false") && script.lines[1] == "5", "\(script)")
        #expect(sandbox.read("x") == Array("a".utf8) && sandbox.read("other/c/d") == Array("c/d".utf8))
        #expect(try await sandbox.shell("find . -name '.minivault-*'").output == "")
    }

    @Test func aKilledPullLeavesNothingThatStaysAndGoesOnWhereItWas() async throws {
        let sandbox = try Sandbox()
        for number in 0..<40 { try sandbox.write("t/\(number)", randomBytes(50_000, seed: UInt64(number))) }
        for number in 0..<3 {
            try sandbox.write("t/large\(number)", randomBytes(30_000_000, seed: UInt64(100 + number)))
        }
        try await sandbox.succeed("push", "t")
        for round in 0..<6 {
            let pull = try sandbox.start(["pull", "t", "out", "--quiet"])
            let out = try LocalTree(LocalPath(sandbox.path + "/out"))
            try await pull.wait { (try? out.paths().count) ?? 0 > 4 + 7 * round }
            pull.send(SIGKILL)
            _ = try await pull.end()
        }
        try await sandbox.succeed("pull", "t", "out")
        #expect(try await sandbox.shell("diff -r t out").output == "")
        #expect(try await sandbox.shell("find out -name '.minivault-*'").output == "")
    }
}
