import Foundation
import Testing

/// `require "vault"` in Debian's own interpreter.
@Suite struct ModuleTests {
    /// Runs a script under `lua5.4`, which finds the module that was built with these tests.
    private func lua(
        _ sandbox: Sandbox, _ script: String, _ arguments: Word..., environment: [String: String] = [:]
    ) async throws -> Outcome {
        if !sandbox.exists("vault.so") {
            let library = URL(fileURLWithPath: Sandbox.program).deletingLastPathComponent().path + "/libvault.so"
            try FileManager.default.createSymbolicLink(atPath: sandbox.path + "/vault.so", withDestinationPath: library)
        }
        try sandbox.write("s.lua", script)
        return try await RunningProgram(
            "/usr/bin/lua5.4", ["s.lua"] + arguments,
            environment: sandbox.environment.merging(["LUA_CPATH": sandbox.path + "/?.so"]) { $1 }
                .merging(environment) { $1 }, directory: sandbox.path, input: []
        ).end()
    }

    @Test func worksAsInTheProgram() async throws {
        let sandbox = try Sandbox()
        let outcome = try await lua(
            sandbox,
            #"""
            local vault = require "vault"
            assert(_G.vault == nil and package.loaded.vault == vault)
            print(vault.version, vault.put("f", "content").size, vault.get "f", vault.stat "none")
            local file = assert(io.open("local", "w")) file:write(("x"):rep(3000000)) file:close()
            print(vault.save("local", "dir/large").size, vault.read("dir/large", "back").digest == vault.digest "back")
            for e in vault.list() do io.write(e.name, " ") end print()
            local w = vault.open("w", "w") w:write("a\n", "b\n") print(w:close().version, vault.open("w"):read "a")
            print(vault.push(".", "tree", {include = {"s.lua"}}).saved, (vault.init "other" or vault.connect "other"):put("x", "y").size)
            print(select("#", vault.timeout(5, function() return 1, nil, nil end)))
            """#)
        #expect(
            outcome.lines == [
                "0.1.0\t7\tcontent\tnil", "3000000\ttrue", "dir/large f ", "1\ta", "b", "1\t1", "3",
            ], "\(outcome.output) \(outcome.errors)")
        #expect(try await sandbox.succeed("read", "w", "-").output == "a\nb\n")
    }

    @Test func runsTasksAndBlocksInCoroutines() async throws {
        let sandbox = try Sandbox()
        let outcome = try await lua(
            sandbox,
            #"""
            local vault = require "vault"
            vault.put("f", "v")
            local order = {}
            local tasks = {}
            for n = 3, 1, -1 do
              tasks[#tasks + 1] = vault.spawn(function() vault.sleep(n / 200) order[#order + 1] = n return vault.get "f" .. n end)
            end
            print(table.concat(vault.wait_all(tasks), " "), table.concat(order, " "))
            print(table.concat(vault.map({"f", "f"}, vault.get), " "))
            -- A coroutine of the script's own holds the others up, and gets the right answer.
            print(coroutine.wrap(function() coroutine.yield(vault.get "f") end)())
            print(vault.spawn(function()
              local names = coroutine.wrap(function() for e in vault.list() do coroutine.yield(e.name) end end)
              return names(), vault.get "f"
            end):join())
            -- A script that meddles with a task's coroutine hurts nothing but that task.
            local co
            local task = vault.spawn(function() co = coroutine.running() vault.sleep(1000) return "never" end)
            vault.sleep(0.005)
            print(coroutine.resume(co, "forged")) print(coroutine.close(co)) task:cancel()
            print(select(2, task:result()))
            local cancelled = vault.spawn(vault.sleep, 1000) vault.sleep(0) cancelled:cancel()
            print(select(2, cancelled:result()).code)
            """#)
        #expect(
            outcome.lines == [
                "v3 v2 v1\t1 2 3", "v v", "v", "f\tv", "true", "true", "the task's coroutine was closed", "cancelled",
            ], "\(outcome.output) \(outcome.errors)")
    }

    @Test func raisesErrorsThatOtherCodeCatches() async throws {
        let sandbox = try Sandbox()
        let outcome = try await lua(
            sandbox,
            #"""
            local vault = require "vault"
            local ok, err = pcall(vault.get, "none") print(ok, err.code, err, "text: " .. err)
            print(select(2, pcall(vault.save)))
            print(select(2, xpcall(vault.put, function(e) return "handled " .. e.code end, "a//b", "")))
            local big = {} for n = 1, 50 do big[n] = ("x"):rep(100000) .. n end
            local objects = setmetatable({}, {__mode = "v"})
            for n = 1, 200 do
              objects[n] = vault.open("w" .. n, "w"):write(big[n % 50 + 1])
              local l = vault.list() l() pcall(vault.read, "none", "x")
            end
            collectgarbage() collectgarbage()
            local left = 0 for _ in pairs(objects) do left = left + 1 end
            print(left, vault.list():count())
            print(select(2, pcall(vault.put, "file", 5)).size, vault.stat("file").size)
            """#)
        #expect(
            outcome.lines == [
                "false\tnot_found\tThe vault holds nothing under 'none'.\ttext: The vault holds nothing under 'none'.",
                "bad argument #1 to 'vault.save' (string expected, got no value)", "handled invalid", "0\t0", "1\t1",
            ], "\(outcome.output) \(outcome.errors)")
    }

    @Test(arguments: ["", "exit", "close", "error"]) func endsWellHoweverTheScriptDoes(ending: String) async throws {
        let sandbox = try Sandbox()
        let outcome = try await lua(
            sandbox,
            #"""
            local vault = require "vault"
            vault.put("f", "x")
            kept = {vault.open "f", vault.list(), vault.open("w", "w"):write(("y"):rep(3000000)), vault.init "other" or vault.connect "other"}
            kept[4]:put("x", "y")
            vault.spawn(function() vault.sleep(1000) end)
            vault.spawn(error, "lost", 0)
            for n = 1, 100 do vault.spawn(function() for e in vault.list() do vault.get(e.name) end end) end
            vault.sleep(0.01)
            package.loaded.vault = nil
            assert(require "vault" == vault)
            setmetatable({}, {__gc = function() pcall(vault.get, "f") kept = nil end})
            if ... == "exit" then os.exit(3) elseif ... == "close" then os.exit(3, true) elseif ... == "error" then error "own" end
            """#, Word(ending))
        #expect(outcome.status == (ending == "error" ? 1 : ending == "" ? 0 : 3), "\(outcome.errors)")
        if ending != "exit" {
            #expect(outcome.errors.contains("minivault: task 2: lost"), "\(outcome.errors)")
            #expect(outcome.errors.contains(" had not ended when the script did; vault.wait_all waits for them."))
        }
        #expect(try await sandbox.succeed("list").output == "f\n")
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged"))
    }

    /// A second copy of Lua in the process would be a trap for every value that crosses over.
    @Test func usesTheLuaOfTheProgramThatLoadsIt() async throws {
        let sandbox = try Sandbox()
        let outcome = try await lua(
            sandbox,
            #"""
            require "vault"
            for line in io.lines "/proc/self/maps" do assert(not line:find "liblua", line) end
            print "one"
            """#)
        #expect(outcome.output == "one\n", "\(outcome.errors)")
    }
}
