import Testing

@testable import LuaEngine

@Suite struct LuaInterruptTests {
    /// Runs `code`, which must call `stop()` itself or never end, and gives the error that ended it.
    private func run(_ code: String, _ prepare: @escaping @Sendable (LuaState) throws -> Void = { _ in }) async throws
        -> String
    {
        try await LuaThread.run {
            let state = try LuaState()
            let interrupt = state.interrupt
            try state.setGlobal("stop", LuaFunction { _ in interrupt.interrupt() })
            try prepare(state)
            return message { try state.run(code, name: "=t") } ?? "ended"
        }
    }

    @Test func endsATightLoop() async throws {
        #expect(try await run("stop() while true do end") == "interrupted!")
    }

    @Test(arguments: [
        "stop() while true do pcall(function() while true do end end) end",
        "stop() local function f() while true do pcall(f) end end f()",
        "stop() while true do xpcall(function() while true do end end, function() return 1 end) end",
        "stop() while true do local x <close> = setmetatable({}, {__close = function() end}) end",
        "stop() while true do pcall(error) end",
    ]) func endsLoopsThatCatchEverything(code: String) async throws {
        #expect(try await run(code).hasSuffix("interrupted!"))
    }

    @Test(arguments: [
        "stop() while true do coroutine.wrap(function() while true do end end)() end",
        "stop() while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "local c = coroutine.wrap(function() while true do coroutine.yield() end end) stop() while true do c() end",
        "local c = coroutine.create(function() while true do end end) stop() while true do coroutine.resume(c) end",
        """
        local function spin() while true do end end
        stop() while true do coroutine.resume(coroutine.create(function() while true do pcall(spin) end end)) end
        """,
        "coroutine.wrap(function() coroutine.wrap(function() stop() while true do end end)() end)()",
    ]) func endsCoroutines(code: String) async throws {
        #expect(try await run(code).hasSuffix("interrupted!"))
    }

    @Test(arguments: [
        "debug.sethook() stop() while true do end",
        "debug.sethook(function() end, 'crl', 1) stop() while true do end",
        "debug.sethook(function() end, '', 1 << 30) stop() while true do end",
        "coroutine.wrap(function() debug.sethook() stop() while true do end end)()",
        """
        local c = coroutine.create(function() while true do end end)
        debug.sethook(c) stop() while true do coroutine.resume(c) end
        """,
    ]) func cannotBeHookedAway(code: String) async throws {
        #expect(try await run(code).hasSuffix("interrupted!"))
    }

    @Test(arguments: [
        "stop() string.gsub(('x'):rep(1 << 20), '.', function() while true do end end)",
        "stop() while true do pcall(string.gsub, 'x', '.', function() while true do end end) end",
        "stop() while true do pcall(table.sort, {3, 2, 1}, function() while true do end end) end",
        "while true do xpcall(error, function() stop() while true do end end) end",
        "local t = setmetatable({}, {__index = function() stop() while true do end end}) while true do pcall(rawlen, t.x) end",
        "coroutine.wrap(function() table.sort({3, 2, 1}, function() stop() while true do end end) end)()",
        """
        local function nest(depth)
          if depth == 0 then stop() while true do end end
          while true do pcall(coroutine.wrap(function() nest(depth - 1) end)) end
        end
        nest(50)
        """,
        "local c = coroutine.create(function() stop() while true do end end) while true do coroutine.resume(c) end",
        """
        local c = coroutine.create(function()
          local x <close> = setmetatable({}, {__close = function() stop() while true do end end}) coroutine.yield()
        end)
        coroutine.resume(c) while true do coroutine.close(c) end
        """,
        "stop() while true do xpcall(function() while true do end end, function() while true do end end) end",
        "coroutine.wrap(function() xpcall(function() stop() local x = 1 end, function() while true do end end) end)()",
        "xpcall(function() alone(function() stop() local x = 1 end) end, function() while true do end end)",
        "load(function() stop() while true do end end) while true do end",
        "for _ in coroutine.wrap(function() stop() while true do pcall(coroutine.yield, 1) end end) do end",
        "alone(function() stop() while true do pcall(alone, function() while true do end end) end end)",
        "require 'debug'.debug = nil; (function(...) stop() return (...)(...) end)(function(f) return f(f) end)",
    ]) func endsWhatRunsInsideSomethingElse(code: String) async throws {
        let text = try await run(code) { state in
            try state.setGlobal(
                "alone", LuaFunction { call in _ = try call.state.call(try call.function(1), on: .own) })
        }
        #expect(text.hasSuffix("interrupted!"))
    }

