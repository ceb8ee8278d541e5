import LuaEngine
import Testing
import VaultModel

@testable import VaultLua

@Suite struct TasksTests {
    @Test func beginsATaskWhenTheScriptWaits() async {
        await script(
            #"""
            local log = {}
            local task = vault.spawn(function(...) log[#log + 1] = "task" return ... end, 1, nil, "three")
            equal(#log, 0) equal(task:status(), "ready") equal(tostring(task), "vault task 1: ready")
            local a, b, c, d = task:join()
            equal(#log, 1) equal(a, 1) equal(b, nil) equal(c, "three") equal(d, nil) equal(select("#", task:join()), 3)
            equal(task:status(), "done")
            local ok, x, y, z = task:result() equal(ok, true) equal(x, 1) equal(y, nil) equal(z, "three")
            local many = vault.spawn(function() return table.unpack({}, 1, 5000) end)
            equal(select("#", many:join()), 5000)
            local callable = setmetatable({}, {__call = function(self, ...) return select("#", ...) end})
            equal(vault.spawn(callable, nil, nil):join(), 2)
            misuse("bad argument #1 to 'spawn' (function expected, got nil)", function() vault.spawn(nil) end)
            misuse("bad argument #1 to 'spawn' (function expected, got nil)", function() vault.spawn() end)
            """#)
    }

    @Test func interleavesTasksThatWait() async {
        await script(
            #"""
            local order = {}
            local function work(name)
              for n = 1, 3 do vault.put(name .. n, name) order[#order + 1] = name end
              return vault.list(name):count()
            end
            local tasks = {}
            for _, name in ipairs {"a", "b", "c"} do tasks[#tasks + 1] = vault.spawn(work, name) end
            vault.wait_all(tasks)
            equal(#order, 9)
            assert(table.concat(order) ~= "aaabbbccc", table.concat(order))
            -- Sleeping tasks end in the order of their times.
            order = {}
            for _, s in ipairs {0.03, 0.01, 0.02} do
              tasks[#tasks + 1] = vault.spawn(function() vault.sleep(s) order[#order + 1] = s end)
            end
            vault.wait_all(tasks)
            equal(table.concat(order, " "), "0.01 0.02 0.03")
            """#)
    }

    @Test func givesErrorsToWhoAsks() async {
        let log = LogLines()
        await script(
            #"""
            local object = {}
            local task = vault.spawn(function() error(object) end)
            equal(raises(task.join, task), object) equal(raises(task.join, task), object) equal(task:status(), "failed")
            local ok, err = task:result() equal(ok, false) equal(err, object)
            local lost = vault.spawn(function() vault.get "none" end)
            local caught = fails("not_found", function() lost:join() end) equal(caught.operation, "get")
            assert(caught.traceback:find "in function <test:5>", caught.traceback)
            local text = vault.spawn(function() error "plain" end)
            equal(select(2, text:result()), "test:8: plain")
            local deep = vault.spawn(function() return vault.spawn(function() error "inner" end):join() end)
            equal(select(2, deep:result()), "test:10: inner")
            """#, log: log)
        #expect(log.all == [])
    }

    @Test func tellsOfFailuresThatNobodyAsksFor() async {
        let log = LogLines()
        await script(
            #"""
            vault.spawn(function() local function lost() error "kept" end lost() end)
            do vault.spawn(function() error "dropped" end) end
            vault.spawn(function() vault.get "none" end)
            local cancelled = vault.spawn(function() vault.sleep(100) end)
            vault.sleep(0) cancelled:cancel()
            vault.sleep(0) collectgarbage()
            vault.log.info "later"
            """#, log: log)
        let failures = log.all.filter { $0.hasPrefix("failed: ") }
        #expect(failures.count == 3, "\(log.all)")
        #expect(failures.contains { $0.contains("test:1: kept\nstack traceback:") && $0.contains("'lost'") })
        #expect(failures.contains { $0.contains("test:2: dropped") })
        #expect(failures.contains { $0.contains("holds nothing under 'none'") })
        // What was collected is told of at once.
        let (dropped, later) = (log.all.firstIndex { $0.contains("dropped") }, log.all.firstIndex(of: "info: later"))
        #expect(dropped ?? 9 < later ?? 0)
    }

    @Test func joinsWhatRunsAtTheEnd() async {
        let log = LogLines()
        await script(
            #"""
            vault.spawn(function()
              vault.sleep(0.01)
              vault.spawn(function() vault.sleep(0.01) vault.put("late", "x") vault.log.info("ended %s", vault.get "late") end)
            end)
            """#, log: log)
        #expect(log.all == ["info: ended x"])
    }

    @Test func cancelsTheTasksOfAScriptThatFails() async {
        let log = LogLines()
        let failure = await scriptFailure(
            #"""
            vault.spawn(function()
              local guard <close> = setmetatable({}, {__close = function(_, err)
                vault.put("closed", "x") vault.log.info("%s %s", err.code, vault.get "closed")
              end})
              vault.sleep(1000)
            end)
            vault.spawn(function() vault.spawn(vault.sleep, 1000) vault.sleep(1000) end)
            vault.sleep(0)
            vault.spawn(function() error "never begun" end)
            error "lost"
            """#, log: log)
        #expect(failure?.hasPrefix("test:10: lost") == true)
        #expect(log.all == ["info: cancelled x"])
    }

    @Test func cancelsTheTasksOfATaskThatFails() async {
        await script(
            #"""
            local child, orphan
            local parent = vault.spawn(function()
              child = vault.spawn(vault.sleep, 1000)
              vault.sleep(0)
              error {}
            end)
            parent:result()
            equal(fails("cancelled", function() child:join() end).operation, "sleep") equal(child:status(), "cancelled")
            local well = vault.spawn(function() orphan = vault.spawn(function() vault.sleep(0.01) return "alive" end) end)
            well:join() equal(orphan:join(), "alive")
            """#)
    }

    @Test func raisesCancelledOnceWhereTheTaskWaits() async {
        await script(
            #"""
            local log = {}
            local task = vault.spawn(function()
              local ok, err = pcall(vault.sleep, 1000)
              log[#log + 1] = err.code
              vault.put("after", "x") log[#log + 1] = vault.get "after"
              return "cleaned up"
            end)
            vault.sleep(0) equal(task:status(), "waiting")
            task:cancel() task:cancel()
            equal(task:join(), "cleaned up") equal(task:status(), "done") equal(table.concat(log, " "), "cancelled x")
            task:cancel() equal(task:status(), "done")
            local unbegun = vault.spawn(function() log[#log + 1] = "begun" end)
            unbegun:cancel() equal(unbegun:status(), "cancelled") fails("cancelled", function() unbegun:join() end) equal(#log, 2)
            -- One that cancels itself goes on until it waits.
            local self
            self = vault.spawn(function() self:cancel() log[#log + 1] = "on" vault.sleep(0) log[#log + 1] = "never" end)
            fails("cancelled", function() self:join() end) equal(log[#log], "on")
            -- In a generator, the error passes through it.
            local closed = {}
            local nested = vault.spawn(function()
              for _ in coroutine.wrap(function()
                local guard <close> = setmetatable({}, {__close = function(_, e) closed[1] = e.code end})
                coroutine.yield(1) vault.sleep(1000)
              end) do end
            end)
            vault.sleep(0) nested:cancel() fails("cancelled", function() nested:join() end) equal(closed[1], "cancelled")
            """#)
    }

    @Test func waitsForAll() async {
        await script(
            #"""
            local function after(s, ...) vault.sleep(s) return ... end
            local results = vault.wait_all {vault.spawn(after, 0.01, "a", "b"), vault.spawn(after, 0), vault.spawn(after, 0, "c")}
            equal(results[1], "a") equal(results[2], nil) equal(results[3], "c") equal(results.n, 3)
            equal(vault.wait_all({}).n, 0)
            local slow = vault.spawn(function() vault.sleep(0.02) return "slow" end)
            local err = raises(vault.wait_all, {slow, vault.spawn(error, "first", 0), vault.spawn(error, "second", 0)})
            equal(err, "first") equal(slow:status(), "done")
            misuse("bad argument #1 to 'wait_all' (table expected, got nil)", function() vault.wait_all() end)
            misuse("bad argument #1 to 'wait_all' (element 1 is no task, but a number)", function() vault.wait_all {1} end)
            """#)
    }

    @Test func waitsForAny() async {
        await script(
            #"""
            local slow, fast = vault.spawn(vault.sleep, 1000), vault.spawn(function() vault.sleep(0.005) return "fast" end)
            local first = vault.wait_any {slow, fast}
            assert(rawequal(first, fast)) equal(first:join(), "fast") assert(rawequal(vault.wait_any {slow, fast}, fast))
            local failing = vault.spawn(error, "x", 0)
            assert(rawequal(vault.wait_any {slow, failing}, failing)) equal(failing:result(), false)
            slow:cancel()
            misuse("bad argument #1 to 'wait_any' (it has no tasks)", function() vault.wait_any {} end)
            misuse("bad argument #1 to 'wait_any' (element 2 is no task, but a string)", function() vault.wait_any {slow, "x"} end)
            """#)
    }

    @Test func raisesForWaitsThatCouldNeverEnd() async {
        await script(
            #"""
            local own own = vault.spawn(function() return own:join() end)
            fails("invalid", function() own:join() end)
            local a, b
            a = vault.spawn(function() return b:join() end) b = vault.spawn(function() return a:join() end)
            fails("invalid", function() vault.wait_all {a, b} end)
            -- Where nothing waits for something outside, though no two wait for each other alone.
            local c, d
            c = vault.spawn(function() return vault.wait_any {d, c} end)
            d = vault.spawn(function() return c:join() end)
            local ok, err = c:result()
            if ok then fails("invalid", function() d:join() end) else equal(err.code, "invalid") end
            d:result()
            -- Where the task that waits holds up the one that it waits for.
            local other = vault.spawn(function() vault.sleep(0) return 1 end)
            local sorting = vault.spawn(function()
              table.sort({1, 2}, function(x, y) return other:join() == x end)
            end)
            local refused = fails("invalid", function() sorting:join() end)
            assert(refused.message:find "cannot be waited for here", refused.message)
            equal(other:join(), 1)
            -- In the main chunk it can be.
            local third = vault.spawn(function() vault.sleep(0) return 3 end)
            equal((("x"):gsub("x", function() return third:join() end)), "3")
            """#)
    }

    @Test func holdsUpTheOthersWhereLuaCannotYield() async {
        await script(
            #"""
            vault.put("f", "v")
            local log = {}
            local sorting = vault.spawn(function()
              local list = {3, 1, 2}
              table.sort(list, function(a, b) log[#log + 1] = vault.get "f" vault.sleep(0.002) return a < b end)
              return table.concat(list)
            end)
            local other = vault.spawn(function() log[#log + 1] = "other" vault.sleep(0) return ("x"):gsub("x", vault.get "f") end)
            equal(sorting:join(), "123") equal(other:join(), "v")
            for n = 1, #log - 1 do equal(log[n], "v") end equal(log[#log], "other")
            local generators = vault.spawn(function()
              local names = coroutine.wrap(function() for e in vault.list() do coroutine.yield(e.name) end end)
              return names(), names()
            end)
            equal(generators:join(), "f")
            local yields = vault.spawn(function() coroutine.yield(1) end)
            assert(select(2, yields:result()):find "attempt to yield from a task", select(2, yields:result()))
            """#)
    }

    @Test func raisesInFinalizers() async {
        await script(
            #"""
            local got
            do local x = setmetatable({}, {__gc = function() got = select(2, pcall(vault.exists, "x")) end}) end
            collectgarbage() collectgarbage()
            assert(got:find "a finalizer cannot wait for the vault", got)
            """#)
    }

    @Test func hasAVaultOfItsOwnWithinAConnection() async {
        await script(
            #"""
            local a, b = vault.connect(tmp .. "/a"), vault.connect(tmp .. "/b")
            local function fill(connection, name)
              return vault.spawn(vault.with, connection, function()
                for n = 1, 5 do vault.put(name .. n, name) end
                vault.spawn(vault.put, "child", name):join()
              end)
            end
            vault.wait_all {fill(a, "a"), fill(b, "b")}
            equal(a:list():count(), 6) equal(b:list():count(), 6) equal(a:get "child", "a") equal(vault.list():count(), 0)
            vault.with(a, function() vault.spawn(function() vault.sleep(0) vault.put("inherited", "x") end) end)
            vault.sleep(0.001) vault.put("mine", "x")
            vault.wait_all {vault.spawn(vault.sleep, 0.01)}
            assert(a:exists "inherited" and not vault.exists "inherited" and vault.exists "mine")
            """#)
    }

    @Test func refusesTwoTasksOneHandle() async {
        await script(
            #"""
            vault.put("big", noise(3 << 20))
            local f <close> = vault.open "big"
            local one, two = vault.spawn(f.read, f, "a"), vault.spawn(f.read, f, "a")
            equal(#one:join(), 3 << 20) fails("invalid", function() two:join() end)
            local l = vault.list()
            one, two = vault.spawn(l.all, l), vault.spawn(l.count, l)
            equal(#one:join(), 1) fails("invalid", function() two:join() end)
            local w = vault.open("w", "w")
            one, two = vault.spawn(w.write, w, noise(9 << 20)), vault.spawn(w.write, w, "x")
            one:join() fails("invalid", function() two:join() end)
            w:write "y" equal(w:close().size, (9 << 20) + 1)
            """#)
    }

    @Test func refuseAtOnceToWaitForThemselves() async {
        await script(
            #"""
            local other = vault.spawn(vault.sleep, 1000)
            local task; task = vault.spawn(function() return task:join() end)
            fails("invalid", function() task:join() end)
            local a, b
            a = vault.spawn(function() vault.sleep(0) b:join() end)
            b = vault.spawn(function() vault.sleep(0) a:join() end)
            fails("invalid", function() vault.wait_all {a, b} end)
            equal(other:status(), "waiting") other:cancel() other:result()
            """#)
    }

    @Test func areManyThatWaitForOne() async {
        await script(
            #"""
            local one, waiting = vault.spawn(vault.sleep, 0.02), {}
            for n = 1, 5000 do waiting[n] = vault.spawn(one.join, one) end
            equal(vault.wait_all(waiting).n, 5000)
            """#)
    }
}
