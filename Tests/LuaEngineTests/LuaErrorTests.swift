import Testing

@testable import LuaEngine

@Suite struct LuaErrorTests {
    @Test func addsThePositionOfTheCaller() throws {
        let state = try LuaState()
        try state.setGlobal("fail", LuaFunction { _ in throw LuaError.message("no luck") })
        try state.setGlobal("swift", LuaFunction { _ in throw Trouble() })
        let error = try #require(luaError { try state.run("\n\nfail()", name: "=t") })
        #expect(error.message == "t:3: no luck")
        #expect(error.traceback?.hasPrefix("stack traceback:\n\t[C]: in function 'fail'\n\tt:3: in main chunk") == true)
        #expect(error.value == .string("t:3: no luck"))
        #expect(message { try state.run("swift()", name: "=t") } == "t:1: trouble in Swift")
        state.describeError = { _ in .raising(LuaTable(fields: ["code": "internal"])) }
        #expect(try state.run("return select(2, pcall(swift)).code") == [.string("internal")])
    }

    @Test func dropsResultsWrittenBeforeAnError() throws {
        let census = Census()
        let state = try LuaState()
        let type = LuaObjectType<Counted>("counted")
        try state.setGlobal(
            "fail",
            LuaFunction { call in
                for _ in 1...50 {
                    call.returns(type.userdata(Counted(census)))
                    call.returns("some text that fills the buffer")
                }
                throw LuaError.raising(LuaTable(elements: ["x"]))
            })
        #expect(
            try state.run("return select('#', pcall(fail)), select(2, pcall(fail))[1]") == [.integer(2), .string("x")])
        #expect(census.count == 0)
    }

    @Test func keepsAnErrorValueUnchangedOnItsWayThroughSwift() throws {
        let state = try LuaState()
        try state.setGlobal(
            "through",
            LuaFunction { call in
                let outcome = try call.state.call(try call.function(1))
                for value in outcome { call.returns(value) }
            })
        try state.run(
            """
            for _, value in ipairs {{}, 'text', 7, 2.5, true, print, coroutine.create(print), io.stdout} do
              local ok, caught = pcall(through, function() error(value, 0) end)
              assert(not ok and rawequal(caught, value), tostring(value))
            end
            assert(select('#', pcall(through, error)) == 2 and select(2, pcall(through, error)) == nil)
            """)
    }

    @Test func findsATextForEveryErrorValue() throws {
        let state = try LuaState()
        let cases = [
            "error()": "nil",
            "error(nil)": "(error object is a nil value)",
            "error({})": "(error object is a table value)",
            "error(print)": "(error object is a function value)",
            "error(12)": "12",
            "error(setmetatable({}, {__tostring = function() return 'my text' end}))": "my text",
            "error(setmetatable({}, {__tostring = function() error('inner', 0) end}))": "inner",
            "error(setmetatable({}, {__tostring = function() error({}) end}))": "(error object is a table value)",
            "error(setmetatable({}, {__tostring = function() return 5 end}))": "(error object is a table value)",
            "\n\nerror(setmetatable({}, {__tostring = function() return tostring(debug.getinfo(4).currentline) end}))":
                "3",
        ]
        for (code, expected) in cases {
            let expected = expected == "nil" ? "(error object is a nil value)" : expected
            #expect(message { try state.run(code) } == expected, "\(code)")
        }
        let own = try #require(
            luaError { try state.run("error(setmetatable({}, {__tostring = function() return 'mine' end}))") })
        #expect(own.description == "mine")
        #expect(own.traceback != nil)
    }

    @Test func raisesFromEveryMetamethod() throws {
        let state = try LuaState()
        let census = Census()
        let type = LuaObjectType<Counted>(
            "counted",
            metamethods: [
                .index: { _, _ in throw LuaError.message("in index") },
                .string: { _, _ in throw LuaError.message("in string") },
                .collect: { _, _ in throw LuaError.message("in collect") },
                .close: { _, _ in throw LuaError.message("in close") },
                .call: { _, _ in throw LuaError.raising(LuaValue.nil) },
            ])
        try state.setGlobal("make", LuaFunction { $0.returns(type.userdata(Counted(census))) })
        #expect(message { try state.run("return make().x") }?.hasSuffix("in index") == true)
        #expect(message { try state.run("return tostring(make())") }?.hasSuffix("in string") == true)
        #expect(message { try state.run("local x <close> = make()") }?.hasSuffix("in close") == true)
        #expect(message { try state.run("error(make())") }?.hasSuffix("in string") == true)
        #expect(try state.run("return pcall(make())") == [.boolean(false), .nil])
        var warnings: [String] = []
        state.onWarning = { warnings.append($0) }
        try state.run("warn '@on' for i = 1, 3 do make() end")
        state.collectGarbage()
        #expect(warnings.count >= 3)
        #expect(warnings.allSatisfy { $0.contains("in collect") && $0.contains("error in __gc") })
        #expect(census.count == 0)
    }

    /// The handler nests until Lua gives up, and uses up all memory at each depth of that in turn. Without the anchored
    /// string ("state.c"), the error escapes from `xpcall` at some of them, and with nothing around it Lua panics.
    @Test func survivesAnErrorInTheHandlerWhileMemoryIsOut() async throws {
        let outcomes = try await LuaThread.run { () -> Set<String> in
            let state = try LuaState()
            let attempt = try #require(
                try state.run(
                    """
                    local list, depth, last
                    local function fill() while true do list = {list} end end
                    local function handler(m)
                      if depth > 0 or m:find('overflow', 1, true) then depth = depth + 1 end
                      if depth == last then pcall(fill) end
                      error(m, 0)
                    end
                    return function(n)
                      list, depth, last = nil, 0, n
                      local caught, text = xpcall(error, handler, 'x')
                      list = nil
                      return text
                    end
                    """
                ).first?.reference)
            var outcomes: Set<String> = []
            for depth in 1...22 {
                for spareBytes in stride(from: 200_000, to: 200_096, by: 8) {
                    state.collectGarbage()
                    state.memoryLimitBytes = state.memoryUsedBytes + spareBytes
                    defer { state.memoryLimitBytes = nil }
                    outcomes.insert(try state.call(attempt, depth).first?.string ?? "")
                }
            }
            return outcomes
        }
        #expect(outcomes == ["error in error handling", "not enough memory"])
    }

    @Test func reportsAFailedHandlerAsSuch() throws {
        let state = try LuaState()
        let results = try state.run(
            """
            local function overflow() return 1 + overflow() end
            return xpcall(overflow, function() return 1 + overflow() end)
            """)
        #expect(results.first == .boolean(false))
    }

    @Test func endsDeepNestingThroughCAsAnError() async throws {
        let text = try await LuaThread.run {
            let state = try LuaState()
            let nested = "local function f(s) return (s:gsub('.', f)) end return f('x')"
            return message { try state.run(nested) } ?? ""
        }
        #expect(text.contains("C stack overflow"))
    }

    @Test func runsTenThousandNestedLuaFrames() async throws {
        let results = try await LuaThread.run {
            try LuaState().run(
                "local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(10000)")
        }
        #expect(results == [.integer(10_000)])
    }

    @Test func endsDeepNestingThroughSwiftAsAnError() async throws {
        let (depth, text) = try await LuaThread.run {
            let state = try LuaState()
            var depth = 0
            try state.setGlobal(
                "nest",
                LuaFunction { call in
                    depth += 1
                    _ = try call.state.call(try call.function(1))
                })
            let text = message { try state.run("local function f() nest(f) end f()") } ?? ""
            return (depth, text)
        }
        #expect(text.contains("C stack overflow"))
        #expect(depth > 20)
    }
}
