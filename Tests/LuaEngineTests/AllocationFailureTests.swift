import Testing

@testable import LuaEngine

/// Refuses Lua's Nth request for memory, for every N, over a script that uses every kind of binding.
@Suite struct AllocationFailureTests {
    private static let type = LuaObjectType<Counted>(
        "file",
        methods: [
            "add": { file, call in
                file.value += try call.integer(2)
                call.returns(argument: 1)
            },
            "close": { _, call in call.close(1) },
        ],
        metamethods: [
            .index: { _, call in call.returns("field " + (try call.string(2))) },
            .string: { file, call in call.returns("file of \(file.value) and a text that needs memory of its own") },
            .close: { _, call in _ = try call.state.run("return {}") },
            .collect: { file, call in file.value = 0 },
        ])

    private static let script = """
        local f = open()
        assert(f:add(2):add(3) == f and f.name == 'field name' and #tostring(f) > 10)
        local e = entry('name', 'a longer string than the small buffer holds: ' .. ('x'):rep(300))
        assert(e.name == 'name' and e.list[2][1] == 'deep' and e.call(1) == 2 and tostring(e) == 'entry')
        assert(select('#', many()) == 250)
        local ok, err = pcall(fail, 'text') assert(not ok)
        ok, err = pcall(fail, {}) assert(not ok)
        ok, err = pcall(raise) assert(not ok)
        ok, err = pcall(e, nil) assert(not ok)
        assert(each(function(n) return 'item ' .. n end, {'a', 'b', k = 'c'}) == 'item a')
        assert(alone(function(...) return select('#', ...) end) == 2)
        pcall(alone, coroutine.yield)
        local co = coroutine.wrap(function() local g <close> = open() coroutine.yield(open()) error(open()) end)
        co() pcall(co)
        do local g <close> = open() end
        pcall(function() local g <close> = open() error('lost') end)
        f:close()
        pcall(f.add, f, 1)
        debug.sethook(function() end, 'l') debug.sethook()
        collectgarbage()
        return open(), function() return f end
        """

    private static func prepare(_ state: LuaState, _ census: Census) throws {
        try state.defineMetatable("entry", ["__tostring": LuaFunction { $0.returns("entry") }])
        try state.setGlobal("open", LuaFunction { $0.returns(type.userdata(Counted(census))) })
        try state.setGlobal(
            "entry",
            LuaFunction { call in
                let counted = Counted(census)
                let text = try call.value(2)
                let name = try call.string(1)
                call.returnsTable(metatable: "entry") { table in
                    table.set("name", name)
                    table.set("text", text)
                    table.setTable("list") { list in
                        list.append(1)
                        list.appendTable { $0.append("deep") }
                    }
                    table.set(
                        "call",
                        LuaFunction { inner in
                            counted.value += 1
                            inner.returns(try inner.integer(1) + 1)
                        })
                }
            })
        try state.setGlobal("many", LuaFunction { call in for index in 1...250 { call.returns("n\(index)") } })
        try state.setGlobal("fail", LuaFunction { call in throw LuaError.raising(try call.value(1)) })
        try state.setGlobal("raise", LuaFunction { _ in throw LuaError.message("with a position") })
        try state.setGlobal(
            "each",
            LuaFunction { call in
                let function = try call.function(1)
                var last = LuaValue.nil
                try call.table(2).visitPairs { _, value in _ = try value.string() }
                try call.table(2).visitElements { element in
                    if last == .nil { last = try call.state.call(function, try element.value()).first ?? .nil }
                }
                call.returns(last)
            })
        try state.setGlobal(
            "alone",
            LuaFunction { call in
                for value in try call.state.call(try call.function(1), type.userdata(Counted(census)), "x", on: .own) {
                    call.returns(value)
                }
            })
    }

    /// Whether the script completed, with every object let go either way.
    private static func completes(failure: LuaOptions.AllocationFailure) -> Bool {
        let census = Census()
        var isComplete = false
        do {
            var options = LuaOptions()
            options.allocationFailure = failure
            let state = try LuaState(options)
            defer { state.close() }
            try prepare(state, census)
            _ = try state.run(script)
            isComplete = state.allocationCount < failure.first
        } catch {
            #expect(error is LuaError)
        }
        #expect(census.count == 0, "objects left alive after refusing \(failure)")
        return isComplete
    }

    @Test(arguments: [1, 2, 3, UInt64.max])
    func endsInAnErrorOrAResultWhicheverRequestIsRefused(count: UInt64) async throws {
        let last = try await LuaThread.run {
            var first: UInt64 = 1
            while !AllocationFailureTests.completes(failure: LuaOptions.AllocationFailure(first: first, count: count)) {
                first += 1
            }
            return first
        }
        #expect(last > 500)
    }
}
