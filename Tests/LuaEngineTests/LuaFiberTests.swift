import Testing

@testable import LuaEngine

/// A state whose function `wait` parks the fiber that calls it, and gives back its arguments when that is resumed.
///
/// Where it cannot park it says "alone". `fiber(f, ...)` keeps a fiber in `fibers`.
private final class Waiters {
    let state: LuaState
    private(set) var fibers: [LuaFiber] = []

    init(_ options: LuaOptions = LuaOptions()) throws {
        state = try LuaState(options)
        try state.setGlobal(
            "wait",
            LuaFunction { call in
                guard call.canPark else { return call.returns("alone") }
                call.park { call in
                    if call.count > 0, try call.value(1) == .string("fail") {
                        throw LuaError.message("failed while it waited")
                    }
                    for number in stride(from: 1, through: call.count, by: 1) { call.returns(argument: number) }
                }
            })
        try state.setGlobal(
            "fiber", LuaFunction { [unowned self] call in self.fibers.append(try call.fiber(1)) })
        try state.setGlobal("finalizing", LuaFunction { call in call.returns(call.isFinalizing) })
        try state.run("log = {} function say(...) log[#log + 1] = table.concat({...}, ' ') end")
    }

    /// Starts all fibers, then resumes them in turn until all have ended.
    func finish() -> [String] {
        var failures: [String] = []
        var waiting = fibers
        var rounds = 0
        while !waiting.isEmpty, rounds < 1000 {
            rounds += 1
            for fiber in waiting {
                switch fiber.resume() {
                case .parked: continue
                case .failed(let error): failures.append(error.message)
                case .ended: break
                }
                waiting.removeAll { $0 === fiber }
            }
        }
        fibers = []
        return failures
    }

    func log() throws -> [String] {
        guard let reference = try state.global("log").reference else { return [] }
        return try state.read(reference) { try $0.table().byteStrings().map { String(decoding: $0, as: UTF8.self) } }
    }
}

@Suite struct LuaFiberTests {
    private func log(of script: String) throws -> [String] {
        let waiters = try Waiters()
        try waiters.state.run(script, name: "=test")
        #expect(waiters.finish() == [])
        return try waiters.log()
    }

    @Test func interleavesFibersWhereTheyWait() throws {
        let log = try log(
            of: """
                for _, name in ipairs {"a", "b"} do
                  fiber(function(...) for n = 1, 2 do say(name, ..., wait(n)) end end, "x")
                end
                """)
        #expect(log == ["a x 1", "b x 1", "a x 2", "b x 2"])
    }

    @Test func goesOnWithManyResultsAndNils() throws {
        let log = try log(
            of: """
                fiber(function()
                  local r = table.pack(wait(nil, 1, nil, "two", nil))
                  say(r.n, tostring(r[1]), r[2], tostring(r[3]), r[4])
                  r = table.pack(wait()) say(r.n)
                  local many = {} for n = 1, 200 do many[n] = n end
                  say(select("#", wait(table.unpack(many))))
                end)
                """)
        #expect(log == ["5 nil 1 nil two", "0", "200"])
    }