    @Test(arguments: [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do coroutine.wrap(function() for i = 1, 10 do end end)() end",
        "local function f() return coroutine.wrap(function() while true do coroutine.yield() end end) end "
            + "local c = f() while true do c() end",
        "local function f() return f() end f()",
        "for i = 1, math.huge do end",
        "::again:: goto again",
        "repeat until false",
        "for _ in function() return 1 end do end",
        "local t = setmetatable({}, {__eq = function() return false end}) "
            + "local u = setmetatable({}, getmetatable(t)) repeat until t == u",
    ]) func comesFromAnotherThreadToAnyLoop(code: String) async throws {
        let interrupt = LuaInterrupt()
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        async let text = LuaThread.run { () -> String in
            var options = LuaOptions()
            options.interrupt = interrupt
            let state = try LuaState(options)
            try state.setGlobal("started", LuaFunction { _ in start.yield() })
            return message { try state.run("started() " + code) } ?? "ended"
        }
        for await _ in started { break }
        interrupt.interrupt()
        #expect(try await text.hasSuffix("interrupted!"))
    }

    @Test func stopsACoroutineThatWasMadeBefore() throws {
        let state = try LuaState()
        let interrupt = state.interrupt
        try state.run("local n = 0 c = coroutine.wrap(function() while true do n = n + 1 coroutine.yield(n) end end)")
        #expect(try state.run("c() return c()") == [.integer(2)])
        interrupt.interrupt()
        #expect(message { try state.run("return c()") } == "interrupted!")
        let resume = try #require(try state.global("c").reference)
        // Called from Swift, the first instruction is the coroutine's own.
        #expect(message { _ = try state.call(resume) } == "interrupted!")
        interrupt.clear()
        #expect(message { try state.run("c()", name: "=t") } == "t:1: cannot resume dead coroutine")
    }

    @Test func comesBeforeTheStartAndAfterTheClose() throws {
        let options = LuaOptions()
        options.interrupt.interrupt()
        let state = try LuaState(options)
        #expect(message { try state.run("while true do end") } == "interrupted!")
        options.interrupt.clear()
        #expect(try state.run("return 1") == [.integer(1)])
        state.close()
        options.interrupt.interrupt()
        options.interrupt.clear()
        #expect(!options.interrupt.isInterrupted)
    }

    @Test func doesNotReachAThreadThatHasEnded() async throws {
        let interrupt = LuaInterrupt()
        try await LuaThread.run {
            var options = LuaOptions()
            options.interrupt = interrupt
            // Leaked on purpose: its thread ends without closing it.
            _ = Unmanaged.passRetained(try LuaState(options))
        }
        for _ in 1...100 { interrupt.interrupt() }
        #expect(interrupt.isInterrupted)
    }

    @Test func leavesNoHookBehindOnceCleared() throws {
        let state = try LuaState()
        let interrupt = state.interrupt
        try state.setGlobal("stop", LuaFunction { _ in interrupt.interrupt() })
        try state.setGlobal("clear", LuaFunction { _ in interrupt.clear() })
        #expect(message { try state.run("coroutine.wrap(function() stop() while true do end end)()") } != nil)
        interrupt.clear()
        try state.run(
            """
            assert(debug.gethook() == nil and select('#', debug.gethook()) == 1)
            local c = coroutine.create(function() assert(debug.gethook() == nil) end)
            assert(debug.gethook(c) == nil and coroutine.resume(c))
            """)
    }

