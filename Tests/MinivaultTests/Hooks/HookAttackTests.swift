import TestSupport
import Testing
import VaultClient
import VaultModel

/// Hooks that mean harm, or are wrong: each is refused or costs its worker, and the server serves on.
@Suite struct HookAttackTests {
    /// The body of a deciding hook, and what the refusal of the save that it decides on must say.
    struct Attack: Sendable {
        var name: String
        var body: String
        /// What the server's log must say; nil for nothing in particular.
        var log: String?

        init(_ name: String, _ body: String, log: String? = nil) {
            self.name = name
            self.body = body
            self.log = log
        }
    }

    /// Tries each attack, and a save that no hook is asked about after each.
    private func attempt(
        _ attacks: [Attack], before: String = "", timeout: Double = 60, options: [String] = []
    ) async throws {
        let hooks = attacks.map { attack in
            """
            vault.on("before_save", {match = "\(attack.name)", timeout = \(timeout)}, function(event)
            \(attack.body)
            end)

            """
        }
        let server = try await HookServer(before + hooks.joined(), options: options, isPatient: false)
        for attack in attacks {
            let refusal = await server.refusal(of: attack.name)
            #expect(refusal?.code == .rejected, "\(attack.name): \(refusal.map { "\($0)" } ?? "was let through")")
            #expect(refusal?.description.contains("ESCAPED") == false, "\(attack.name)")
            let plain = await server.refusal(of: "plain-\(attack.name)")
            #expect(plain == nil, "after \(attack.name): \(plain.map { "\($0)" } ?? "")")
        }
        let log = server.log
        for attack in attacks {
            if let text = attack.log { #expect(log.contains(text), "\(attack.name): \(log)") }
        }
        await server.end()
    }

    @Test func endlessLoopsAreEnded() async throws {
        try await attempt(
            [
                Attack("while", "while true do end", log: "did not end within"),
                Attack("pcall", "while true do pcall(function() while true do end end) end"),
                Attack("xpcall", "while true do xpcall(error, function() while true do end end) end"),
                Attack("older-coroutine", "older()"),
                Attack(
                    "close",
                    "local x <close> = setmetatable({}, {__close = function() while true do end end}) error 'x'"),
                Attack("task", "vault.spawn(function() while true do end end)"),
                Attack("sleep", "vault.sleep(1e6)"),
                Attack("logging", "while true do print 'still here' end"),
                Attack("exponential-pattern", #"return ("a"):rep(26):find(("a?"):rep(26) .. ("a"):rep(26))"#),
                Attack("cubic-pattern", #"return ("x"):rep(20000):find ".-.-.-b""#),
                Attack("move", "table.move({}, 1, 1 << 40, 2)"),
                Attack("sort", "table.sort(setmetatable({}, {__len = function() return 1 << 30 end}))"),
            ], before: "local older = coroutine.wrap(function() while true do end end)\n", timeout: 0.3)
    }

    @Test func memoryIsBounded() async throws {
        try await attempt(
            [
                Attack("rep", #"return ("x"):rep(1e10)"#),
                Attack("many-reps", #"local t = {} for i = 1, 1e4 do t[i] = ("x"):rep(1e6) .. i end"#),
                Attack("table", #"local t = {} while true do t[#t + 1] = {} end"#, log: "not enough memory"),
                Attack("unpack", "return table.unpack({}, 1, 1e7)"),
                Attack("unpack-more", "return select('#', table.unpack({}, 1, 1e6 - 1))"),
                Attack("concat", #"local s = "x" while true do s = s .. s end"#),
                Attack("coroutines", "local t = {} while true do t[#t + 1] = coroutine.create(print) end"),
                Attack("recursion", "local function f() return 1 + f() end return f()"),
                Attack(
                    "nested-load", #"return load(("("):rep(1e6) .. "1")"#.replacing("return ", with: "assert(") + ")"),
                Attack("upvalues", "local f = function() end while true do local g = f f = function() g() end end"),
            ], options: ["--hook-memory", "8M"])
    }

    @Test func memoryThatIsAskedForAgainAndAgainIsRefusedUntilTheTimeIsUp() async throws {
        let body = #"local t = {} while true do pcall(function() t[#t + 1] = ("x"):rep(1e5) .. #t end) end"#
        try await attempt([Attack("pcall", body)], timeout: 0.5, options: ["--hook-memory", "8M"])
    }

    @Test func coroutinesThatCloseEachOtherAreRefused() async throws {
        try await attempt([
            Attack(
                "close",
                """
                local function chain(n, co)
                  return coroutine.create(function()
                    local c <close> = setmetatable({}, {__close = function() coroutine.close(co) end})
                    coroutine.yield()
                  end)
                end
                local co = coroutine.create(function() end)
                for n = 1, 1e4 do co = chain(n, co) coroutine.resume(co) end
                coroutine.close(co)
                """, log: "field 'close'"),
            // wrap closes what has failed.
            Attack(
                "wrap",
                """
                local function nest(n)
                  coroutine.wrap(function()
                    local c <close> = setmetatable({}, {__close = function() nest(n - 1) end})
                    error "down"
                  end)()
                end
                nest(1e5)
                """),
            Attack(
                "tasks",
                """
                local function nest(n)
                  local c <close> = setmetatable({}, {__close = function() vault.spawn(nest, n + 1):join() end})
                  error "down"
                end
                nest(1)
                """),
        ])
    }

    @Test func theSandboxHasNoWayOut() async throws {
        func refused(_ name: String, _ code: String) -> Attack {
            Attack(
                name,
                """
                local is_done, result = pcall(function() \(code) end)
                return event:reject(is_done and "ESCAPED " .. tostring(result) or tostring(result))
                """)
        }
        func absent(_ name: String, _ value: String) -> Attack {
            Attack(name, #"return event:reject(\#(value) == nil and "absent" or "ESCAPED")"#)
        }
        try await attempt(
            [
                Attack("bytecode", #"local f, e = load("\27Lua", "x", "b") return event:reject(f and "ESCAPED" or e)"#),
                Attack("bytecode-as-text", #"local f, e = load("\27Lua") return event:reject(f and "ESCAPED" or e)"#),
                Attack(
                    "bytecode-in-pieces",
                    #"local p = {"\27L", "ua"} local f, e = load(function() return table.remove(p, 1) end) "#
                        + #"return event:reject(f and "ESCAPED" or e)"#),
                absent("dump", "string.dump"), absent("dump-method", #"("").dump"#),
                absent("io", "io"), absent("debug", "debug"), absent("package", "package"),
                absent("require", "require"),
                absent("dofile", "dofile"), absent("loadfile", "loadfile"), absent("os.execute", "os.execute"),
                absent("os.exit", "os.exit"), absent("os.getenv", "os.getenv"), absent("os.remove", "os.remove"),
                absent("close", "coroutine.close"), absent("warn", "warn"),
                refused("string-metatable", #"return getmetatable("").__index"#),
                refused("string-index", #"getmetatable("").__index.rep = nil"#),
                refused("error-metatable", #"getmetatable(select(2, pcall(vault.get, "none"))).__tostring = nil"#),
                refused("global", "x = 1"), refused("_G", "_G.x = 1"), refused("rawset", "rawset(_G, 'x', 1)"),
                refused("_ENV", "_ENV.print = nil"), refused("vault", "vault.save = nil"),
                refused("rawset-vault", "rawset(vault, 'save', 1)"), refused("json", "vault.json.encode = nil"),
                refused("kv", "vault.kv.get = nil"), refused("string", "string.rep = nil"),
                refused("insert", "table.insert(vault, 1)"), refused("move", "table.move({1}, 1, 1, 1, vault)"),
                refused("setmetatable-_G", "setmetatable(_G, {})"),
                refused("setmetatable-vault", "setmetatable(vault, {})"),
                refused("setmetatable-event", "setmetatable(event, nil)"), refused("event", "event.name = 'x'"),
                refused("gc", "setmetatable({}, {__gc = function() while true do end end})"),
                refused("weak", "setmetatable({}, {__mode = 'k'})"),
                refused("collectgarbage", "collectgarbage('stop')"),
                Attack(
                    "pairs",
                    """
                    for _, library in ipairs {string, table, vault, _G} do
                      local _, state = pairs(library)
                      for key in next, state do state[key] = nil end
                    end
                    return event:reject(string.rep and vault.get and ("x"):rep(2) == "xx" and "whole" or "ESCAPED")
                    """),
                Attack(
                    "load-environment",
                    """
                    local f = load("x = 1 return io, _G", "c", "t", {})
                    local io, globals = f()
                    return event:reject(io == nil and globals == nil and "apart" or "ESCAPED")
                    """),
                refused("load-global", #"assert(load "x = 1")()"#),
                refused("on-later", "vault.on('save', print)"),
                Attack("keep", "kept[1] = event return event:reject 'kept'"),
                refused("rawset-event", "rawset(event, 'reject', print)"),
                refused("over", "return kept[1].name"), refused("over-read", "return kept[1]:read()"),
                refused("over-reject", "return kept[1]:reject 'late'"),
            ], before: "local kept = {}\n", options: ["--hook-workers", "1"])
    }

    @Test func whatHooksSayIsJudged() async throws {
        try await attempt(
            [
                Attack("false", "return false", log: "a hook that decides returned a boolean"),
                Attack("text", "return 'no'"), Attack("table", "return {reject = 'no'}"),
                Attack("self", "return event"),
                Attack("number", "return 0"), Attack("function", "return print"),
                Attack("error", "error 'no'", log: "hooks.lua:"), Attack("nil-error", "error()"),
                Attack(
                    "tostring", "error(setmetatable({}, {__tostring = function() error 'again' end}))",
                    log: "an error that cannot be shown"),
                Attack(
                    "endless-tostring", "error(setmetatable({}, {__tostring = function(e) return tostring(e) end}))"),
                Attack("no-text", "error(setmetatable({}, {__tostring = function() return 1 end}))"),
                Attack("climb", #"event:rename "../outside""#, log: "'.' and '..' cannot be parts"),
                Attack("nul", #"event:rename "a\0b""#), Attack("newline", #"event:rename "a\nb""#),
                Attack("escape", #"event:rename "a\27[2Jb""#), Attack("empty", #"event:rename """#),
                Attack("absolute", #"event:rename "/etc/passwd""#), Attack("renamed-number", "event:rename(5)"),
                Attack("long", #"event:rename(("x"):rep(5000))"#), Attack("tag", "event:tag('a', {})"),
                Attack("tag-name", "event:tag(nil, 'a')"), Attack("reject-table", "event:reject {}"),
                Attack("no-self", "event.reject('x')"), Attack("own-name", "vault.put(event.name, 'x')"),
                Attack("own-removal", "vault.remove(event.name)"),
                Attack("own-rename", "vault.rename(event.name, 'y')"),
                Attack("into-itself", "vault.copy('plain-false', event.name)"),
                Attack("long-reason", #"return event:reject(("x"):rep(1e6))"#),
                Attack("strange-reason", #"return event:reject "\27[31m\nfake line""#),
                Attack("stale-first", "stale = event:reject 'first' return stale"),
                Attack("stale-second", "return stale", log: "the verdict on another event"),
                Attack(
                    "forged",
                    """
                    local c <close> = setmetatable({}, {__close = function(_, e) if type(e) == "table" then e.text = nil end end})
                    error "must reject"
                    """),
                Attack("binary-tag", #"event:tag("a", "\xFF")"#, log: "invalid UTF-8"),
            ], before: "local stale\n")
    }

    @Test func hooksReachNoFilesAndProgramsOfTheServer() async throws {
        func refused(_ name: String, _ code: String) -> Attack {
            Attack(
                name,
                """
                local is_done, result = pcall(function() return \(code) end)
                local is_denied = not is_done and type(result) == "table" and result.code == "denied"
                return event:reject(is_denied and "denied" or "ESCAPED " .. tostring(result))
                """)
        }
        try await attempt([
            refused("save", #"vault.save("/etc/passwd", "stolen")"#),
            refused("climb", #"vault.save("../../server.sqlite", "stolen")"#),
            refused("read", #"vault.read("plain-save", "/tmp/stolen")"#),
            refused("push", #"vault.push("/etc", "etc")"#),
            refused("pull", #"vault.pull("", "/tmp/stolen")"#), refused("files", #"vault.files("/")"#),
            refused("digest", #"vault.digest("/etc/passwd")"#), refused("compare", #"vault.compare("/etc", "etc")"#),
            refused("link", #"vault.save(event:path() .. "/../../../server.sqlite", "stolen")"#),
            refused("exec", #"vault.exec {"sh", "-c", "id"}"#), refused("pipe", #"event:pipe {"sh", "-c", "id"}"#),
            refused("directory", #"vault.connect "/tmp""#),
            refused("other-vault", #"vault.connect "minivault://bert@127.0.0.1/bert""#),
            refused("other-host", #"vault.connect "minivault://anna@example.invalid""#),
        ])
    }

    @Test func recursionBetweenHooksEnds() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "deep*", from_hooks = true}, function(event)
              vault.put(event.name .. "+", "deeper")
            end)
            vault.on("save", {match = "told*", from_hooks = true}, function(event)
              vault.put(event.name .. "+", "further")
            end)
            vault.on("before_read", {match = "deep*", from_hooks = true}, function(event) vault.get(event.name) end)
            """)
        try await server.save("deep")
        #expect(try await server.vault.stat(Name("deep+++"), .current) != nil)
        #expect(try await server.vault.stat(Name("deep+++++"), .current) == nil)
        try await server.save("told")
        #expect(try await soon { try await server.text(of: "told+++") != nil })
        #expect(try await server.text(of: "deep+") == "deeper")
        try await server.save("plain")
        #expect(try await server.vault.stat(Name("told++++++"), .current) == nil)
        await server.end()
    }

    @Test func floodsOfLogLinesAreCut() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "flood", timeout = 600}, function()
              for n = 1, 2e4 do print(n, ("x"):rep(100)) end
            end)
            vault.on("before_save", {match = "long", timeout = 600}, function() print(("y"):rep(1e7)) end)
            """)
        try await server.save("long")
        let began = ContinuousClock.now
        try await server.save("flood")
        try await server.save("plain")
        let seconds = Int((ContinuousClock.now - began).components.seconds)
        let log = server.log
        let lines = log.split(separator: "\n").count { $0.contains("xxx") }
        // 200 a second, of seconds that began before the save and end behind it.
        #expect(lines > 0 && lines <= 200 * (seconds + 2), "\(lines) lines in \(seconds) s")
        let longest = log.split(separator: "\n").filter { $0.contains("yyy") }.map(\.utf8.count).max() ?? 0
        #expect(longest > 0 && longest < 1 << 20, "\(longest) bytes")
        await server.end()
    }
}
