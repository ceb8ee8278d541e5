import Foundation
import TestSupport
import Testing

@Suite struct RunTests {
    @Test func givesScriptsTheirArguments() async throws {
        let sandbox = try Sandbox()
        let file = try sandbox.write(
            "s.lua",
            "#!/usr/bin/env -S minivault run\nprint(select('#', ...), ..., #arg)\n"
                + "for n = -6, #arg do if arg[n] then io.write(n, '=', arg[n], ' ') end end print()")
        let outcome = try await sandbox.succeed("run", "s.lua", "one", "--vault", "-h", "--", "")
        #expect(outcome.lines[0] == "5\tone\t5")
        #expect(
            outcome.lines[1].hasSuffix("minivault -1=run 0=s.lua 1=one 2=--vault 3=-h 4=-- 5= "), "\(outcome.output)")
        #expect(outcome.lines[1].hasPrefix("-2="))
        try sandbox.makeVault("v")
        let named = try await sandbox.succeed("run", "--vault", "v", "s.lua", "x")
        #expect(named.lines[1].hasSuffix("-3=run -2=--vault -1=v 0=s.lua 1=x "), "\(named.output)")
        let before = try await sandbox.succeed("--vault", "v", "run", "s.lua", "x")
        #expect(before.lines[1].hasSuffix("-3=--vault -2=v -1=run 0=s.lua 1=x "), "\(before.output)")
        let dashes = try await sandbox.succeed("run", "--", "s.lua", "x")
        #expect(dashes.lines[1].hasSuffix("0=s.lua 1=x "), "\(dashes.output)")
        let direct = try await sandbox.shell(
            "chmod +x s.lua; mkdir bin; ln -s '\(Sandbox.program)' bin/minivault; PATH=bin:$PATH ./s.lua y")
        #expect(direct.lines.last?.hasSuffix("0=./s.lua 1=y ") == true, "\(direct.errors)")
        withExtendedLifetime(file) {}
    }

    @Test func endsAsTheScriptSays() async throws {
        let sandbox = try Sandbox()
        let codes: [(String, Int32)] = [
            ("", 0), ("os.exit()", 0), ("os.exit(true)", 0), ("os.exit(false)", 1), ("os.exit(7)", 7),
            ("os.exit(0)", 0),
            ("os.exit(true, true)", 0), ("os.exit(9, true)", 9), ("pcall(os.exit, 5)", 5),
            ("coroutine.wrap(function() os.exit(6) end)()", 6), ("vault.put('f', 'x') os.exit(4)", 4),
            ("w = vault.open('w', 'w') w:write(('x'):rep(3000000)) os.exit(3)", 3),
            ("w = vault.open('w', 'w') w:write(('x'):rep(3000000)) os.exit(3, true)", 3),
            ("local x <close> = setmetatable({}, {__close = function() os.exit(8) end})", 8),
            ("error 'x'", 1), ("vault.get 'none'", 1), ("return 5", 0), ("local = 1", 1), ("error()", 1),
        ]
        for (script, code) in codes {
            let outcome = try await sandbox.script("io.write 'out ' " + script)
            #expect(outcome.status == code, "\(script): \(outcome.errors)")
            #expect(outcome.output == (script == "local = 1" ? "" : "out "), "\(script)")
        }
        #expect(try await sandbox.run("stat", "w").status == 3)
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged"))
    }

    @Test func tellsErrorsWithTheirTraceback() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("s.lua", "local function f()\n  error 'lost'\nend\nf()")
        let outcome = try await sandbox.run("run", "s.lua")
        #expect(outcome.status == 1 && outcome.output == "")
        #expect(
            outcome.errors.hasPrefix(
                "minivault: s.lua:2: lost\nstack traceback:\n\t[C]: in function 'error'\n\ts.lua:2:"))
        let object = try await sandbox.script("vault.get 'a\\nb'")
        #expect(object.errors.hasPrefix("minivault: The vault holds nothing under 'a\\nb'.\nstack traceback:\n"))
        let joined = try await sandbox.script(
            "local function deep() error 'in a task' end vault.spawn(function() deep() end):join()")
        #expect(
            joined.errors.contains("s.lua:1: in a task\nstack traceback:")
                || joined.errors.contains(": in a task\nstack traceback:"))
        #expect(
            joined.errors.contains("in task 1, stack traceback:") && joined.errors.contains("'deep'"),
            "\(joined.errors)")
        let missing = try await sandbox.run("run", "none.lua")
        #expect(missing.status == 1 && missing.errors.contains("none.lua"))
        let binary = try await sandbox.script(
            "error(setmetatable({}, {__tostring = function() return 'a\\0b\\xff' end}))")
        #expect(binary.status == 1)
        let finalizer = try await sandbox.script(
            "warn '@on' setmetatable({}, {__gc = function() error 'in gc' end}) collectgarbage() warn('a', 'b')")
        #expect(
            finalizer.status == 0 && finalizer.errors.contains("in gc") && finalizer.errors.contains("Lua warning: ab"))
    }

    @Test func readsTheScriptFromStandardInput() async throws {
        let sandbox = try Sandbox()
        let outcome = try await sandbox.succeed(
            "run", "-", "x", input: Array("#!shebang\nprint(arg[0], ..., vault.put('f', 'y').size)".utf8))
        #expect(outcome.output == "-\tx\t1\n")
        let rest = try await sandbox.script("print(io.read 'a')")
        #expect(rest.output == "\n")
        let failing = try await sandbox.run("run", "-", input: Array("error 'x'".utf8))
        #expect(failing.status == 1 && failing.errors.contains("stdin:1: x"))
        try sandbox.write("s.lua", "print(#io.read 'a')")
        #expect(try await sandbox.succeed("run", "s.lua", input: randomBytes(100_000, seed: 1)).output == "100000\n")
    }

    @Test func requiresModulesAndObeysTheEnvironment() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("lib/mine.lua", "return {name = ..., vault = vault}")
        let outcome = try await sandbox.script(
            "local m = require 'mine' print(m.name, m.vault == vault, require 'vault' == vault)",
            environment: ["LUA_PATH": sandbox.path + "/lib/?.lua;;"])
        #expect(outcome.output == "mine\ttrue\ttrue\n", "\(outcome.errors)")
        let cModule = try await sandbox.script("local lfs = require 'lfs' print(lfs.attributes('home', 'mode'))")
        #expect(cModule.output == "directory\n", "\(cModule.errors)")
        let initial = try await sandbox.script("print(initial)", environment: ["LUA_INIT": "initial = vault.version"])
        #expect(initial.output == "0.1.0\n")
        try sandbox.write("init.lua", "initial = 'from a file'")
        let file = try await sandbox.script(
            "print(initial)", environment: ["LUA_INIT": "@" + sandbox.path + "/init.lua"])
        #expect(file.output == "from a file\n")
        let both = try await sandbox.script("print(a, b)", environment: ["LUA_INIT": "a = 1", "LUA_INIT_5_4": "b = 2"])
        #expect(both.output == "nil\t2\n")
        let broken = try await sandbox.script("print 'not reached'", environment: ["LUA_INIT": "error 'x'"])
        #expect(broken.status == 1 && broken.output == "" && broken.errors.contains("LUA_INIT:1: x"))
    }

    @Test(arguments: [
        "while true do end", "while true do pcall(function() while true do end end) end",
        "while true do pcall(error) end", "coroutine.wrap(function() while true do pcall(error) end end)()",
        "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end",
        "vault.sleep(1000)", "while true do pcall(vault.sleep, 1000) end", "while true do pcall(vault.exists, 'x') end",
        "string.rep('x', 10):gsub('.', function() vault.sleep(1000) end)",
        "local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
        "while true do vault.put('f', tostring(os.clock())) end",
        "for n = 1, 1e9 do vault.open('f' .. n, 'w'):write(('x'):rep(100000)):close() end",
        "table.sort(setmetatable({}, {__len = function() return 1000000000 end, __index = function(_, k) return k end}), function(a, b) return a < b end)",
    ])
    func stopsAtAnInterrupt(script: String) async throws {
        let sandbox = try Sandbox()
        try sandbox.write("s.lua", "print 'ready' io.stdout:flush()\n" + script)
        let running = try sandbox.start(["run", "s.lua"])
        try await running.wait { running.outputSize >= 6 }
        running.send(SIGINT)
        let outcome = try await running.end()
        #expect(outcome.status == 130, "\(outcome.errors)")
        #expect(outcome.errors == "minivault: The script was interrupted.\n", "\(outcome.errors)")
        if sandbox.exists("vault") {
            #expect(try await sandbox.succeed("verify").errors.contains("0 damaged"))
        }
    }

    @Test(arguments: ["vault.sleep(1000)", "while true do end", "vault.spawn(function() while true do end end):join()"])
    func letsAnInterruptedScriptCleanUp(work: String) async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            "s.lua",
            """
            local guard <close> = setmetatable({}, {__close = function(_, err)
              vault.put("closed", err.code) print("closed", vault.get "closed")
            end})
            vault.spawn(function()
              local ok, err = pcall(vault.sleep, 1000)
              vault.put("task", "x") print("task", err.code)
            end)
            vault.spawn(function() vault.sleep(1000) end)
            vault.sleep(0) print "ready" io.stdout:flush()
            \(work)
            """)
        let running = try sandbox.start(["run", "s.lua"])
        try await running.wait { running.outputSize >= 6 }
        running.send(SIGINT)
        let outcome = try await running.end()
        #expect(
            outcome.status == 130 && outcome.errors == "minivault: The script was interrupted.\n", "\(outcome.errors)")
        #expect(
            outcome.lines.contains("closed\tcancelled") && outcome.lines.contains("task\tcancelled"),
            "\(outcome.output)")
    }

    @Test func endsScriptsThatTakeTooMuchTimeOrMemory() async throws {
        let sandbox = try Sandbox()
        for work in ["vault.sleep(1000)", "while true do end", "vault.spawn(vault.sleep, 1000)"] {
            try sandbox.write("s.lua", "vault.put('f', 'x') " + work)
            let outcome = try await sandbox.run("run", "--timeout", "1s", "s.lua")
            #expect(outcome.status == 5, "\(work)")
            #expect(
                outcome.errors == "minivault: The script was stopped: it ran for more than 1s.\n", "\(outcome.errors)")
        }
        for work in [
            "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
            "local function f() return f() + 1 end f()", "while true do vault.spawn(vault.sleep, 1) end",
            "local t = {} while true do t[#t + 1] = vault.spawn(vault.sleep, 1000) vault.sleep(0) end",
            "local s = 'x' while true do s = s .. s end", "vault.put('big', ('x'):rep(30000000)) vault.get 'big'",
            "local function f() vault.spawn(f):join() end f()",
            "local function f() vault.spawn(f) vault.spawn(f) vault.sleep(0.5) end f()",
        ] {
            try sandbox.write("s.lua", "vault.put('f', 'x') " + work)
            let outcome = try await sandbox.run("run", "--memory", "40M", "--timeout", "10m", "s.lua")
            #expect(outcome.status == 1, "\(work): \(outcome.errors.suffix(300))")
            #expect(
                outcome.errors.contains("not enough memory") || outcome.errors.contains("stack overflow"),
                "\(work): \(outcome.errors.suffix(300))")
        }
        #expect(
            try await sandbox.succeed("run", "--memory", "40M", "--timeout", "1h", "-", input: Array("print(1)".utf8))
                .output == "1\n")
        for words: [Word] in [["--timeout", "0"], ["--timeout", "soon"], ["--memory", "lots"]] {
            #expect(try await sandbox.start(["run"] + words + ["s.lua"]).end().status == 2)
        }
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged"))
    }

    @Test func endsWhereItsOutputIsNotRead() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            "s.lua", "vault.put('f', 'x') while true do print(('x'):rep(1000)) vault.put('f', tostring(os.clock())) end"
        )
        let outcome = try await sandbox.shell("'\(Sandbox.program)' run s.lua | head -1 | wc -l; echo ${PIPESTATUS[0]}")
        #expect(outcome.lines.first == "1" && outcome.lines.last == "1", "\(outcome.output) \(outcome.errors)")
        #expect(outcome.errors == "minivault: The script was stopped: nobody reads its output any more.\n")
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged"))
    }

    @Test func endsAtOnceAtTheSecondInterrupt() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            "s.lua", "print 'ready' io.stdout:flush() local s = ('a'):rep(40) s:find(('a-'):rep(40) .. 'b')")
        let running = try sandbox.start(["run", "s.lua"])
        try await running.wait { running.outputSize >= 6 }
        running.send(SIGINT)
        // The two must not become one signal.
        try await Task.sleep(for: .milliseconds(100))
        running.send(SIGINT)
        #expect(try await running.end().status == 130)
    }

    @Test func passesSignalsOnToChildrenAsTheyWere() async throws {
        let sandbox = try Sandbox()
        let outcome = try await sandbox.script(
            "vault.put('f', 'x') local p = io.popen [[grep -E '^Sig(Blk|Ign)' /proc/self/status]] io.write(p:read 'a') p:close()"
        )
        // The C library's own two signals, 32 and 33, are for it to ignore in a child.
        let ignored = outcome.output.replacingOccurrences(of: "180000000", with: "000000000")
        #expect(ignored == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", "\(outcome.output)")
        let files = try await sandbox.script(
            "vault.put('f', 'x') local r = vault.open 'f' local p = io.popen 'ls -l /proc/self/fd' io.write(p:read 'a') p:close()"
        )
        #expect(!files.output.contains("vault/"), "\(files.output)")
    }
}
