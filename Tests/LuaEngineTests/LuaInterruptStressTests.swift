import Glibc
import Synchronization
import Testing

@testable import LuaEngine

@Suite struct LuaInterruptStressTests {
    /// What the thread that interrupts and the one that is interrupted tell each other.
    private final class Rounds: Sendable {
        let started = Atomic<Int>(0)
        let hasEnded = Atomic<Bool>(false)
    }

    /// Never end, and are always in the middle of something else.
    private static let scripts = [
        """
        local function tree(depth) if depth == 0 then return {} end return {tree(depth - 1), tree(depth - 1)} end
        while true do
          local co = coroutine.wrap(function() for i = 1, 10 do coroutine.yield(tree(4)) end error(tree(2)) end)
          for i = 1, 11 do pcall(co) end
        end
        """,
        """
        local function walk(n) if n > 0 then walk(n - 1) coroutine.yield(n) walk(n - 1) end end
        while true do for n in coroutine.wrap(function() walk(8) end) do tostring(n) end collectgarbage 'step' end
        """,
        """
        while true do
          local co = coroutine.create(function()
            local x <close> = setmetatable({}, {__close = function() pcall(error, 'x') end, __gc = function() end})
            coroutine.yield(string.rep('x', 100):gsub('x', function() return coroutine.isyieldable() and 'y' end))
            error 'died'
          end)
          coroutine.resume(co) coroutine.close(co) coroutine.resume(co)
        end
        """,
        """
        local function nest(depth)
          if depth == 0 then local t = {5, 3, 1, 4} table.sort(t, function(a, b) return a < b end) error(t) end
          return coroutine.wrap(function() return nest(depth - 1) end)()
        end
        while true do xpcall(nest, function(e) return debug.traceback(tostring(e)) end, 20) end
        """,
        """
        local n = 0
        while true do
          debug.sethook(function() n = n + 1 end, 'crl', 3)
          pcall(coroutine.wrap(function() debug.sethook(function() error 'hook' end, '', 50) while true do end end))
          debug.sethook()
        end
        """,
        "while true do swift(function(n) for i = 1, n do local t = {} t[i] = {} end error 'x' end) end",
        "local function f(...) return f(...) end f(1, 2, 3)",
        "while true do alone(function() coroutine.wrap(function() local t = {} for i = 1, 99 do t[i] = i end end)() end) end",
    ]

    private static func work(_ rounds: Rounds, _ interrupt: LuaInterrupt, count: Int) throws -> [String] {
        var options = LuaOptions()
        options.interrupt = interrupt
        let state = try LuaState(options)
        try state.setGlobal(
            "swift", LuaFunction { call in _ = try? call.state.call(try call.function(1), 20) })
        try state.setGlobal(
            "alone", LuaFunction { call in _ = try call.state.call(try call.function(1), on: .own) })
        let chunks = try scripts.map { try state.load($0) }
        var surprises: [String] = []
        for round in 1...count {
            rounds.started.store(round, ordering: .sequentiallyConsistent)
            do throws(LuaError) {
                _ = try state.call(chunks[round % chunks.count])
                surprises.append("round \(round) ended")
            } catch {
                // A message handler that is stopped over and over ends in an error of its own.
                if !error.message.contains("interrupted!"), error.code != .handler,
                    !error.message.contains("stack overflow")
                {
                    surprises.append("round \(round): \(error.message)")
                }
            }
            interrupt.clear()
            do throws(LuaError) {
                let sum = try state.run(
                    """
                    debug.sethook()
                    local sum = 0
                    for i in coroutine.wrap(function() for i = 1, 100 do coroutine.yield(i) end end) do sum = sum + i end
                    assert(debug.gethook() == nil)
                    return sum
                    """)
                if sum != [.integer(5_050)] { surprises.append("round \(round): a sum of \(sum)") }
            } catch {
                // An interrupt that was under way when the flag was cleared must not be felt any more.
                surprises.append("round \(round), cleared: \(error.message)")
            }
        }
        return surprises
    }

    @Test func survivesTwoThousandInterruptsAnywhere() async throws {
        let rounds = Rounds()
        let interrupt = LuaInterrupt()
        let count = 2_000
        async let interrupting: Void = LuaThread.run {
            var random = SystemRandomNumberGenerator()
            for round in 1...count {
                while rounds.started.load(ordering: .sequentiallyConsistent) < round { sched_yield() }
                // On two cores this thread may get no turn for milliseconds, so few rounds are as short as asked.
                let end = ContinuousClock.now + .microseconds(Int.random(in: 0...700, using: &random))
                while ContinuousClock.now < end {}
                interrupt.interrupt()
            }
        }
        let surprises = try await LuaThread.run {
            try LuaInterruptStressTests.work(rounds, interrupt, count: count)
        }
        try await interrupting
        #expect(surprises == [])
    }

    @Test func takesSignalsWithoutAnInterrupt() async throws {
        let rounds = Rounds()
        let interrupt = LuaInterrupt()
        async let flicker: Void = LuaThread.run {
            while !rounds.hasEnded.load(ordering: .relaxed) {
                interrupt.interrupt()
                interrupt.clear()
            }
        }
        let ended = try await LuaThread.run {
            defer { rounds.hasEnded.store(true, ordering: .relaxed) }
            var options = LuaOptions()
            options.interrupt = interrupt
            var ended = 0
            // States that come and go while their interrupt is being raised.
            for _ in 1...300 {
                let state = try LuaState(options)
                let results = try? state.run(
                    "local n = 0 for i = 1, 300 do n = n + coroutine.wrap(function() return 1 end)() end return n")
                if results == [.integer(300)] { ended += 1 }
                state.close()
            }
            return ended
        }
        try await flicker
        #expect(ended <= 300)
    }
}
