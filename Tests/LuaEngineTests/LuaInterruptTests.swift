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