    @Test func restoresTheHooksOfScripts() throws {
        let state = try LuaState()
        let interrupt = state.interrupt
        try state.setGlobal("stop", LuaFunction { _ in interrupt.interrupt() })
        try state.run(
            """
            lines, there = 0, 0
            function hook() lines = lines + 1 end
            co = coroutine.create(function()
              while true do
                coroutine.yield()
                if stopping then pcall(stop) end
              end
            end)
            debug.sethook(co, function() there = there + 1 end, 'l')
            coroutine.resume(co)
            debug.sethook(hook, 'l', 123456)
            """)
        #expect(
            message { try state.run("stopping = true\nassert(coroutine.resume(co))", name: "=t") } == "interrupted!")
        interrupt.clear()
        try state.run(
            """
            local f, mask, count = debug.gethook()
            assert(f == hook and mask == 'l' and count == 123456)
            local before = lines
            local a = 1
            local b = 2
            assert(lines >= before + 2)
            assert(debug.gethook(co) and select(2, debug.gethook(co)) == 'l' and there > 0)
            debug.sethook()
            assert(debug.gethook() == nil)
            before = lines
            local c = 1
            assert(lines == before)
            """)
    }

    @Test func cannotBeHookedAwayByAFinalizer() async throws {
        let code = """
            setmetatable({}, {__gc = function()
              stop() debug.sethook() debug.sethook(function() end, 'l') assert(debug.gethook())
              pcall(coroutine.wrap(function() while true do end end))
            end})
            collectgarbage() while true do end
            """
        #expect(try await run(code) == "interrupted!")
    }

    @Test func stopsOnlyItsOwnState() async throws {
        let stopped = LuaInterrupt()
        let running = LuaInterrupt()
        let (started, start) = AsyncStream.makeStream(of: Int.self)
        @Sendable func loop(_ interrupt: LuaInterrupt, _ number: Int) async throws -> String {
            try await LuaThread.run {
                var options = LuaOptions()
                options.interrupt = interrupt
                let state = try LuaState(options)
                try state.setGlobal("started", LuaFunction { _ in start.yield(number) })
                return message { try state.run("started() while true do pcall(function() while true do end end) end") }
                    ?? "ended"
            }
        }
        async let first = loop(stopped, 1)
        async let second = loop(running, 2)
        var seen = Set<Int>()
        for await number in started {
            seen.insert(number)
            if seen.count == 2 { break }
        }
        stopped.interrupt()
        #expect(try await first == "interrupted!")
        #expect(!running.isInterrupted)
        running.interrupt()
        #expect(try await second == "interrupted!")
    }

    @Test func stopsEveryStateThatSharesIt() async throws {
        let interrupt = LuaInterrupt()
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup { group in
            for _ in 1...4 {
                group.addTask {
                    try await LuaThread.run { () -> String in
                        var options = LuaOptions()
                        options.interrupt = interrupt
                        let state = try LuaState(options)
                        try state.setGlobal("started", LuaFunction { _ in start.yield() })
                        return message { try state.run("started() while true do end") } ?? "ended"
                    }
                }
            }
            var count = 0
            for await _ in started {
                count += 1
                if count == 4 { break }
            }
            interrupt.interrupt()
            for try await text in group { #expect(text == "interrupted!") }
        }
    }

    @Test func reachesTheInnerOfTwoStatesOnOneThread() throws {
        let outer = try LuaState()
        let inner = try LuaState()
        let interrupt = inner.interrupt
        try inner.setGlobal("stop", LuaFunction { _ in interrupt.interrupt() })
        try outer.setGlobal("nest", LuaFunction { _ in try inner.run("stop() while true do end") })
        #expect(try outer.run("return pcall(nest)") == [.boolean(false), .string("interrupted!")])
        inner.close()
        #expect(try outer.run("local n = 0 for i = 1, 1000 do n = n + i end return n") == [.integer(500_500)])
    }

    @Test func isRaisedInAFunctionThatClosesTheState() async {
        await #expect(processExitsWith: .exitCode(5)) {
            let state = try LuaState()
            let interrupt = state.interrupt
            try state.setGlobal("stop", LuaFunction { _ in interrupt.interrupt() })
            try state.run(
                """
                local x <close> = setmetatable({}, {__close = function() stop() while true do end end})
                y = setmetatable({}, {__gc = function() pcall(coroutine.wrap(function() while true do end end)) end})
                coroutine.wrap(function() os.exit(5, true) end)()
                """)
        }
    }

    /// A process that a script starts gets the signals as a shell's children do: none blocked or ignored by us.
    @Test func leavesNoSignalBlockedOrIgnoredForChildren() async throws {
        let results = try await LuaThread.run {
            let state = try LuaState()
            return try state.run(
                """
                local file = io.popen 'cat /proc/self/status'
                local text = file:read 'a'
                file:close()
                local bit = 1 << 22
                local blocked = tonumber(text:match 'SigBlk:%s*(%x+)', 16)
                local ignored = tonumber(text:match 'SigIgn:%s*(%x+)', 16)
                return blocked & bit, ignored & bit
                """)
        }
        #expect(results == [.integer(0), .integer(0)])
    }

    @Test func leavesABlockingReadAlone() async throws {
        let interrupt = LuaInterrupt()
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        async let lines = LuaThread.run { () -> [LuaValue] in
            var options = LuaOptions()
            options.interrupt = interrupt
            let state = try LuaState(options)
            try state.run("file = io.popen 'sleep 0.5; echo read'")
            let file = try #require(try state.global("file").reference)
            let read = try #require(try state.get(file, "read").reference)
            start.yield()
            return try state.call(read, file, "l")
        }
        for await _ in started { break }
        try await Task.sleep(for: .milliseconds(100))
        interrupt.interrupt()
        #expect(try await lines == [.string("read")])
    }

    @Test func comesFromAnotherThread() async throws {
        let interrupt = LuaInterrupt()
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        async let text = LuaThread.run { () -> String in
            var options = LuaOptions()
            options.interrupt = interrupt
            let state = try LuaState(options)
            try state.setGlobal("started", LuaFunction { _ in start.yield() })
            return message { try state.run("started() while true do pcall(function() while true do end end) end") }
                ?? "ended"
        }
        for await _ in started { break }
        interrupt.interrupt()
        #expect(try await text == "interrupted!")
    }

    @Test func followsTheCancellationOfItsTask() async throws {
        let interrupt = LuaInterrupt()
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            try await LuaThread.run(interrupt: interrupt) { () -> String in
                var options = LuaOptions()
                options.interrupt = interrupt
                let state = try LuaState(options)
                try state.setGlobal("started", LuaFunction { _ in start.yield() })
                return message { try state.run("started() while true do end") } ?? "ended"
            }
        }
        for await _ in started { break }
        task.cancel()
        #expect(try await task.value == "interrupted!")
    }

    @Test func raisesTheChosenValueAndCanBeCleared() throws {
        let state = try LuaState()
        try state.setInterruptValue(LuaTable(fields: ["code": "cancelled"]))
        state.interrupt.interrupt()
        let value = try #require(luaError { try state.run("while true do end") }?.value?.reference)
        #expect(try state.get(value, "code") == .string("cancelled"))
        state.interrupt.clear()
        #expect(try state.run("local n = 0 for i = 1, 100000 do n = n + 1 end return n") == [.integer(100_000)])
    }

    @Test func showsScriptsOnlyTheirOwnHooks() throws {
        let state = try LuaState()
        try state.run(
            """
            assert(debug.gethook() == nil and select('#', debug.gethook()) == 1)
            local lines = {}
            local function hook(event, line) lines[#lines + 1] = event .. (line or '') end
            debug.sethook(hook, 'l')
            local a = 1
            local f, mask, count = debug.gethook()
            debug.sethook()
            assert(f == hook and mask == 'l' and count == 0)
            assert(#lines >= 3 and lines[1]:find '^line%d+$', table.concat(lines, ' '))
            assert(debug.gethook() == nil)
            debug.sethook(hook, '', 0)
            assert(debug.gethook() == nil)
            """)
    }

    /// The second number is what the library's own sethook counts for the same chunk.
    @Test(arguments: [
        (1, 800_007), (7, 133_334), (999, 807), (1_000, 806), (1_001, 805), (2_500, 321), (123_457, 6),
    ]) func countsAsTheLibraryItselfDoes(count: Int, expected: Int) throws {
        let state = try LuaState()
        let results = try state.run(
            """
            local function go(count, rounds)
              local events = 0
              debug.sethook(function(event) assert(event == 'count') events = events + 1 end, '', count)
              for i = 1, rounds do local x = i end
              local _, mask, asked = debug.gethook()
              debug.sethook()
              return events, mask, asked
            end
            return go(..., 400000)
            """, name: "=t", count)
        let events = results.first?.integer ?? -1
        #expect(abs(events - expected) <= 15 / count, "\(events) for \(expected)")
        #expect(Array(results.dropFirst()) == [.string(""), .integer(count)])
    }

    @Test func keepsHooksApartByCoroutine() throws {
        let state = try LuaState()
        try state.run(
            """
            local here, there = 0, 0
            local co = coroutine.create(function() for i = 1, 10 do coroutine.yield() end end)
            debug.sethook(co, function() there = there + 1 end, 'l')
            assert(debug.gethook() == nil and debug.gethook(co))
            debug.sethook(function() here = here + 1 end, 'c')
            for i = 1, 5 do coroutine.resume(co) end
            debug.sethook()
            assert(here >= 5 and there >= 1)
            -- A coroutine inherits events, but not the function: as with the library's own sethook, nothing is called.
            debug.sethook(function() error 'called' end, '', 1e9)
            local inherited = coroutine.create(function() local n = 0 for i = 1, 5000 do n = n + i end return n end)
            debug.sethook()
            assert(coroutine.resume(inherited))
            """)
    }
}
