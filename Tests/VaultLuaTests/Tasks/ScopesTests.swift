import Testing

/// Scopes belong to the coroutines that made them, and to nothing else.
@Suite struct ScopesTests {
    @Test func leavesTheConsumerOfAGeneratorAlone() async {
        await script(
            #"""
            local other = vault.connect(tmp .. "/other")
            for n in coroutine.wrap(function()
              vault.with(other, function() coroutine.yield "a" vault.put("mine", "x") coroutine.yield "b" end)
            end) do vault.put("loop/" .. n, "x") end
            equal(vault.list():count(), 2) equal(other:list():count(), 1) assert(other:exists "mine")
            -- Nor is it stopped by the generator's limit, which stops the generator.
            local generator = coroutine.wrap(function()
              return pcall(vault.timeout, 0.005, function() coroutine.yield "begun" vault.sleep(1000) end)
            end)
            equal(generator(), "begun") vault.sleep(0.01)
            local child = vault.spawn(function() vault.sleep(0.005) return "consumer's" end)
            local ok, err = generator() equal(ok, false) equal(err.code, "timeout") equal(child:join(), "consumer's")
            -- Abandoned in the middle, and collected.
            do
              local dropped = coroutine.wrap(function()
                vault.timeout(1000, function() vault.with(other, function() coroutine.yield(1) end) end)
              end)
              dropped()
            end
            child = vault.spawn(function() vault.sleep(0.005) vault.put("default", "x") return "alive" end)
            collectgarbage() collectgarbage() vault.sleep(0)
            equal(child:join(), "alive") assert(vault.exists "default" and not other:exists "default")
            """#)
    }

    @Test func endsALimitWithItsCall() async {
        await script(
            #"""
            -- What a limit stopped is over with it: nothing that comes later is cancelled.
            pcall(vault.timeout, 0.001, vault.sleep, 1000)
            vault.spawn(function() pcall(vault.timeout, 0.001, vault.sleep, 1000) vault.sleep(5.2) end):join()
            vault.sleep(0.01)
            """#)
    }

    @Test func closesACancelledTaskThatKeepsGoingOn() async {
        await script(
            #"""
            local closed = false
            local stubborn = vault.spawn(function()
              local guard <close> = setmetatable({}, {__close = function() closed = true end})
              while true do pcall(vault.sleep, 0.3) end
            end)
            local computing = vault.spawn(function()
              pcall(vault.sleep, 1000)
              local start = os.clock() while os.clock() - start < 0.2 do end
              while true do pcall(vault.exists, "x") end
            end)
            vault.sleep(0.01) stubborn:cancel() computing:cancel()
            assert(fails("cancelled", function() stubborn:join() end).message:find "was closed")
            fails("cancelled", function() computing:join() end)
            equal(closed, true) equal(stubborn:status(), "cancelled")
            """#)
    }

    @Test func countsOnlyItsElementsInAMap() async {
        let log = LogLines()
        await script(
            #"""
            local extra = {}
            local results = vault.map({1, 2, 3}, function(x)
              extra[x] = vault.spawn(function() vault.sleep(0.002) return "extra" end)
              if x > 1 then vault.sleep(0.004) end
              return x
            end, {concurrency = 1})
            equal(table.concat(results, " "), "1 2 3")
            for _, task in ipairs(extra) do equal(task:join(), "extra") end
            local n = 0
            results = vault.map(function() n = n + 1 vault.spawn(vault.sleep, 0.001) return n < 4 and n or nil end, tostring)
            equal(table.concat(results), "123")
            """#, log: log)
        #expect(log.all == [])
    }

    @Test func mapsAloneWhereLuaCannotYield() async {
        await script(
            #"""
            vault.put("f", "v")
            local task = vault.spawn(function()
              return (("x"):gsub("x", function() return table.concat(vault.map({"f", "f"}, vault.get)) end))
            end)
            equal(task:join(), "vv")
            local limited = vault.spawn(function()
              local child
              local text = ("x"):gsub("x", function()
                return vault.timeout(5, function() child = vault.spawn(vault.sleep, 1000) return vault.get "f" end)
              end)
              return text, child:result()
            end)
            local text, ok = limited:join() equal(text, "v") equal(ok, false)
            """#)
    }

    @Test func tellsFailuresOfTheTasksOfALimit() async {
        let log = LogLines()
        await script(
            #"vault.timeout(5, function() vault.spawn(function() error "lost" end) vault.sleep(0.001) end)"#, log: log)
        #expect(log.all.count == 1 && log.all[0].contains("test:1: lost"))
    }

    @Test func keepsAVaultOpenForWhatUsesIt() async {
        await script(
            #"""
            vault.connect(tmp .. "/other"):put("f", "one\ntwo")
            local listing, file = vault.connect(tmp .. "/other"):list(), vault.connect(tmp .. "/other"):open "f"
            local writer = vault.connect(tmp .. "/other"):open("w", "w")
            local task = vault.with(vault.connect(tmp .. "/other"), vault.spawn, function() vault.sleep(0.01) return vault.get "f" end)
            collectgarbage() collectgarbage() vault.sleep(0.02)
            equal(listing:count(), 1) equal(file:read(), "one") equal(#task:join(), 7)
            writer:write "x" equal(writer:close().size, 1)
            """#)
    }

    @Test func savesNothingAfterAWriteThatFailed() async {
        await script(
            #"""
            local task
            task = vault.spawn(function()
              local file = vault.open("p", "w")
              task:cancel()
              pcall(file.write, file, "second\n", ("x"):rep(20 << 20), "third\n")
              local ok, err = pcall(file.write, file, "more") equal(ok, false) equal(err.code, "invalid")
              return pcall(file.close, file)
            end)
            local ok, err = task:join() equal(ok, false) equal(err.code, "invalid") equal(vault.stat "p", nil)
            """#)
    }

    @Test func leavesTheCoroutineOfATaskDead() async {
        await script(
            #"""
            local co
            local task = vault.spawn(function() co = coroutine.running() return print, "two" end)
            equal(select(2, task:join()), "two") equal(coroutine.status(co), "dead")
            equal(coroutine.resume(co), false) equal(coroutine.close(co), true) equal(select(2, task:join()), "two")
            """#)
    }

    @Test func runsManyProgramsAtOnce() async {
        await script(
            #"""
            -- More than there are threads for other work, and each waits for what comes last.
            local readers = {}
            for n = 1, 6 do
              assert(os.execute(("mkfifo '%s/fifo%d'"):format(tmp, n)))
              readers[n] = vault.spawn(vault.exec, {"cat", tmp .. "/fifo" .. n})
            end
            vault.put("meanwhile", "x") equal(vault.get "meanwhile", "x")
            for n = 1, 6 do vault.exec {"sh", "-c", ("echo %d > '%s/fifo%d'"):format(n, tmp, n)} end
            for n, outcome in ipairs(vault.wait_all(readers)) do equal(outcome.stdout, n .. "\n") end
            """#)
    }

    @Test func endWithAllThatIsBelowThem() async {
        await script(
            #"""
            local begun, ended = 0, 0
            local function grandchild() begun = begun + 1 vault.sleep(1000) ended = ended + 1 end
            -- Of those that catch the error, too.
            local function catching() vault.spawn(grandchild) pcall(vault.sleep, 1000) end
            fails("timeout", function() vault.timeout(0.05, vault.map, {1, 2, 3}, catching) end)
            equal(vault.timeout(1000, function() vault.spawn(catching) vault.sleep(0.01) return "done" end), "done")
            local task = vault.spawn(function() vault.spawn(catching) vault.sleep(1000) end)
            vault.sleep(0.01) task:cancel() task:result()
            equal(begun, 5) equal(ended, 0)
            -- What a map could not finish is no failure of its elements.
            local told = 0
            fails("timeout", function()
              vault.timeout(0.01, vault.map, {1, 2, 3}, function() vault.sleep(1000) end,
                {on_error = function() told = told + 1 return true end})
            end)
            vault.sleep(0) equal(told, 0)
            """#)
    }

    @Test func goWithTheCoroutineThatIsInThem() async {
        await script(
            #"""
            -- A limit holds whoever goes on with the coroutine.
            local go_on = coroutine.wrap(function()
              vault.timeout(0.05, function() coroutine.yield(1) vault.sleep(1000) end)
            end)
            vault.spawn(go_on):join()
            fails("timeout", go_on)
            -- So does the vault of vault.with.
            local other = vault.connect(tmp .. "/other")
            local named = coroutine.wrap(function()
              vault.with(other, function() coroutine.yield() vault.put("there", "x") end)
            end)
            vault.spawn(named):join() named()
            equal(vault.exists "there", false) equal(other:exists "there", true)
            """#)
    }

    @Test func letOthersRunWhereTheyDoNotEnd() async {
        await script(
            #"""
            local ticks, tries = 0, 0
            vault.spawn(function() for _ = 1, 4 do vault.sleep(0.1) ticks = ticks + 1 end end)
            vault.timeout(0.01, function()
              local began = os.time()
              repeat
                local ok = pcall(function() vault.sleep(1) error "again" end)
                tries = tries + 1
              until ticks == 4 and os.time() - began >= 7
            end)
            -- Each try waits a little, also when the time to clean up is over.
            assert(tries < 100, tries)
            """#)
    }

    @Test func keepNoTaskThatHasEnded() async {
        await script(
            #"""
            local function grown(f)
              collectgarbage() local before = collectgarbage "count"
              f() collectgarbage() return collectgarbage "count" - before
            end
            vault.timeout(1000, function()
              local kib = grown(function() for _ = 1, 2000 do vault.spawn(function() end):join() end end)
              assert(kib < 600, kib)
            end)
            """#)
    }

    @Test func returnOrRaiseOnceTheirTasksHaveEnded() async {
        await script(
            #"""
            local ended, closed = 0, 0
            local function cleaning()
              local _ <close> = setmetatable({}, {__close = function() closed = closed + 1 end})
              pcall(vault.sleep, 1000) vault.sleep(0.05) ended = ended + 1
            end
            fails("timeout", function() vault.timeout(0.02, function() vault.spawn(cleaning) vault.sleep(1000) end) end)
            equal(ended, 1) equal(closed, 1)
            raises(function() vault.timeout(1000, function() vault.spawn(cleaning) vault.sleep(0) error "x" end) end)
            equal(ended, 2)
            raises(function() vault.map({1, 2, 3}, function(n) if n == 3 then vault.sleep(0.01) error "x" end cleaning() end) end)
            equal(ended, 4)
            raises(function() vault.map(function() vault.sleep(0) error "no elements" end, print) end)
            -- Of a task that fails, too.
            local task = vault.spawn(function() vault.spawn(cleaning) vault.sleep(0) error "x" end)
            equal(task:result(), false) equal(ended, 5) equal(closed, 5)
            """#)
    }

    @Test func letGoOfWhatTheirTasksHadOpen() async {
        await script(
            #"""
            vault.put("f", ("x"):rep(10))
            local function open_one() local _ = vault.open "f" vault.sleep(1000) end
            fails("timeout", function() vault.timeout(0.02, function() for _ = 1, 3 do vault.spawn(open_one) end vault.sleep(1000) end) end)
            -- Nothing is left for a collection.
            local dropped = setmetatable({}, {__mode = "v"})
            fails("timeout", function()
              vault.timeout(0.02, function()
                vault.spawn(function() local f = vault.open "f" dropped[1] = f vault.sleep(1000) end) vault.sleep(1000)
              end)
            end)
            equal(dropped[1], nil)
            """#)
    }

    @Test func tellWhichArgumentHasNoElements() async {
        await script(
            #"""
            for name, list in pairs {pairs = pairs {1}, ipairs = ipairs {1}} do
              misuse("bad argument #1 to 'map' (a table or a function without arguments expected, got that of '" .. name .. "')",
                function() vault.map(list, print) end)
            end
            """#)
    }
}
