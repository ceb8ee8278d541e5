import Testing

/// `hook check` and `hook test`, which need no server.
@Suite struct HookCommandTests {
    private let hooks = """
        vault.on("before_save", {match = "*.csv", priority = 2, timeout = 30}, function(event)
          print("looking at", event.name)
          if event.size > 10 then return event:reject "too large" end
          event:tag("team", event.user)
          event:rename("data/" .. event.name)
        end)
        vault.on("save", function(event)
          local entry = assert(vault.stat(event.name))
          if event:read(4) == "fail" then error "as it was asked to" end
          vault.put("seen", tostring(vault.kv.incr("seen", 1, event.id)))
          vault.log.warn("version %d, seen %s", entry.version, vault.get "seen")
        end)
        vault.on("rename", function(event) print(event.from, event.name) end)
        vault.on("remove", function(event) print(event.name, event.version, event.entry.kind) end)
        vault.on("login", {timeout = 15}, function(event) if event.user == "eve" then return event:reject "not eve" end end)
        vault.every({at = "03:05"}, function() print(vault.list():count()) end)
        """

    @Test func checkTellsWhatAFileAsksFor() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("hooks.lua", hooks)
        let outcome = try await sandbox.succeed("hook", "check", "hooks.lua")
        #expect(
            outcome.lines == [
                "hooks.lua:1\tbefore_save\tmatch=*.csv\tpriority=2\ttimeout=30s", "hooks.lua:7\tsave\ttimeout=60s",
                "hooks.lua:13\trename\ttimeout=60s", "hooks.lua:14\tremove\ttimeout=60s",
                "hooks.lua:15\tlogin\ttimeout=15s", "hooks.lua:16\tevery\tat=03:05\ttimeout=60s",
            ], "\(outcome.output)")
        #expect(outcome.errors == "6 hooks, and nothing is wrong.\n")
        try sandbox.write("few.lua", "vault.on('login', print) vault.on('before_read', {timeout = 0.5}, print)")
        #expect(
            try await sandbox.succeed("hook", "check", "few.lua").lines == [
                "few.lua:1\tlogin\ttimeout=2s", "few.lua:1\tbefore_read\ttimeout=0.5s",
            ])
    }

    @Test(arguments: [
        ("x = = 1", "hooks.lua:1: unexpected symbol near '='"),
        ("vault.on('none', print)", "bad argument #1 to 'on' (before_save, "),
        ("vault.on('save')", "bad argument #2 to 'on' (function expected, got nil)"),
        ("vault.on('save', {mach = 'x'}, print)", "bad argument #2 to 'on' (unknown option 'mach')"),
        ("vault.on('save', {timeout = 0}, print)", "field 'timeout': a number of seconds expected"),
        ("vault.on('save', {timeout = 'soon'}, print)", "field 'timeout': a number of seconds expected, or text such"),
        ("vault.on('save', {timeout = '2d'}, print)", "field 'timeout': a number of seconds expected"),
        ("vault.on('login', {timeout = '1m'}, print)", "a login waits 15 seconds at most"),
        ("vault.on('save', {timeout = '90s'}, print) vault.every('1h', {timeout = '2m'}, print)", ""),
        ("vault.on('save', {on_error = 'accept'}, print)", "unknown option 'on_error'"),
        ("vault.on('login', {timeout = 60}, print)", "a login waits 15 seconds at most"),
        ("vault.every('often', print)", "bad argument #1 to 'every' (a time such as"),
        ("vault.every({at = '25:00'}, print)", "field 'at': a time such as '03:00' expected"),
        ("f = 1", "make 'f' local"), ("vault.get 'x'", "acts on no vault"),
        ("return {}", ""), ("error {}", "hooks file cannot be used"),
    ])
    func checkSaysWhatIsWrong(text: String, expected: String) async throws {
        let sandbox = try Sandbox()
        try sandbox.write("hooks.lua", text)
        let outcome = try await sandbox.run("hook", "check", "hooks.lua")
        #expect(outcome.status == (expected.isEmpty ? 0 : 1) && outcome.errors.contains(expected), "\(outcome.errors)")
    }

    @Test func testGivesAVerdictOnEachFile() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("hooks.lua", hooks)
        try sandbox.write(
            "endless.lua", "vault.on('before_save', {timeout = 0.5}, function() while true do end end)")
        for (name, text) in [("a.csv", "1,2"), ("b.csv", "1,2,3,4,5,6"), ("c.txt", "")] {
            try sandbox.write(name, text)
        }
        let good = try await sandbox.succeed("hook", "test", "hooks.lua", "--event", "before_save", "a.csv", "c.txt")
        #expect(good.lines.count == 3 && good.lines[0] == "  hooks.lua:1 info: looking at\\ta.csv", "\(good.output)")
        #expect(good.lines[1].hasPrefix("a.csv  accepted, renamed to 'data/a.csv', tagged team=anna ("))
        #expect(good.lines[2] == "c.txt  no hook is asked")
        let bad = try await sandbox.run(
            "hook", "test", "hooks.lua", "--event", "before_save", "b.csv", "a.csv", "--as", "in/", "--user", "bert")
        #expect(bad.status == 7 && bad.lines[1].hasPrefix("in/b.csv  rejected by hooks.lua:1: too large ("))
        #expect(bad.lines[3].hasPrefix("in/a.csv  accepted, renamed to 'data/in/a.csv', tagged team=bert"))
        let endless = try await sandbox.run("hook", "test", "endless.lua", "--event", "before_save", "a.csv")
        #expect(
            endless.status == 1 && endless.errors.contains("endless.lua:1 did not end within 0.5 seconds"),
            "\(endless.errors)")
        #expect(try await sandbox.run("hook", "test", "hooks.lua", "--event", "before_save", "none").status == 3)
        #expect(try await sandbox.run("hook", "test", "hooks.lua", "--event", "never", "a.csv").status == 2)
        #expect(try await sandbox.run("hook", "test", "hooks.lua", "--event", "save").status == 2)
    }

    @Test func testTellsOfEventsOnAVaultOfItsOwn() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("hooks.lua", hooks)
        for (name, text) in [("a", "one"), ("b", "two"), ("c", "fail")] { try sandbox.write(name, text) }
        let saved = try await sandbox.succeed("hook", "test", "hooks.lua", "--event", "save", "a", "b")
        #expect(
            saved.lines[0] == "  hooks.lua:7 warn: version 1, seen 1" && saved.lines[2].hasSuffix("seen 2"),
            "\(saved.output)")
        #expect(saved.lines[1].hasPrefix("a  told ("))
        let failed = try await sandbox.run("hook", "test", "hooks.lua", "--event", "save", "c")
        #expect(
            failed.status == 1 && failed.lines[0] == "c  failed: hooks.lua:9: as it was asked to", "\(failed.output)")
        #expect(failed.output.contains("stack traceback:"))
        let renamed = try await sandbox.succeed("hook", "test", "hooks.lua", "--event", "rename", "a")
        #expect(renamed.lines[0] == "  hooks.lua:13 info: before/a\\ta")
        let removed = try await sandbox.succeed("hook", "test", "hooks.lua", "--event", "remove", "a")
        #expect(removed.lines[0] == "  hooks.lua:14 info: a\\t2\\tfile")
        #expect(try await sandbox.run("hook", "test", "hooks.lua", "--event", "login", "--user", "eve").status == 7)
        let scheduled = try await sandbox.succeed("hook", "test", "hooks.lua", "--event", "every")
        #expect(scheduled.lines[0] == "  hooks.lua:16 info: 0" && scheduled.lines[1].hasPrefix("every  done ("))
        // Nothing is left, and nobody's vault was touched.
        #expect(try await sandbox.succeed("list", "--versions").output == "" && !sandbox.exists("home/data"))
    }
}
