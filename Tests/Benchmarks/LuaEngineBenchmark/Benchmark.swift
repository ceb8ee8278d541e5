import LuaEngine

final class Counter {
    var value = 0
}

let counterType = LuaObjectType<Counter>(
    "counter",
    methods: [
        "add": { counter, call in
            counter.value += try call.integer(2)
            call.returns(counter.value)
        }
    ])

/// Prints what the ways between Lua and Swift cost. Build with `-c release`.
@main
struct Benchmark {
    static func main() throws {
        let state = try LuaState()

        try state.setGlobal("increment", LuaFunction { $0.returns(try $0.integer(1) &+ 1) })
        try state.setGlobal("length", LuaFunction { $0.returns(try $0[1].withBytes { $0.count }) })
        try state.setGlobal("text", LuaFunction { $0.returns("photos/2026/11/a name of some length.jpg") })
        try state.setGlobal(
            "entry",
            LuaFunction { call in
                call.returnsTable(fieldCount: 4) { table in
                    table.set("name", "photos/a.jpg")
                    table.set("size", 1_234_567)
                    table.set("version", 3)
                    table.set("kind", "file")
                }
            })
        try state.setGlobal("fail", LuaFunction { _ in throw LuaError.message("no") })
        try state.setGlobal("counter", counterType.userdata(Counter()))
        let callback = try state.load("return ...")
        try state.setGlobal("nest", LuaFunction { call in call.returns(try state.call(callback, 1).count) })

        try measure(state, "math.abs(i), for comparison", "math.abs(i)")
        try measure(state, "integer in, integer out", "increment(i)")
        try measure(state, "string in, integer out", "length 'photos/a.jpg'")
        try measure(state, "string out", "text()")
        try measure(state, "method of an object", "counter:add(1)")
        try measure(state, "table of four fields out", count: 500_000, "entry()")
        try measure(state, "error through pcall", count: 500_000, "pcall(fail)")
        try measure(state, "Lua, Swift, Lua", count: 500_000, "nest()")
        try measure(
            state, "coroutine resumed", "step()",
            before: "local step = coroutine.wrap(function() while true do coroutine.yield() end end)")

        // Compare with `lua5.4` itself, on the same lines.
        try time(
            state, "fib(32)",
            "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end fib(32)")
        try time(state, "a loop of 50,000,000", "local n = 0 for i = 1, 50000000 do n = n + i end")
        try state.run("debug.sethook(function() end, '', 1 << 30)")
        try time(
            state, "the same loop with a hook that never fires", "local n = 0 for i = 1, 50000000 do n = n + i end")
        try time(
            state, "fib(32) with it",
            "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end fib(32)")
        state.close()
    }

    static func time(_ state: LuaState, _ label: String, _ code: String) throws {
        let chunk = try state.load(code)
        var best = Duration.seconds(1_000)
        for _ in 1...5 { best = min(best, try ContinuousClock().measure { _ = try state.call(chunk) }) }
        print("\(label): \((best / Duration.milliseconds(1)).rounded()) ms")
    }

    static func measure(_ state: LuaState, _ label: String, count: Int = 2_000_000, _ code: String, before: String = "")
        throws
    {
        let loop = try state.load("\(before) local n = ...; for i = 1, n do \(code) end")
        let empty = try state.load("\(before) local n = ...; for i = 1, n do end")
        let clock = ContinuousClock()
        var best = Duration.seconds(1_000)
        for _ in 1...5 {
            let full = try clock.measure { _ = try state.call(loop, count) }
            let base = try clock.measure { _ = try state.call(empty, count) }
            best = min(best, full - base)
        }
        let nanoseconds = best / Duration.nanoseconds(1) / Double(count)
        let digits = (nanoseconds * 10).rounded() / 10
        print("\(label): \(digits) ns")
    }
}
