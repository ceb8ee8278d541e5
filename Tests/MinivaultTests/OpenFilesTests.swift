import Foundation
import Testing

/// Trees that are deeper and wider than a process may have files open.
@Suite struct OpenFilesTests {
    /// Runs a shell command under a limit that cannot be raised.
    private func limited(_ sandbox: Sandbox, to count: Int, _ command: String) async throws -> Outcome {
        try await sandbox.shell("ulimit -n \(count); \(command)")
    }

    private var program: String { "'\(Sandbox.program)'" }

    @Test func aTreeMayBeAsDeepAsANameCanBe() async throws {
        let sandbox = try Sandbox()
        try sandbox.makeVault()
        // Names count bytes: 4,096 in all.
        let deep = String(repeating: "d/", count: 1900)
        #expect(try await sandbox.shell("mkdir -p \(deep) && echo x > \(deep)f && mkdir t && mv d t").status == 0)
        let outcome = try await limited(
            sandbox, to: 200, "\(program) push t && \(program) push t && \(program) compare t && \(program) pull t out")
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("1 saved, 0 skipped") && outcome.errors.contains("1 written"))
        #expect(try await sandbox.shell("cat out/\(deep)f").output == "x\n")
        #expect(try await limited(sandbox, to: 200, "\(program) pull t out --delete").status == 0)
    }

    @Test func manyTreesArePushedSideBySide() async throws {
        let sandbox = try Sandbox()
        for number in 0..<700 { try sandbox.write("wide/\(number)/f", "\(number)") }
        let script = try sandbox.write(
            "s.lua",
            """
            local tasks = {}
            for n = 1, 4 do
              vault.init("v" .. n)
              local v = vault.connect("v" .. n)
              tasks[n] = vault.spawn(function() return v:push("wide", "w", {concurrency = 64}).saved end)
            end
            for n, task in ipairs(tasks) do print(task:join()) end
            local pulls = vault.map({1, 2, 3, 4}, function(n) return vault.connect("v" .. n):pull("w", "out" .. n).saved end)
            print(table.concat(pulls, " "))
            """)
        let outcome = try await limited(sandbox, to: 256, "\(program) run '\(script)'")
        #expect(outcome.output == "700\n700\n700\n700\n700 700 700 700\n", "\(outcome.errors)")
    }

    @Test func programsThatAScriptStartsHaveTheLimitThatItBeganWith() async throws {
        let sandbox = try Sandbox()
        let script = try sandbox.write("s.lua", "print(vault.exec({'bash', '-c', 'sleep 0.05; ulimit -n'}).stdout)")
        let outcome = try await sandbox.shell("ulimit -S -n 300; \(program) run '\(script)'")
        #expect(outcome.output == "300\n\n", "\(outcome.errors)")
    }
}
