import Foundation
import TestSupport
import Testing

/// Several processes on one vault at once.
@Suite struct ProcessesTests {
    /// Content that tells by itself whether it is whole.
    private static let prelude = """
        local function content(name, n)
          local line = name .. " " .. n .. "\\n"
          return line .. line:rep(n * 37 % 3000)
        end
        local function check(name, bytes)
          local n = bytes:match("^[^\\n]* (%d+)\\n")
          assert(n and bytes == content(name, tonumber(n)), "the content of " .. name .. " is not whole")
        end

        """

    private static let writer =
        prelude + """
            for n = 1, 150 do
              local name = arg[1] .. "/" .. n % 40
              vault.put(name, content(name, n))
              local shared = "shared/" .. n % 10
              vault.put(shared, content(shared, n))
              if n % 30 == 0 then
                local ok, problem
                repeat
                  local f = vault.open(arg[1] .. "/large", "w")
                  for part = 1, 60 do f:write(content(arg[1] .. "/large", n * 1000 + part)) end
                  ok, problem = pcall(f.close, f)
                  -- A collection may have removed what the vault had said it has.
                  assert(ok or problem.code == "unavailable", problem)
                until ok
              end
              if n % 50 == 0 then vault.keep(arg[1], {last = 2}) end
            end
            """

    private static let reader =
        prelude + """
            local seen = 0
            while seen < 1500 do
              for e in vault.list() do
                if e.kind == "file" and not e.name:find "large" and not e.name:find "^t/" then
                  local ok, bytes = pcall(vault.get, e.name, {version = e.version})
                  -- keep may have forgotten an earlier version meanwhile
                  if ok then check(e.name, bytes) else assert(bytes.code == "not_found", bytes) end
                end
                seen = seen + 1
              end
              seen = seen + 1
            end
            """

    @Test func writeReadAndCollectAtOnce() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("writer.lua", Self.writer)
        try sandbox.write("reader.lua", Self.reader)
        try sandbox.write("gc.lua", "for n = 1, 25 do vault.gc() end")
        for index in 0..<100 { try sandbox.write("t/\(index)", randomBytes(index * 100, seed: UInt64(index))) }
        let running = try [
            ["run", "writer.lua", "a"], ["run", "writer.lua", "b"], ["run", "reader.lua"], ["run", "gc.lua"],
            ["push", "t"],
        ].map { try sandbox.start($0) }
        for program in running {
            let outcome = try await program.end()
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged, 0 versions affected"))
        let checked = try await sandbox.script(
            Self.prelude + """
                for _, writer in ipairs {"a", "b"} do
                  for n = 111, 150 do
                    local name = writer .. "/" .. n % 40
                    assert(vault.get(name) == content(name, n), name)
                  end
                  local large = {}
                  for part = 1, 60 do large[part] = content(writer .. "/large", 150000 + part) end
                  assert(vault.get(writer .. "/large") == table.concat(large))
                end
                local count = 0
                for e in vault.list("shared") do check(e.name, vault.get(e.name)) count = count + 1 end
                assert(count == 10)
                """)
        #expect(checked.status == 0, "\(checked.errors)")
        try await sandbox.succeed("pull", "t", "out")
        #expect(try await sandbox.shell("diff -r t out").status == 0)
    }

    @Test func makeOneVaultTogether() async throws {
        let sandbox = try Sandbox()
        for index in 0..<8 { try sandbox.write("f\(index)", "content \(index)") }
        let running = try (0..<8).map { try sandbox.start(["save", Word("f\($0)")]) }
        for program in running {
            let outcome = try await program.end()
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
        #expect(try await sandbox.succeed("list").lines.count == 8)
        for index in 0..<8 { #expect(try await sandbox.succeed("read", "f\(index)", "-").output == "content \(index)") }
    }
}
