import Glibc
import LuaEngine
import Testing
import VaultModel

@testable import VaultLua

@Suite struct CallSiteTests {
    @Test func tellsProgressAtLeastAtTheEnd() async {
        await script(
            #"""
            local calls = {}
            local function progress(p) calls[#calls + 1] = p end
            local function last(done)
              local p = calls[#calls]
              assert(p, "no progress was told")
              equal(p.done, done) assert(p.total == nil or p.total >= p.done)
              equal(math.type(p.done), "integer") equal(math.type(p.rate), "float") equal(math.type(p.reused), "integer")
              assert(#calls < 100)
              calls = {}
              return p
            end
            local path = write("f", noise(5 << 20))
            vault.save(path, "f", {progress = progress}) equal(last(5 << 20).name, "f")
            vault.save(path, "g", {progress = progress}) equal(last(5 << 20).reused, 5 << 20)
            vault.read("f", tmp .. "/out", {progress = progress}) last(5 << 20)
            vault.save(write("small", "x"), "small", {progress = progress}) equal(last(1).total, 1)
            local dir = mkdir "t" write("t/a", "aa") write("t/b", "b")
            vault.push(dir, "t", {progress = progress}) last(3)
            vault.pull("t", tmp .. "/pulled", {progress = progress}) last(3)
            """#)
    }

    @Test func letsTheProgressFunctionCancel() async {
        await script(
            #"""
            os.execute("truncate -s 400M '" .. tmp .. "/big'")
            local path = tmp .. "/big"
            local err = fails("cancelled", function()
              vault.save(path, "big", {progress = function(p) return false end})
            end)
            equal(err.operation, "save") equal(vault.stat "big", nil)
            local mine = {}
            equal(raises(function() vault.save(path, "big", {progress = function() error(mine) end}) end), mine)
            equal(vault.stat "big", nil)
            local text = raises(function() vault.save(path, "big", {progress = function() vault.exists "x" end}) end)
            assert(text:find "a progress function cannot wait for the vault", text)
            equal(vault.stat "big", nil)
            local yielded = raises(function() vault.save(path, "big", {progress = function() coroutine.yield() end}) end)
            assert(tostring(yielded):find "attempt to yield", tostring(yielded))
            local calls, thread = 0, nil
            vault.save(write("small", "x"), "s", {progress = function()
              calls = calls + 1 thread = coroutine.running()
              equal(select(2, coroutine.running()), false)
              return nil
            end})
            assert(calls >= 1 and thread ~= coroutine.running())
            """#)
    }

    @Test func endsByAnInterrupt() async {
        for wait in [
            "vault.sleep(1000)", "while true do pcall(vault.sleep, 1000) end",
            "coroutine.wrap(function() while true do pcall(vault.sleep, 1000) end end)()",
            "local x <close> = setmetatable({}, {__close = function() vault.sleep(1000) end}) vault.sleep(1000)",
            "while true do pcall(vault.exists, 'x') end",
            "local f = vault.open('f', 'w') while true do f:write(noise(100000)) end",
        ] {
            let interrupt = LuaInterrupt()
            async let failure = scriptFailure(wait, interrupt: interrupt)
            try? await Task.sleep(for: .milliseconds(150))
            interrupt.interrupt()
            let text = await failure
            #expect(
                text?.contains("interrupted!") == true || text?.contains("cancelled") == true, "\(wait): \(text ?? "-")"
            )
        }
    }

    @Test func waitsInCoroutines() async {
        await script(
            #"""
            local co = coroutine.wrap(function()
              for n = 1, 3 do vault.put("f", tostring(n)) coroutine.yield(vault.get "f") end
              for e in vault.list() do coroutine.yield(e.name) end
            end)
            equal(co(), "1") equal(co(), "2") equal(co(), "3") equal(co(), "f")
            local t = setmetatable({}, {__index = function(_, key) return vault.get(key) end})
            equal(t.f, "3")
            table.sort({"a", "b", "c"}, function(a, b) vault.exists(a) return a < b end)
            equal((("x"):gsub("x", function() return vault.get "f" end)), "3")
            """#)
    }
}