    @Test func parksThroughAllThatCanYield() throws {
        let log = try log(
            of: """
                fiber(function()
                  say("pcall", tostring(select(2, pcall(wait, 1))))
                  say("xpcall", tostring(select(2, xpcall(wait, print, 2))))
                  local t = setmetatable({}, {
                    __index = function(_, key) return wait(key) end, __add = function() return wait(3) end,
                    __call = function(_, x) return wait(x) end, __close = function() say("closed", wait(4)) end,
                    __eq = function() return wait(true) end, __concat = function() return wait("c") end,
                    __lt = function() return wait(true) end, __len = function() return wait(9) end})
                  say("index", t.x, t + 1, t(5), tostring(t == setmetatable({}, getmetatable(t))), t .. "", #t)
                  say("less", tostring(t < t))
                  do local c <close> = t end
                  for n in function(_, n) n = (n or 0) + 1 if n < 3 then return wait(n) end end do say("for", n) end
                  local ok, err = pcall(function() local c <close> = t error("e", 0) end)
                  say(tostring(ok), err)
                end)
                """)
        #expect(
            log == [
                "pcall 1", "xpcall 2", "index x 3 5 true c 9", "less true", "closed 4", "for 1", "for 2", "closed 4",
                "false e",
            ])
    }

    @Test func parksThroughTheCoroutinesOfAScript() throws {
        let log = try log(
            of: """
                fiber(function()
                  local function numbers(depth)
                    return coroutine.wrap(function()
                      if depth > 0 then for n in numbers(depth - 1) do coroutine.yield(wait(n)) end end
                      coroutine.yield(wait(depth * 10)) coroutine.yield(depth * 10 + 1)
                    end)
                  end
                  for n in numbers(2) do say(n) end
                  local co = coroutine.create(function(a) local b = coroutine.yield(wait(a)) error(wait("mine" .. b)) end)
                  say(coroutine.resume(co, 7) and "ok", coroutine.status(co))
                  local ok, err = coroutine.resume(co, "!")
                  say(tostring(ok), err, coroutine.status(co))
                  local w = coroutine.wrap(function() wait("fail") end)
                  say(select(2, pcall(w)))
                end)
                fiber(function() for n = 1, 3 do say("other", wait(n)) end end)
                """)
        #expect(
            log.filter { !$0.hasPrefix("other") } == [
                "0", "1", "10", "11", "20", "21", "ok suspended", "false test:9: mine! dead",
                "test:13: failed while it waited",
            ])
        #expect(log.filter { $0.hasPrefix("other") } == ["other 1", "other 2", "other 3"])
    }

    @Test func blocksAloneWhereLuaCannotYield() throws {
        let log = try log(
            of: """
                fiber(function()
                  table.sort({1, 2}, function(a, b) say("sort", wait(1)) return a < b end)
                  say("gsub", (("x"):gsub("x", function() return wait("y") end)))
                  say("tostring", tostring(setmetatable({}, {__tostring = function() return wait("z") end})))
                  load(function() say("load", wait(1)) end)
                  package.preload.m = function() return wait(1) end
                  say("require", require "m")
                  local co = coroutine.create(function()
                    local c <close> = setmetatable({}, {__close = function() say("close", wait(1)) end})
                    coroutine.yield()
                  end)
                  coroutine.resume(co) coroutine.close(co)
                  table.sort({1, 2}, function(a, b)
                    say("nested", coroutine.wrap(function() say(tostring(coroutine.isyieldable())) return wait(1) end)())
                    return a < b
                  end)
                  say("then", wait(1))
                end)
                """)
        #expect(
            log == [
                "sort alone", "gsub alone", "tostring alone", "load alone", "require alone :preload:", "close alone",
                "true", "nested alone", "then 1",
            ])
    }

    @Test func letsNobodyElseResumeOrClose() throws {
        let log = try log(
            of: """
                local inner, outer
                fiber(function()
                  outer = coroutine.running()
                  inner = coroutine.create(function() say("got", wait("mine")) return "end" end)
                  say("result", select(2, coroutine.resume(inner)))
                  say(coroutine.status(inner))
                end)
                fiber(function()
                  for _, co in ipairs {inner, outer} do
                    say(coroutine.status(co), tostring(coroutine.resume(co, "forged")), tostring(pcall(coroutine.close, co)))
                    say(select(2, coroutine.resume(co)))
                    say(select(2, pcall(coroutine.close, co)))
                  end
                end)
                """)
        #expect(
            log == [
                "normal false false", "cannot resume non-suspended coroutine", "cannot close a normal coroutine",
                "normal false false", "cannot resume non-suspended coroutine", "cannot close a normal coroutine",
                "got mine", "result end", "dead",
            ])
    }

    @Test func failsWithTheErrorAndItsTraceback() throws {
        let waiters = try Waiters()
        try waiters.state.run(
            """
            fiber(function() local function f() error("lost") end wait(1) f() end)
            fiber(function() coroutine.yield(1) end)
            fiber(function() local c <close> = setmetatable({}, {__close = function() error("other", 0) end}) wait("fail") end)
            fiber(function() error {} end)
            """, name: "=test")
        let fibers = waiters.fibers
        if case .parked = fibers[0].resume(), case .failed(let error) = fibers[0].resume() {
            #expect(error.message == "test:1: lost")
            #expect(
                error.traceback?.contains("in upvalue 'f'") == true || error.traceback?.contains("in local 'f'") == true
            )
        } else {
            Issue.record("the first fiber did not fail")
        }
        var messages: [String] = []
        for fiber in fibers.dropFirst() {
            var halt = fiber.resume()
            if case .parked = halt { halt = fiber.resume() }
            if case .failed(let error) = halt { messages.append(error.message) }
        }
        #expect(
            messages == [
                "attempt to yield from a task (vault.sleep(0) lets others run)", "other",
                "(error object is a table value)",
            ])
    }

    @Test func closesWhatAParkedChainHolds() throws {
        let waiters = try Waiters()
        try waiters.state.run(
            """
            local function guard(name)
              return setmetatable({}, {__close = function() say(name, tostring(wait(1))) end})
            end
            fiber(function()
              local a <close> = guard "outer"
              inner = coroutine.wrap(function()
                local b <close> = guard "inner"
                local co = coroutine.create(function() local c <close> = guard "innermost" wait(1) say "never" end)
                coroutine.resume(co)
              end)
              inner()
            end)
            """, name: "=test")
        guard case .parked = waiters.fibers[0].resume() else {
            Issue.record("not parked")
            return
        }
        waiters.fibers[0].close()
        #expect(try waiters.log() == ["innermost alone", "inner alone", "outer alone"])
        #expect(try waiters.state.run("return pcall(inner)").first == .boolean(false))
    }

    @Test func tellsWhetherAFinalizerRuns() throws {
        let log = try log(
            of: """
                setmetatable({}, {__gc = function() say(tostring(finalizing()), wait(1)) end})
                fiber(function() collectgarbage() say(tostring(finalizing()), wait(1)) end)
                """)
        #expect(log == ["true alone", "false 1"])
    }

    @Test func isStoppedByAnInterrupt() throws {
        var options = LuaOptions()
        options.interrupt = LuaInterrupt()
        let waiters = try Waiters(options)
        try waiters.state.run("fiber(function() while true do pcall(coroutine.wrap(function() wait(1) end)) end end)")
        guard case .parked = waiters.fibers[0].resume() else {
            Issue.record("not parked")
            return
        }
        options.interrupt.interrupt()
        guard case .failed(let error) = waiters.fibers[0].resume() else {
            Issue.record("not stopped")
            return
        }
        #expect(error.message == "interrupted!")
        options.interrupt.clear()
        try waiters.state.run("fiber(function() say(wait(1)) end)")
        #expect(waiters.fibers[1].resume().isParked)
    }

    @Test func survivesAnyFailureOfMemory() throws {
        // Every request for memory fails in turn, once the state is open.
        let opened = try Waiters().state.allocationCount
        var isComplete = false
        for first in (opened + 1)...(opened + 400) where !isComplete {
            var options = LuaOptions()
            options.allocationFailure = LuaOptions.AllocationFailure(first: first, count: 2)
            let waiters = try? Waiters(options)
            guard let waiters else { continue }
            do {
                try waiters.state.run(
                    """
                    fiber(function(...)
                      local c <close> = setmetatable({}, {__close = function() wait() end})
                      for n in coroutine.wrap(function() coroutine.yield(wait("a")) wait(string.rep("b", 300)) end) do wait(n) end
                    end, 1, 2)
                    """)
            } catch {}
            _ = waiters.finish()
            isComplete = waiters.state.allocationCount < first
            waiters.state.close()
        }
        #expect(isComplete)
    }
}

extension LuaFiber.Halt {
    fileprivate var isParked: Bool {
        if case .parked = self { return true }
        return false
    }
}
