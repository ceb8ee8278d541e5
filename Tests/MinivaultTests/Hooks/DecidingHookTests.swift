import TestSupport
import Testing
import VaultClient
import VaultModel

/// Hooks in Lua that decide on what users ask for.
@Suite struct DecidingHookTests {
    @Test func readContentOfAnySizeInEveryWay() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "ways/*"}, function(event)
              local whole = event:read()
              assert(#whole == event.size, "size")
              assert(event:read(1) == nil or event.size == 0, "the end")
              local file = event:path()
              assert(vault.digest(file) == event.digest, "digest")
              assert(event:path() == file)
              event:tag("pipe", event:pipe({"wc", "-c"}).stdout:match "%d+")
              event:tag("first", whole:sub(1, 3))
            end)
            vault.on("before_save", {match = "ways/*"}, function(event)
              local first = event:read(3) or ""
              event:tag("again", first)
              local count = 0
              for line in event:lines() do count = count + 1 end
              event:tag("lines", count)
            end)
            """, options: ["--hooks-exec", "wc"])
        let lines = Array(String(repeating: "0123456789\n", count: 300_000).utf8)
        for (name, bytes) in [("small", Array("abc\ndef\n".utf8)), ("large", lines), ("empty", [])] {
            let entry = try await server.save("ways/\(name)", bytes).entry
            #expect(entry.tags["pipe"] == "\(bytes.count)", "\(name) \(server.log)")
            #expect(entry.tags["first"]?.text == String(decoding: bytes.prefix(3), as: UTF8.self))
            #expect(entry.tags["again"] == entry.tags["first"])
        }
        #expect(try await server.vault.stat(Name("ways/large"), .current)?.tags["lines"] == "300000")
        // What events had on the server's disk is gone with them.
        let files = try await server.sandbox.shell("find data/workers -type f")
        #expect(files.output == "")
        await server.end()
    }

    @Test func runByPriorityUntilTheFirstRejection() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", function(event) event:tag("order", "third") vault.put("seen/third", "") end)
            vault.on("before_save", {priority = 10}, function(event)
              vault.put("seen/first", "")
              if event.name:find "no" then event:reject "first says no" error "not heard" end
            end)
            vault.on("before_save", {priority = 5}, function(event)
              vault.put("seen/second", "")
              event:rename("to/" .. event.name)
            end)
            """)
        let refusal = await server.refusal(of: "no")
        #expect(refusal?.message == "'no' was rejected: first says no.", "\(refusal.map { "\($0)" } ?? "")")
        #expect(try await server.vault.stat(Name("seen/first"), .current) != nil)
        #expect(try await server.vault.stat(Name("seen/second"), .current) == nil)
        let outcome = try await server.save("yes")
        #expect(outcome.entry.name.text == "to/yes" && outcome.entry.tags == ["order": "third"])
        #expect(try await server.vault.stat(Name("yes"), .current) == nil)
        await server.end()
    }

    @Test func knowWhatTheyAreAskedAbout() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "x"}, function(event)
              assert(event.kind == "before_save" and event.name == "x" and event.user == "anna" and event.vault == "anna")
              assert(#event.id == 32 and event.peer == "127.0.0.1" and event.attempt == 1 and event.version == nil)
              assert(math.abs(event.time - os.time()) < 60)
              assert(event.tags.given == "yes" and event.entry.kind == "file" and #event.digest == 64)
              local count = 0
              for key, value in pairs(event) do count = count + 1 assert(event[key] == value or key == "tags" or true) end
              assert(count >= 10, count)
              event:tag("previous", event.previous and event.previous.version or "none")
              assert(tostring(event) == "event before_save of 'x'")
            end)
            """)
        for expected in ["none", "1"] {
            let intent = SaveIntent(
                name: try Name("x"), attributes: Attributes(mode: 0o644, modified: 1), tags: ["given": "yes"])
            let outcome = try await ContentSave(to: server.vault).save(Array("\(expected)".utf8), intent)
            #expect(outcome.entry.tags["previous"]?.text == expected, "\(server.log)")
        }
        await server.end()
    }

    @Test func leaveTheVersionBeforeAsItWas() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", function(event)
              if event.size > 100 then return event:reject "too large" end
            end)
            """)
        for size in [1000, 3_000_000] {
            try await server.save("f", Array("good".utf8))
            let before = try await server.vault.stat(Name("f"), .current)
            #expect(await server.refusal(of: "f", randomBytes(size, seed: 1))?.code == .rejected)
            #expect(try await server.vault.stat(Name("f"), .current) == before)
            #expect(try await server.text(of: "f") == "good")
        }
        // What was refused is nobody's, and goes.
        _ = try await server.vault.collect()
        #expect(try await server.vault.verify(VerifyRequest()).isClean)
        await server.end()
    }

    @Test func whatMayNotBeReadIsNotReadUnderAnotherName() async throws {
        let server = try await HookServer(
            """
            vault.on("before_read", {match = "/secret/**"}, function(event) return event:reject "not for you" end)
            """)
        try await server.save("secret/a", Array("one".utf8))
        try await server.save("secret/a", Array("two".utf8))
        let changes: [Change] = [
            .copy(from: try Name("secret/a"), to: try Name("a")), .copy(from: try Name("secret"), to: try Name("b")),
            .rename(from: try Name("secret/a"), to: try Name("c")),
            .rename(from: try Name("secret"), to: try Name("d")),
            .revert(try Name("secret/a"), version: 1),
        ]
        for change in changes {
            let refusal = await server.refusal { _ = try await server.vault.changing(change) }
            #expect(refusal?.message.contains("not for you") == true, "\(change): \(server.log)")
        }
        #expect(try await server.vault.list(ListQuery()).entries.map(\.name.text) == ["secret/a"])
        await server.end()
    }

    @Test func areNotPassedByDetours() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "*.exe"}, function(event)
              if event:read(2) == "MZ" then return event:reject "a program" end
              event:tag("checked", "yes")
            end)
            vault.on("before_save", {match = "moved/*"}, function(event) event:rename "elsewhere" end)
            """)
        try await server.save("a.txt", Array("MZ...".utf8))
        try await server.save("b.txt", Array("ok".utf8))
        let copied = await server.refusal {
            _ = try await server.vault.changing(.copy(from: Name("a.txt"), to: Name("a.exe")))
        }
        #expect(copied?.message.contains("a program") == true, "\(server.log)")
        let renamed = await server.refusal {
            _ = try await server.vault.changing(.rename(from: Name("a.txt"), to: Name("a.exe")))
        }
        #expect(renamed?.code == .rejected)
        let wanted = await server.refusal {
            _ = try await server.vault.changing(.copy(from: Name("b.txt"), to: Name("moved/b")))
        }
        #expect(wanted?.message.contains("'elsewhere'") == true)
        _ = try await server.vault.changing(.copy(from: Name("b.txt"), to: Name("b.exe")))
        #expect(try await server.vault.stat(Name("b.exe"), .current)?.tags == ["checked": "yes"])
        // Two steps in one request.
        let steps = try await server.vault.change([
            .copy(from: Name("a.txt"), to: Name("step")), .copy(from: Name("step"), to: Name("c.exe")),
        ])
        #expect((try? steps[0].get()) != nil && (try? steps[1].get()) == nil)
        #expect(try await server.vault.stat(Name("c.exe"), .current) == nil)
        // A directory that would bring one.
        try await server.save("d/p.exe.txt", Array("MZ".utf8))
        _ = try await server.vault.changing(.rename(from: Name("d/p.exe.txt"), to: Name("d/p")))
        let tree = await server.refusal {
            _ = try await server.vault.changing(.rename(from: Name("d"), to: Name("e.exe")))
        }
        #expect(tree == nil, "the glob is of the last part")
        await server.end()
    }

    @Test func decideOnReadsRemovalsAndLogins() async throws {
        let server = try await HookServer(
            """
            vault.on("before_read", {match = "secret"}, function(event)
              if event.user ~= "bert" then return event:reject "only bert" end
            end)
            vault.on("before_remove", function(event) if event.tags.keep then return event:reject "kept" end end)
            vault.on("before_save", {match = "kept"}, function(event) event:tag("keep", "yes") end)
            vault.on("login", function(event) if event.user == "carl" then return event:reject "not today" end end)
            """, users: ["carl"])
        try await server.save("secret")
        try await server.save("kept")
        #expect(await server.refusal { _ = try await server.text(of: "secret") }?.message.contains("only bert") == true)
        let removal = await server.refusal { _ = try await server.vault.changing(.remove(NamePrefix("kept"))) }
        #expect(removal?.message.contains("kept") == true)
        let login = await server.refusal { _ = try await server.server.connect(as: "carl") }
        #expect(
            login?.code == .rejected && login?.message.contains("not today") == true, "\(String(describing: login))")
        await server.end()
    }

    @Test func acceptOnErrorWhereTheyAreToldTo() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "a*", on_error = "accept", timeout = 0.3}, function(event)
              if event.name == "a-loop" then while true do end end
              error "broken"
            end)
            vault.on("before_save", {match = "b"}, function() error "broken" end)
            vault.on("before_save", {match = "c", on_error = "accept", timeout = 0.3}, function(event)
              event:reject "it is infected"
              while true do end
            end)
            vault.on("before_save", {match = "d", on_error = "accept"}, function(event)
              event:tag("half", "done")
              event:rename "elsewhere"
              error "after that"
            end)
            """)
        try await server.save("a")
        try await server.save("a-loop")
        #expect(await server.refusal(of: "b")?.code == .rejected)
        #expect(server.log.contains("broken"))
        // A rejection is final, whatever becomes of the hook after.
        #expect(await server.refusal(of: "c")?.message.contains("it is infected") == true, "\(server.log)")
        // What a failed hook had half done is undone.
        let entry = try await server.save("d").entry
        #expect(entry.name.text == "d" && entry.tags.isEmpty)
        await server.end()
    }

    @Test func tellExitCodesToTheCommandLine() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            "hooks.lua",
            """
            vault.on("before_save", {match = "*.bad"}, function(event) return event:reject "it is bad" end)
            vault.on("before_save", {match = "in/*"}, function(event) event:rename("out/" .. event.name:sub(4)) end)
            """)
        let server = try await sandbox.serve(options: ["--hooks", sandbox.path + "/hooks.lua"])
        defer { server.kill() }
        for name in ["a.bad", "b"] { try sandbox.write(name, name) }
        let rejected = try await sandbox.run("save", "a.bad", "b")
        #expect(
            rejected.status == 7 && rejected.errors.contains("'a.bad' was rejected: it is bad."), "\(rejected.errors)")
        #expect(try await sandbox.succeed("list").lines == ["b"])
        #expect(try await sandbox.succeed("save", "b", "--as", "in/").output.hasPrefix("out/b"))
        let script = try await sandbox.script(
            "local ok, err = pcall(vault.put, 'x.bad', '') print(err.code, err.message)")
        #expect(script.output == "rejected\t'x.bad' was rejected: it is bad.\n", "\(script.output)")
    }

    @Test func runLongerThanOthersWaitFor() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "slow", timeout = 30}, function() vault.sleep(1) end)
            vault.on("before_save", {match = "quick", timeout = 5}, function() end)
            """, options: ["--hook-workers", "1"])
        async let slow = server.save("slow")
        #expect(try await soon { server.server.workers.count > 1 })
        let clock = ContinuousClock()
        let start = clock.now
        try await server.save("quick")
        let quick = clock.now - start
        _ = try await slow
        // A timing fails no test: what is quick has its own workers, so it is over first, however busy the machine is.
        #expect(clock.now - start >= quick)
        await server.end()
    }
}
