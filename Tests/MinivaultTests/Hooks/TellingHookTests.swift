import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel
import VaultServer
import VaultStore

/// Hooks in Lua that are told of what has happened.
@Suite struct TellingHookTests {
    @Test func hearOfEverythingInOrder() async throws {
        let server = try await HookServer(
            """
            local function note(event)
              vault.kv.update("heard", function(heard)
                return (heard or "") .. event.kind .. ":" .. (event.from and event.from .. ">" or "") .. event.name .. " "
              end)
              if event.kind == "remove" then vault.put("heard", vault.kv.get "heard") end
            end
            for _, kind in ipairs {"save", "remove", "rename"} do vault.on(kind, {match = "[ab]"}, note) end
            """)
        for text in ["1", "2"] { try await server.save("a", Array(text.utf8)) }
        _ = try await server.vault.changing(.rename(from: Name("a"), to: Name("b")))
        _ = try await server.vault.changing(.remove(NamePrefix("b")))
        try await server.wait(for: "save:a save:a rename:a>b remove:b ", of: "heard")
        await server.end()
    }

    @Test func hearOfReadsWhereTheyAskForThem() async throws {
        let server = try await HookServer(
            #"vault.on("read", {match = "x"}, function(event) vault.put("readers/" .. event.user, event.name) end)"#)
        try await server.save("x")
        _ = try await server.text(of: "x")
        try await server.wait(for: "x", of: "readers/anna")
        await server.end()
    }

    @Test func seeWhatWasSavedRemovedOrRenamed() async throws {
        let server = try await HookServer(
            """
            local function note(event)
              local text = ("%s %d %s %d"):format(event.entry.kind, event.size, event:read(), event.version)
              local previous = event.previous and event.previous.version or "none"
              vault.put("seen/" .. event.kind .. event.version, text .. " " .. previous)
            end
            for _, kind in ipairs {"save", "remove", "rename"} do vault.on(kind, {match = "[xy]"}, note) end
            """)
        try await server.save("x", Array("first".utf8))
        try await server.wait(for: "file 5 first 1 none", of: "seen/save1")
        try await server.save("x", Array("second".utf8))
        try await server.wait(for: "file 6 second 2 1", of: "seen/save2")
        _ = try await server.vault.changing(.rename(from: Name("x"), to: Name("y")))
        try await server.wait(for: "file 6 second 2 none", of: "seen/rename2")
        _ = try await server.vault.changing(.remove(NamePrefix("y")))
        try await server.wait(for: "file 6 second 3 none", of: "seen/remove3")
        await server.end()
    }

    @Test func areToldAgainWithTheSameIdUntilTheySucceed() async throws {
        let server = try await HookServer(
            """
            vault.on("save", {match = "x"}, function(event)
              vault.kv.incr("once", 1, event.id)
              local tries = vault.kv.incr("tries", 1)
              if event.attempt < 3 then error "not yet" end
              vault.put("done", event.attempt .. " " .. tries .. " " .. vault.kv.get "once")
            end)
            """)
        try await server.save("x")
        try await server.wait(for: "3 3 1", of: "done")
        #expect(server.log.contains("event not told") && server.log.contains("not yet"))
        await server.end()
    }

    @Test func setAsideWhatFailsForGoodAndAreToldAgainOnRequest() async throws {
        let server = try await HookServer(
            #"vault.on("save", {match = "x"}, function(event) vault.put("told/" .. event.name, event.id) end)"#)
        let sandbox = server.sandbox
        let directory = try server.server.vaultDirectory(of: "anna")
        await server.end()
        let id = UniqueID()
        let local = try await StoredVault.open(directory, access: .readWrite)
        let event = OutboxEvent(
            id: id, kind: .save, name: try Name("x"), version: 1, user: "anna", peer: "", time: 1_780_000_000, depth: 0)
        try await local.tell([event])
        let number = try #require(try await local.outbox(limit: 10).first?.number)
        try await local.settle([.failed(number, error: "it broke", traceback: "stack traceback:\n\thooks.lua:7: in f")])
        await local.close()
        try await server.killAndStart()
        let failed = try await sandbox.succeed("hook", "failed", "--data", "data")
        #expect(
            failed.output.contains("\(id)\tanna\tsave\tx") && failed.output.contains("it broke"), "\(failed.output)")
        #expect(failed.output.contains("hooks.lua:7: in f"))
        let json = try await sandbox.succeed("hook", "failed", "--data", "data", "--json").objects
        #expect(json.first?["error"] as? String == "it broke" && json.first?["vault"] as? String == "anna")
        #expect(try await server.vault.stat(Name("told/x"), .current) == nil)
        #expect(try await sandbox.run("hook", "retry", Word("\(UniqueID())"), "--data", "data").status == 3)
        #expect(try await sandbox.run("hook", "retry", "no-id", "--data", "data").status == 2)
        #expect(try await sandbox.run("hook", "failed", "--data", "data", "--vault", "none").status == 3)
        #expect(try await sandbox.succeed("hook", "retry", Word("\(id)"), "--data", "data").output.hasPrefix("1 event"))
        try await server.wait(for: "\(id)", of: "told/x")
        #expect(try await sandbox.succeed("hook", "failed", "--data", "data").output == "")
        await server.end()
    }

    @Test func tasksThatAreOutOfMemoryCostTheirEventOnly() async throws {
        let server = try await HookServer(
            """
            vault.on("save", {match = "x"}, function()
              vault.spawn(function() error "not enough memory" end):result()
            end)
            vault.on("save", {match = "y*"}, function(event) vault.sleep(0.01) vault.put("told/" .. event.name, "") end)
            """, options: ["--hook-workers", "1"])
        try await server.save("x")
        for number in 0..<5 { try await server.save("y\(number)") }
        for number in 0..<5 { try await server.wait(for: "", of: "told/y\(number)") }
        await server.end()
    }

    private static let counting = """
        vault.on("save", {match = "f*"}, function(event)
          vault.kv.incr("told", 1, event.id)
          vault.kv.incr("runs", 1)
        end)
        vault.on("save", {match = "ask"}, function() vault.put("answer/" .. vault.kv.get "told", "") end)
        """

    /// Saves files until the server or all are gone.
    ///
    /// - Returns: how many were acknowledged.
    private func saveAll(_ server: HookServer, _ names: [String]) async -> Int {
        let vault = server.vault
        return await withTaskGroup(of: Int.self) { group in
            for name in names {
                group.addTask { await server.refusal { try await server.save(name, on: vault) } == nil ? 1 : 0 }
            }
            return await group.reduce(0, +)
        }
    }

    @Test func surviveThatServersAreKilled() async throws {
        let server = try await HookServer(TellingHookTests.counting)
        var generator = SplitMix64(seed: 7)
        var done = 0
        for round in 0..<4 {
            let names = (0..<60).map { "f\(round)-\($0)" }
            async let saved = saveAll(server, names)
            let limit = Int(generator.next() % 50)
            // At a moment that depends on how far it has come, not on how fast the machine is.
            _ = try await soon {
                let count = try? await server.vault.list(ListQuery(prefix: .all, limit: 1000)).entries.count
                return count.map { $0 >= limit + done } ?? true
            }
            server.server.send(SIGKILL)
            await server.vault.close()
            _ = await saved
            try await server.killAndStart()
            done = try await server.vault.list(ListQuery(prefix: .all, limit: 1000)).entries.count
        }
        // What is there has been told of exactly once by its id, however often hooks ran.
        #expect(done > 0)
        try await server.waitForCount(done)
        await server.end()
    }

    @Test func surviveThatWorkersAreKilled() async throws {
        let server = try await HookServer(TellingHookTests.counting)
        let names = (0..<200).map { "f\($0)" }
        async let saved = saveAll(server, names)
        var killed = 0
        while killed < 12 {
            for worker in server.server.workers where kill(worker, SIGKILL) == 0 { killed += 1 }
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(await saved == names.count)
        try await server.waitForCount(names.count)
        #expect(server.log.contains("hook worker lost"))
        await server.end()
    }
}

extension HookServer {
    /// Waits until hooks have counted so many events.
    fileprivate func waitForCount(_ count: Int) async throws {
        var asked = 0
        let isThere = try await soon(within: .seconds(60)) {
            asked += 1
            try await self.save("ask", Array("\(asked)".utf8))
            return try await self.vault.stat(Name("answer/\(count)"), .current) != nil
        }
        let answers = try await vault.list(ListQuery(prefix: NamePrefix("answer"), limit: 1000)).entries.map(
            \.name.text)
        #expect(isThere, "\(count) expected, \(answers) \(log.suffix(3000))")
    }
}
