import Foundation
import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel
import VaultServer
import VaultStore

/// Living with hooks: workers, reloading, schedules, the log, counts, and what keeps failing.
@Suite struct HookServiceTests {
    @Test func severalWorkersRunAtOnce() async throws {
        // Each waits for three that have begun, and so for two others.
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "f*", timeout = 60}, function(event)
              vault.kv.incr("begun", 1)
              while vault.kv.get "begun" < 3 do vault.sleep(0.005) end
              event:tag("begun", vault.kv.get "begun")
            end)
            """, options: ["--hook-workers", "4"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<3 {
                // Sessions of their own, since saves of one go together to one worker.
                let vault = try await server.server.connect(as: "anna")
                group.addTask {
                    let entry = try await server.save("f\(number)", on: vault).entry
                    #expect(entry.tags["begun"] != nil)
                    await vault.close()
                }
            }
            try await group.waitForAll()
        }
        #expect(server.server.workers.count >= 3)
        await server.end()
    }

    @Test func workersHaveNoMoreThanTheyNeedAndEndWithTheirServer() async throws {
        let server = try await HookServer("vault.on('before_save', {timeout = 60}, function() end)")
        try await server.save("f")
        let worker = try #require(server.server.workers.first)
        func text(_ file: String) -> String {
            String(decoding: contents(Array("/proc/\(worker)/\(file)".utf8)) ?? [], as: UTF8.self)
        }
        let threads = try await server.sandbox.shell(
            "grep -h NoNewPrivs /proc/\(worker)/task/*/status | sort | uniq -c")
        #expect(threads.lines.count == 1 && threads.output.contains("NoNewPrivs:\t1"), "\(threads.output)")
        let limits = text("limits").split(separator: "\n").map {
            $0.split(separator: " ", omittingEmptySubsequences: true)
        }
        #expect(limits.first { $0.starts(with: ["Max", "core"]) }?.dropFirst(4).first == "0", "\(limits)")
        #expect(limits.first { $0.starts(with: ["Max", "open"]) }?.dropFirst(3).first == "512")
        let workers = server.server.workers
        server.server.kill()
        #expect(try await soon { workers.allSatisfy { kill($0, 0) != 0 && errno == ESRCH } })
        await server.vault.close()
    }

    @Test func whatAHookHasStartedEndsWithItsWorker() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "f", timeout = 5}, function() vault.exec {"sleep", "98765.4321"} end)
            """, options: ["--hooks-exec", "sleep"])
        func isRunning() async throws -> Bool {
            try await server.sandbox.shell("grep -al '^sleep.98765.4321' /proc/[0-9]*/cmdline 2>/dev/null").output != ""
        }
        async let refusal = server.refusal(of: "f")
        #expect(try await soon { try await isRunning() })
        #expect(await refusal?.code == .rejected)
        #expect(try await soon { try await !isRunning() })
        await server.end()
    }

    @Test func schedulesRunOnceWhateverWorkersThereAre() async throws {
        let server = try await HookServer(
            """
            vault.every("1s", function(event)
              local count = vault.kv.update("ticks", function(n) return (n or 0) + 1 end)
              vault.put("tick/" .. count, tostring(event.time))
            end)
            """, options: ["--hook-workers", "4"])
        #expect(try await soon { try await server.text(of: "tick/4") != nil })
        let times = try await (1...4).asyncMap { try await server.text(of: "tick/\($0)").flatMap { Int($0) } }
        // No two of one time.
        #expect(Set(times).count == 4, "\(times)")
        await server.end()
    }

    @Test func aScheduleThatCannotRunOnOneVaultRunsOnceOnTheOthers() async throws {
        let directory = try TemporaryDirectory()
        let (data, clock, hooks) = (directory("data"), directory("clock"), directory("hooks.lua"))
        let keys = [
            "anna": try await TestLogin.addUser("anna", in: data),
            "bert": try await TestLogin.addUser("bert", in: data),
        ]
        let accounts = try Accounts.open(data)
        let lost = data.appending("vaults").appending(try accounts.knownVault("bert").id)
        accounts.close()
        try SmallFile.write([1, 2, 3], to: lost.appending("catalog.sqlite"), mode: 0o600, .isReplaced)
        // In the past: the system's timers go by the real time of day.
        var now: Int64 = 1_700_000_000
        func tell(_ time: Int64) throws {
            let file = try OpenFile(clock, flags: O_RDWR | O_CREAT, mode: 0o600)
            _ = withUnsafeBytes(of: time) { pwrite(file.descriptor, $0.baseAddress, $0.count, 0) }
            now = time
        }
        var changes = 0
        func change() throws {
            changes += 1
            let text = """
                vault.every("10m", function() vault.put("tick/" .. vault.kv.incr("ticks"), "now") end) -- \(changes)
                """
            try SmallFile.write(Array(text.utf8), to: hooks, mode: 0o600, .isReplaced)
        }
        try tell(now)
        try change()
        let server = try await ServerProcess.start(
            data: data, users: keys, clock: clock, options: ["--hooks", "\(hooks)"])
        defer { server.kill() }
        let vault = try await server.connect(as: "anna")
        func ticks() async throws -> Int {
            try await vault.list(ListQuery(prefix: NamePrefix("tick"))).entries.count
        }
        /// A file that is noticed twice tells that all between was looked at.
        func waitForALook() async throws {
            for _ in 0..<2 {
                try change()
                let isLoaded = try await soon { server.log.components(separatedBy: "hooks loaded").count >= changes }
                #expect(isLoaded)
            }
        }
        try await waitForALook()
        try tell(now + 601)
        let isFirstDone = try await soon { try await ticks() == 1 }
        #expect(isFirstDone, "\(server.log)")
        for _ in 0..<3 {
            try tell(now + 31)
            try await waitForALook()
        }
        try tell(now + 601)
        let isSecondDone = try await soon { try await ticks() == 2 }
        #expect(isSecondDone, "\(server.log)")
        try await waitForALook()
        #expect(try await ticks() == 2)
        await vault.close()
    }

    @Test func aChangedFileIsTakenIntoUseIfItIsSound() async throws {
        let server = try await HookServer(
            #"vault.on("before_save", {match = "f*"}, function(event) event:tag("hooks", "one") end)"#)
        func tag() async throws -> String? {
            try await server.save("f\(UniqueID())").entry.tags["hooks"]?.text
        }
        #expect(try await tag() == "one")
        try server.change(#"vault.on("before_save", {match = "f*"}, function(event) event:tag("hooks", "two") end)"#)
        #expect(try await soon { try await tag() == "two" }, "\(server.log)")
        try server.change("vault.on('before_save', {match = 'f*'}, function(event) event:tag('hooks', 'three' end)")
        #expect(try await soon { server.log.contains("the hooks were not loaded; the old ones stay") })
        #expect(server.log.contains("hooks.lua:1:"))
        #expect(try await tag() == "two")
        try server.change("while true do end")
        try server.change("error 'not now'")
        #expect(try await soon { server.log.contains("not now") })
        #expect(try await tag() == "two")
        server.server.send(SIGHUP)
        try server.change("")
        #expect(try await soon { try await tag() == nil }, "\(server.log)")
        await server.end()
    }

    @Test func aFileThatIsWrittenInPlaceIsNeverHalfLaw() async throws {
        let law = #"vault.on("before_save", {match = "*.secret"}, function(event) return event:reject "no" end)"#
        let server = try await HookServer(law)
        let path = LocalPath(server.sandbox.path + "/hooks.lua")
        let file = try OpenFile(path, flags: O_WRONLY)
        let old = try SmallFile.read(path, bytesMax: 1 << 20)
        // As an editor does on a slow disk: emptied first, then written bit by bit.
        for count in [0, old.count / 2] {
            for _ in 0..<100 {
                let start = ContinuousClock.now
                pwrite(file.descriptor, "\n", 1, off_t(count))
                ftruncate(file.descriptor, off_t(count))
                let refusal = await server.refusal(of: "x.secret")
                // Who stands still for a second has written what he wanted to write.
                if ContinuousClock.now - start > .milliseconds(900) { break }
                #expect(refusal?.code == .rejected)
            }
            _ = old.withUnsafeBytes { pwrite(file.descriptor, $0.baseAddress, $0.count, 0) }
        }
        #expect(try await soon { server.log.contains("hooks loaded") }, "\(server.log)")
        #expect(await server.refusal(of: "x.secret")?.code == .rejected)
        await server.end()
    }

    @Test func aFileThatComesLaterIsFoundAndOneThatIsGoneStaysTheLaw() async throws {
        let directory = try TemporaryDirectory()
        let data = directory("data")
        let key = try await TestLogin.addUser("anna", in: data)
        let server = try await ServerProcess.start(data: data, users: ["anna": key])
        defer { server.kill() }
        let vault = try await server.connect(as: "anna")
        func isRefused() async -> Bool {
            let save = try? SmallSave(
                intent: SaveIntent(name: Name("x\(UniqueID())"), attributes: Attributes(mode: 0o644, modified: 1)),
                chunk: nil)
            guard let save, let results = try? await vault.save([save]) else { return false }
            if case .failure(let error) = results[0] { return error.code == .rejected }
            return false
        }
        #expect(await !isRefused())
        let hooks = data.appending("hooks.lua")
        let law = #"vault.on("before_save", function(event) return event:reject "no" end)"#
        try SmallFile.write(Array(law.utf8), to: hooks, mode: 0o600, .isReplaced)
        server.send(SIGHUP)
        #expect(try await soon { await isRefused() }, "\(server.log)")
        _ = hooks.withCString { unlink($0) }
        server.send(SIGHUP)
        #expect(try await soon { server.log.contains("the hooks were not loaded; the old ones stay") })
        #expect(await isRefused())
        try SmallFile.write([], to: hooks, mode: 0o600, .isReplaced)
        #expect(try await soon { await !isRefused() }, "\(server.log)")
        #expect(server.log.contains("the file declares no hooks"))
        await vault.close()
    }

    @Test func warnsWhereEverybodyMayChangeItsDataOrItsHooks() async throws {
        let server = try await HookServer("vault.on('save', print)")
        func warnings() -> [Substring] {
            server.log.split(separator: "\n").filter { $0.contains("everybody on this machine may change") }
        }
        #expect(warnings().isEmpty, "\(server.log)")
        for (name, mode) in [("data", "702"), ("hooks.lua", "602")] {
            #expect(chmod("\(server.sandbox.path)/\(name)", mode_t(mode, radix: 8) ?? 0) == 0)
            try await server.killAndStart()
            #expect(warnings().contains { $0.contains("/\(name)") && $0.contains(mode) }, "\(server.log)")
        }
        #expect(warnings().count == 2)
        await server.end()
    }

    @Test func onlyOneServerServesADataDirectory() async throws {
        let server = try await HookServer("vault.on('save', print)")
        let outcome = try await server.sandbox.run("serve", "--data", "data", "--listen", "127.0.0.1:0")
        #expect(outcome.errors.contains("Another server serves") && outcome.status != 0, "\(outcome)")
        try await server.killAndStart()
        try await server.save("a")
        await server.end()
    }

    @Test func aScheduleGoesOnOverRestarts() async throws {
        let directory = try TemporaryDirectory()
        let (data, clock, hooks) = (directory("data"), directory("clock"), directory("hooks.lua"))
        let key = try await TestLogin.addUser("anna", in: data)
        func tell(_ time: Int64) throws {
            let file = try OpenFile(clock, flags: O_RDWR | O_CREAT, mode: 0o600)
            _ = withUnsafeBytes(of: time) { pwrite(file.descriptor, $0.baseAddress, $0.count, 0) }
        }
        let text = "vault.every('1d', function() vault.put('tick/' .. vault.kv.incr('ticks'), 'now') end)"
        try SmallFile.write(Array(text.utf8), to: hooks, mode: 0o600, .isReplaced)
        var now: Int64 = 1_700_000_000
        for day in 0..<3 {
            try tell(now)
            let server = try await ServerProcess.start(
                data: data, users: ["anna": key], clock: clock, options: ["--hooks", "\(hooks)"])
            let vault = try await server.connect(as: "anna")
            let ticks = { try await vault.list(ListQuery(prefix: NamePrefix("tick"))).entries.count }
            if day > 0 {
                let isDone = try await soon { try await ticks() == day }
                #expect(isDone, "\(server.log)")
            } else {
                // It has seen the schedule, and when that began.
                let isSeen = try await soon { try await self.hasClaim(in: server) }
                #expect(isSeen, "\(server.log)")
                #expect(try await ticks() == 0)
            }
            await vault.close()
            server.kill()
            // Never is a server up for as long as from one run to the next.
            now += 86_401
        }
    }

    private func hasClaim(in server: ServerProcess) async throws -> Bool {
        let vault = try await StoredVault.open(server.vaultDirectory(of: "anna"), access: .readOnly)
        let time = try? await vault.claimTime("every 86400 s, 1")
        await vault.close()
        return time != nil
    }

    @Test func aServerDoesNotStartWithHooksThatCannotBeUsed() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("hooks.lua", "vault.on('never', print)")
        let outcome = try await sandbox.run(
            "serve", "--data", "data", "--listen", "127.0.0.1:0", "--hooks", "hooks.lua")
        #expect(
            outcome.status == 1 && outcome.errors.contains("hooks.lua:1: bad argument #1 to 'on'"), "\(outcome.errors)")
        let missing = try await sandbox.run("serve", "--data", "data", "--listen", "127.0.0.1:0", "--hooks", "none.lua")
        #expect(missing.status == 3, "\(missing.errors)")
        let both = try await sandbox.run("serve", "--hooks", "hooks.lua", "--no-hooks")
        #expect(both.status == 2)
    }

    @Test func withoutHooksEverybodyGetsBackIn() async throws {
        let sandbox = try Sandbox()
        let server = try await sandbox.serve()
        server.kill()
        try sandbox.write(
            "data/hooks.lua", "vault.on('login', {timeout = 15}, function(event) return event:reject 'nobody' end)")
        let closed = try await ServerProcess.start(
            data: LocalPath(sandbox.path + "/data"), users: [:], port: server.port)
        let refused = try await sandbox.run("list")
        #expect(refused.status == 7 && refused.errors.contains("nobody"), "\(refused.errors)")
        closed.kill()
        let open = try await ServerProcess.start(
            data: LocalPath(sandbox.path + "/data"), users: [:], port: server.port, options: ["--no-hooks"])
        defer { open.kill() }
        #expect(try await sandbox.run("list").status == 0)
    }

    @Test func theLogSaysOfWhatHookAndEventALineIs() async throws {
        let server = try await HookServer(
            """
            print "loading"
            vault.on("before_save", {match = "f"}, function(event)
              print("a", 1, nil)
              vault.log.warn("size %d", event.size)
            end)
            vault.on("save", {match = "f"}, function(event) vault.log.error "told" end)
            """, options: ["--log-format", "json"])
        try await server.save("f")
        #expect(try await soon { server.log.contains("\"message\":\"told\"") })
        let lines = server.log.split(separator: "\n")
        func line(_ message: String) -> Substring { lines.first { $0.contains("\"message\":\"\(message)") } ?? "" }
        #expect(line("loading") != "")
        let printed = line("a\\\\t1\\\\tnil")
        for text in ["\"level\":\"info\"", "\"hook\":\"hooks.lua:2\"", "\"event\":\"before_save\"", "\"name\":\"f\""] {
            #expect(printed.contains(text), "\(printed) of \(server.log)")
        }
        #expect(line("size 7").contains("\"level\":\"warning\"") && line("told").contains("\"hook\":\"hooks.lua:6\""))
        await server.end()
    }

    @Test func whatKeepsFailingRests() async throws {
        let server = try await HookServer(
            #"vault.on("before_save", {match = "f*"}, function() error "always" end)"#)
        for number in 1...10 { #expect(await server.refusal(of: "f\(number)")?.code == .rejected) }
        #expect(try await soon { server.log.contains("hook suspended") })
        let resting = await server.refusal(of: "f11")
        #expect(resting?.message.contains("rests after many failures") == true && resting?.isRetryable == true)
        try await server.save("other")
        await server.end()
    }

    @Test func peopleAndMonitoringSeeWhatHooksDo() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            "hooks.lua",
            """
            vault.on("before_save", {match = "*.bad"}, function(event) return event:reject "no" end)
            vault.on("before_save", {match = "*.broken"}, function() error "no" end)
            """)
        let server = try await sandbox.serve(
            options: ["--hooks", sandbox.path + "/hooks.lua", "--metrics", "127.0.0.1:0"])
        defer { server.kill() }
        for name in ["a.bad", "b.bad", "c.broken"] {
            try sandbox.write(name, name)
            #expect(try await sandbox.run("save", Word(name)).status == 7)
        }
        let status = try await sandbox.succeed("status").output
        #expect(status.contains("hooks.lua:1 before_save: 2 runs, 2 rejections, 0 failures"), "\(status)")
        #expect(status.contains("hooks.lua:2 before_save: 1 runs, 0 rejections, 1 failures"))
        let port = try #require(server.metricsPort)
        let metrics = try await sandbox.shell(
            "exec 3<>/dev/tcp/127.0.0.1/\(port); printf 'GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3")
        #expect(metrics.output.hasPrefix("HTTP/1.1 200 OK"), "\(metrics.output) \(metrics.errors)")
        #expect(
            metrics.output.contains("minivault_hook_rejections_total{hook=\"hooks.lua:1\",event=\"before_save\"} 2\n"))
        #expect(
            metrics.output.contains("minivault_hook_failures_total{hook=\"hooks.lua:2\",event=\"before_save\"} 1\n"))
        let ready = try await sandbox.shell(
            "exec 3<>/dev/tcp/127.0.0.1/\(port); printf 'GET /ready HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3")
        #expect(ready.output.hasPrefix("HTTP/1.1 200 OK"))
        let other = try await sandbox.shell(
            "exec 3<>/dev/tcp/127.0.0.1/\(port); printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3")
        #expect(other.output.hasPrefix("HTTP/1.1 404"))
    }

    @Test func valuesAreKeptForAllWorkers() async throws {
        let server = try await HookServer(
            """
            local kv = vault.kv
            vault.on("before_save", {match = "f*"}, function(event)
              kv.update("list", function(list) list = list or {} list[#list + 1] = event.name return list end)
              event:tag("count", kv.incr("count"))
            end)
            vault.on("before_save", {match = "check"}, function(event)
              assert(#kv.get "list" == 20 and kv.get "count" == 20 and kv.get "none" == nil)
              kv.set("t", {a = 1, b = {true, "x"}})
              assert(kv.get "t".b[2] == "x")
              kv.set("t", nil)
              assert(kv.get "t" == nil)
              assert(kv.incr("f", 0.5) == 0.5 and kv.incr("f", 2, event.id) == 2.5 and kv.incr("f", 2, event.id) == 2.5)
              for _, bad in ipairs {
                function() kv.set("k", print) end, function() kv.set("", 1) end, function() kv.set("k", ("x"):rep(1e6)) end,
                function() kv.incr("t2", "x") end, function() kv.update("k") end,
              } do assert(not pcall(bad)) end
            end)
            """, options: ["--hook-workers", "3"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 { group.addTask { try await server.save("f\(number)") } }
            try await group.waitForAll()
        }
        let refusal = await server.refusal(of: "check")
        #expect(refusal == nil, "\(server.log)")
        await server.end()
    }
}

extension Sequence {
    fileprivate func asyncMap<Value>(_ body: (Element) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await body(element)) }
        return values
    }
}
