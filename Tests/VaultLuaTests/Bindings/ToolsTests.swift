import Testing

@testable import VaultLua

@Suite struct ToolsTests {
    @Test func writesToTheLog() async {
        let log = LogLines()
        await script(
            #"""
            vault.log.debug "d" vault.log.info "100%" vault.log.warn("%s is %d%%", "x", 5) vault.log.error(7)
            vault.log.info("%s", setmetatable({}, {__tostring = function() return "object" end}))
            vault.log.info("%s", nil) vault.log.info "two\nlines\27[31m" vault.log.info "\xff"
            misuse("bad argument #1 to 'info' (string expected, got nil)", function() vault.log.info(nil) end)
            misuse("bad argument #1 to 'warn' (string expected, got no value)", function() vault.log.warn() end)
            raises(function() vault.log.info("%d", "x") end)
            raises(function() vault.log.info("%d %d", 1) end)
            """#, log: log)
        #expect(
            log.all == [
                "debug: d", "info: 100%", "warn: x is 5%", "error: 7", "info: object", "info: nil",
                #"info: two\nlines\x1B[31m"#, "info: ‛FF",
            ])
    }

    @Test func digests() async {
        await script(
            #"""
            local path = write("f", "abc")
            equal(vault.digest(path, "sha256"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
            equal(vault.digest(path), vault.save(path).digest)
            local big = write("big", noise(5 << 20))
            equal(vault.digest(big), vault.save(big).digest)
            equal(#vault.digest(big, "sha256"), 64) assert(vault.digest(big, "sha256") ~= vault.digest(big))
            equal(vault.digest(write("empty", "")), vault.save(tmp .. "/empty").digest)
            misuse("bad argument #2 to 'digest' (invalid digest 'md5')", function() vault.digest(path, "md5") end)
            misuse("bad argument #1 to 'digest' (string expected, got no value)", function() vault.digest() end)
            fails("not_found", function() vault.digest(tmp .. "/none") end)
            os.execute("mkfifo '" .. tmp .. "/pipe'")
            for _, path in ipairs {tmp, tmp .. "/pipe"} do
              fails("invalid", function() vault.digest(path) end)
              fails("invalid", function() vault.digest(path, "sha256") end)
            end
            """#)
    }

    @Test func runsPrograms() async {
        await script(
            #"""
            local r = vault.exec({"sh", "-c", "cat; echo err >&2; exit 3"}, {stdin = "in\0\xff"})
            equal(r.code, 3) equal(r.stdout, "in\0\xff") equal(r.stderr, "err\n")
            equal(vault.exec({"sh", "-c", "kill -9 $$"}).code, 137) equal(vault.exec {"true"}.code, 0)
            equal(#vault.exec({"cat"}, {stdin = noise(1000000)}).stdout, 1000000)
            equal(vault.exec({"true"}, {stdin = noise(1000000)}).code, 0)
            equal(vault.exec({"printf", "%s|", "a b", "", "$HOME", "*"}).stdout, "a b||$HOME|*|")
            fails("timeout", function() vault.exec({"sleep", "100"}, {timeout = 0.05}) end)
            fails("timeout", function() vault.exec({"sleep", "100"}, {timeout = "0s"}) end)
            equal(vault.exec({"true"}, {timeout = "10m"}).code, 0)
            misuse("bad argument #2 to 'exec' (field 'timeout': number expected, got string)", function()
              vault.exec({"true"}, {timeout = "soon"})
            end)
            fails("timeout", function() vault.exec({"sh", "-c", "exec >&- 2>&-; exec sleep 100"}, {timeout = 0.05}) end)
            fails("not_found", function() vault.exec {"/nowhere/program"} end)
            misuse("bad argument #1 to 'exec' (a program and its arguments expected)", function() vault.exec {} end)
            misuse("bad argument #1 to 'exec' (table expected, got string)", function() vault.exec "ls" end)
            misuse("bad argument #2 to 'exec' (unknown option 'shell')", function() vault.exec({"ls"}, {shell = true}) end)
            """#)
    }

    @Test func sleeps() async {
        await script(
            #"""
            vault.sleep(0) vault.sleep(0.02) vault.sleep "0.01" vault.sleep "0s"
            for _, bad in ipairs {-1, 0 / 0, 1 / 0, 1e300} do
              misuse("bad argument #1 to 'sleep' (a time of 0 or more seconds expected)", function() vault.sleep(bad) end)
            end
            misuse("bad argument #1 to 'sleep' (number expected, got string)", function() vault.sleep "soon" end)
            """#)
    }

    @Test func isOneModule() async {
        await script(
            #"""
            equal(require "vault", vault) equal(package.loaded.vault, vault)
            equal(vault.version, "0.1.0")
            misuse("vault.on works in hooks only: put it in a file for 'serve --hooks FILE'", function()
              vault.on("save", print)
            end)
            misuse("vault.every works in hooks only: put it in a file for 'serve --hooks FILE'", function()
              vault.every("1h", print)
            end)
            """#)
        #expect(Set(VaultLibrary.bindings.map(\.name)).count == VaultLibrary.bindings.count)
        for binding in VaultLibrary.bindings {
            #expect(binding.usage.hasPrefix(binding.name + "("), "\(binding.usage)")
            #expect(binding.summary.hasSuffix("."))
        }
    }

    /// Whoever starts a thread may have blocked them.
    @Test func startsProgramsThatHearSignals() async {
        await script(
            #"""
            local status = vault.exec {"grep", "SigBlk", "/proc/self/status"}.stdout
            assert(status:find "SigBlk:%s+0+\n", status)
            local file = io.popen "exec grep SigBlk /proc/self/status"
            status = file:read "a" file:close()
            assert(status:find "SigBlk:%s+0+\n", status)
            equal(vault.exec {"sh", "-c", "sleep 0.01 & wait; kill -TERM $$; echo survived"}.stdout, "")
            """#)
    }

    @Test func refusesTimesThatAreNone() async {
        await script(
            #"""
            for _, time in ipairs {-1, 1e300, 1 / 0, 0 / 0} do
              fails("invalid", function() vault.exec({"true"}, {timeout = time}) end)
            end
            """#)
    }

    @Test func aProgramEndsWhateverItDoesWithItsStreams() async {
        await script(
            #"""
            local input = ("x"):rep(1000000)
            -- It closes its output, and reads afterwards.
            local late = vault.exec({"sh", "-c", "exec >'" .. tmp .. "/counted' 2>&1; wc -c; exit 3"}, {stdin = input})
            equal(late.code, 3) equal(tonumber(slurp "counted"), 1000000)
            -- It reads nothing, or a part.
            equal(vault.exec({"sh", "-c", "exec <&-; echo out; exit 4"}, {stdin = input}).stdout, "out\n")
            equal(vault.exec({"head", "-c", "5"}, {stdin = input}).stdout, "xxxxx")
            -- It leaves a child that has its output, and that goes on.
            local left = vault.exec {"sh", "-c", "sleep 1000 & echo $!"}
            equal(left.code, 0) assert(os.execute("kill " .. left.stdout))
            -- It writes more than a pipe holds before it reads.
            equal(#vault.exec({"sh", "-c", "head -c 300000 /dev/zero; cat"}, {stdin = input}).stdout, 1300000)
            """#)
    }

    @Test func aProgramHasTheSurroundingsThatItIsGiven() async {
        await script(
            #"""
            local held = assert(io.open(tmp .. "/held", "w"))
            equal(vault.exec({"sh", "-c", "ls -l /proc/$$/fd | grep -c /held"}).stdout, "0\n") held:close()
            local r = vault.exec({"sh", "-c", "pwd; echo $A $HOME; ps -o pgid= $$"}, {cwd = "/", env = {A = "b", HOME = false}})
            assert(r.stdout:find "^/\nb\n", r.stdout)
            write("program", "#!/bin/sh\necho from here\n") os.execute("chmod 700 '" .. tmp .. "/program'")
            equal(vault.exec({"./program"}, {cwd = tmp}).stdout, "from here\n")
            assert(fails("not_found", function() vault.exec({"true"}, {cwd = tmp .. "/none"}) end).message:find "/none")
            fails("not_found", function() vault.exec({"true"}, {cwd = tmp .. "/program"}) end)
            fails("invalid", function() vault.exec({"true"}, {env = {["a=b"] = "c"}}) end)
            misuse("bad argument #2 to 'exec' (field 'env': table expected, got string)", function()
              vault.exec({"true"}, {env = "A=b"})
            end)
            """#)
    }

    @Test func allThatAProgramHasStartedEndsWithIt() async {
        await script(
            #"""
            -- What has ended may stay known until its new parent looks.
            local function is_there(pid)
              local file <close> = io.open("/proc/" .. pid .. "/stat")
              return file and not file:read "a":find ") Z " and true
            end
            local function pid(name)
              while true do
                local file = io.open(tmp .. "/" .. name)
                local number = file and file:read "n"
                if file then file:close() end
                if number then return number end
                vault.sleep(0.005)
              end
            end
            local line = "sleep 1000 & echo $! >'" .. tmp .. "/%s'; %s"
            fails("timeout", function() vault.exec({"sh", "-c", line:format("first", "wait")}, {timeout = 0.2}) end)
            assert(not is_there(pid "first"))
            -- One that does not take the request to end is ended two seconds later.
            local task = vault.spawn(vault.exec, {"sh", "-c", "trap '' TERM; " .. line:format("second", "while :; do wait; done")})
            local child = pid "second" task:cancel() task:result() assert(not is_there(child))
            -- What it cleans up meanwhile is done.
            fails("timeout", function()
              vault.exec({"sh", "-c", "trap 'echo done >\"" .. tmp .. "/cleaned\"; exit' TERM; sleep 1000 & wait"}, {timeout = 0.2})
            end)
            equal(slurp "cleaned", "done\n")
            """#)
    }
}
