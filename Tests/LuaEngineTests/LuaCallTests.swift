import Testing

@testable import LuaEngine

@Suite struct LuaCallTests {
    private func state(_ functions: KeyValuePairs<String, LuaFunction.Body>) throws -> LuaState {
        let state = try LuaState()
        for (name, body) in functions { try state.setGlobal(name, LuaFunction(body)) }
        return state
    }

    @Test func wordsBadArgumentsAsTheStandardLibraryDoes() throws {
        let state = try state([
            "save": { call in _ = try call.string(1) },
            "count": { call in _ = try call.integer(2) },
            "visit": { call in _ = try call.table(1) },
            "read": { call in throw LuaError.argument(3, "too large") },
        ])
        let cases = [
            "save(nil)": "bad argument #1 to 'save' (string expected, got nil)",
            "save()": "bad argument #1 to 'save' (string expected, got no value)",
            "save({})": "bad argument #1 to 'save' (string expected, got table)",
            "save(io.stdout)": "bad argument #1 to 'save' (string expected, got FILE*)",
            "save('\\xff')": "bad argument #1 to 'save' (invalid UTF-8 in string)",
            "count(1, 1.5)": "bad argument #2 to 'count' (number has no integer representation)",
            "count(1, 'x')": "bad argument #2 to 'count' (number expected, got string)",
            "visit(5)": "bad argument #1 to 'visit' (table expected, got number)",
            "local t = {save = save} t:save()": "calling 'save' on bad self (string expected, got table)",
            "local t = {count = count} t:count({})": "bad argument #1 to 'count' (number expected, got table)",
            "read()": "bad argument #3 to 'read' (too large)",
        ]
        for (code, expected) in cases {
            #expect(message { try state.run(code, name: "=t") } == "t:1: " + expected, "\(code)")
        }
    }

    @Test func convertsNumbersAsLuaDoes() throws {
        let state = try state([
            "integer": { call in call.returns(try call.integer(1)) },
            "number": { call in call.returns(try call.number(1)) },
            "text": { call in call.returns(try call.bytes(1)) },
        ])
        #expect(
            try state.run("return integer '0x10', integer(3.0), integer ' 7 '") == [
                .integer(16), .integer(7 - 4), .integer(7),
            ])
        #expect(try state.run("return number '1e2', number(3)") == [.number(100), .number(3)])
        let numbers = "1, -7, 2.0, 1e15, 1e100, 0.1, -0.0, 1/0, math.mininteger, 123456789.125"
        try state.run("for _, n in ipairs {\(numbers)} do assert(text(n) == tostring(n), tostring(n)) end")
    }

    @Test func carriesAnyBytesBothWays() throws {
        let state = try state([
            "reverse": { call in call.returns([UInt8](try call.bytes(1).reversed())) },
            "echo": { call in call.returns(try call.string(1)) },
        ])
        #expect(try state.run("return reverse 'a\\0\\xff\\xfeb'") == [.bytes([98, 254, 255, 0, 97])])
        #expect(try state.run("return echo 'nul\\0ä\\u{1F600}'") == [.string("nul\0ä\u{1F600}")])
        #expect(try state.run("return #reverse(('x'):rep(1 << 20))") == [.integer(1 << 20)])
        #expect(try state.run("return reverse ''") == [.bytes([])])
    }

    @Test func tellsNilFromNoValue() throws {
        let state = try state([
            "types": { call in
                for number in 1...3 { call.returns("\(call[number].type)") }
                call.returns(call.count)
                call.returns(try call[2].ifPresent?.integer() ?? 10)
            }
        ])
        #expect(
            try state.run("return types(1, nil)") == [
                .string("number"), .string("nil"), .string("none"), .integer(2), .integer(10),
            ])
        #expect(try state.run("return select(5, types(1, 4))") == [.integer(4)])
    }

    @Test func returnsTwoHundredAndFiftyResults() throws {
        let state = try state([
            "many": { call in for index in 1...250 { call.returns(index) } },
            "texts": { call in for index in 1...250 { call.returns("text \(index)") } },
        ])
        #expect(try state.run("return select('#', many()), select(250, many())") == [.integer(250), .integer(250)])
        #expect(try state.run("return many()").count == 250)
        #expect(try state.run("return select(250, texts())") == [.string("text 250")])
        #expect(try state.run("return #table.pack(coroutine.wrap(function() return texts() end)())") == [.integer(250)])
    }

    @Test func returnsNestedTablesWithMetatables() throws {
        let state = try state([
            "entry": { call in
                call.returnsTable(metatable: "entry") { table in
                    table.set("name", "a")
                    table.append(1)
                    table.appendTable { $0.append("deep") }
                    table.setTable("tags", metatable: "tags") { $0.set("k", true) }
                    table.set("missing", LuaValue.nil)
                    table.set(key: 2.5, [UInt8]([1]))
                }
                call.returns(
                    LuaTable(elements: [LuaTable(elements: ["x"])], fields: ["f": LuaFunction { $0.returns(9) }]))
                call.returns(argument: 1)
            }
        ])
        try state.defineMetatable("entry", ["__tostring": LuaFunction { $0.returns("an entry") }])
        try state.defineMetatable("tags", [:])
        try state.run(
            """
            local e, l, same = entry(print)
            assert(tostring(e) == 'an entry' and e.name == 'a' and e[1] == 1 and e[2][1] == 'deep' and e[2.5] == '\\1')
            assert(e.tags.k == true and getmetatable(e.tags).__name == 'tags' and e.missing == nil)
            assert(l[1][1] == 'x' and l.f() == 9 and same == print)
            """)
    }

    @Test func raisesForAMetatableThatWasNotDefined() throws {
        let state = try state(["bad": { call in call.returnsTable(metatable: "nowhere") { _ in } }])
        #expect(message { try state.run("bad()") }?.hasSuffix("no metatable of this name") == true)
    }

    @Test func readsTablesRaw() throws {
        let state = try state([
            "sum": { call in
                var total = 0
                try call.table(1).visitPairs { key, value in total += try value.integer() }
                call.returns(total)
                call.returns(try call.table(1).count)
                call.returns(try call.table(1).field("x").integer())
                call.returns(try call.table(1).element(2).integer())
            },
            "join": { call in
                call.returns(Array(try call.table(1).byteStrings().joined(separator: [UInt8(ascii: ",")])))
            },
        ])
        #expect(
            try state.run("return sum(setmetatable({1, 2, x = 4}, {__index = error, __pairs = error, __len = error}))")
                == [
                    .integer(7), .integer(2), .integer(4), .integer(2),
                ])
        #expect(try state.run("return join {'a', 'b', 3}") == [.string("a,b,3")])
        #expect(try state.run("local t = {} for i = 1, 5000 do t[i] = 'x' end return #join(t)") == [.integer(9_999)])
    }

    @Test func namesTheFieldThatIsWrong() throws {
        let state = try state([
            "save": { call in
                let options = try call.table(2)
                try options.allowOnly(["tags", "progress"])
                if let tags = try options.field("tags").ifPresent?.table() {
                    _ = try tags.field("k").boolean()
                }
                _ = try options.field("progress").ifPresent?.function()
            }
        ])
        let cases = [
            "save('a', {tagz = 1})": "bad argument #2 to 'save' (unknown option 'tagz')",
            "save('a', {1})": "bad argument #2 to 'save' (option names are strings, got a number)",
            "save('a', {tags = 1})": "bad argument #2 to 'save' (field 'tags': table expected, got number)",
            "save('a', {tags = {k = 'x'}})": "bad argument #2 to 'save' (field 'tags.k': boolean expected, got string)",
            "save('a', {progress = io.stdout})":
                "bad argument #2 to 'save' (field 'progress': function expected, got FILE*)",
        ]
        for (code, expected) in cases {
            #expect(message { try state.run(code, name: "=t") } == "t:1: " + expected, "\(code)")
        }
        #expect(try state.run("save('a', {tags = {k = true}, progress = print})") == [])
    }

    @Test func callsAFunctionItWasGiven() throws {
        let state = try state([
            "each": { call in
                let function = try call.function(1)
                for number in 1...3 {
                    call.returns(try call.state.call(function, number, "x").first ?? .nil)
                }
            }
        ])
        #expect(
            try state.run("return each(function(n, s) return n .. s end)") == [
                .string("1x"), .string("2x"), .string("3x"),
            ])
        let wrapped = "return coroutine.wrap(function() return each(function(n) return n * 2 end) end)()"
        #expect(try state.run(wrapped) == [.integer(2), .integer(4), .integer(6)])
    }

    @Test func refusesAYieldInAFunctionItCalls() throws {
        let state = try state([
            "here": { call in _ = try call.state.call(try call.function(1)) },
            "alone": { call in
                for value in try call.state.call(try call.function(1), 5, on: .own) { call.returns(value) }
            },
        ])
        let here = try #require(message { try state.run("coroutine.wrap(function() here(coroutine.yield) end)()") })
        #expect(here.hasSuffix("attempt to yield across a C-call boundary"))
        let closing = """
            closed = false
            alone(function()
              local c <close> = setmetatable({}, {__close = function() closed = true end})
              coroutine.yield(1, 2)
            end)
            """
        #expect(message { try state.run(closing) } == "attempt to yield from a function that must return")
        #expect(try state.global("closed") == .boolean(true))
        #expect(
            try state.run("return alone(function(n) return n, select(2, coroutine.running()) end)") == [
                .integer(5), .boolean(false),
            ])
        let error = try #require(luaError { try state.run("alone(function() local x <close> = nil; error({}) end)") })
        #expect(error.message == "(error object is a table value)")
        #expect(error.traceback?.contains("stack traceback:") == true)
    }

    @Test func closesWhatAnErrorLeftOpenOnItsOwnCoroutine() throws {
        let state = try state(["alone": { call in _ = try call.state.call(try call.function(1), on: .own) }])
        try state.run(
            """
            local seen
            local function closer(f) return setmetatable({}, {__close = f}) end
            local thrown = {}
            local ok, caught = pcall(alone, function()
              local c <close> = closer(function(_, e) seen = e end)
              error(thrown)
            end)
            assert(not ok and caught == thrown and seen == thrown)
            ok, caught = pcall(alone, function()
              local c <close> = closer(function(_, e) seen = e error('second', 0) end)
              error(thrown)
            end)
            assert(not ok and caught == 'second' and seen == thrown)
            ok, caught = pcall(alone, function()
              local c <close> = closer(function(_, e) seen = e error('third', 0) end)
              coroutine.yield()
            end)
            assert(not ok and caught == 'third' and seen == nil)
            """)
        #expect(message { try state.run("alone(function() error('plain', 0) end)") } == "plain")
        let failing = try state.load("local function inner() error 'x' end inner()")
        #expect(luaError { _ = try state.call(failing, on: .own) }?.traceback?.contains("'inner'") == true)
    }

    @Test func tellsSwiftOfAMistakeBeforeItIsRaised() throws {
        let state = try state([
            "check": { call in
                do { _ = try call.string(1) } catch let error as LuaError {
                    call.returns("\(error.code): \(error.message)")
                }
            }
        ])
        #expect(try state.run("return check()") == [.string("argument: bad argument #1 (string expected)")])
    }

    @Test func letsGoOfCollectedFunctions() throws {
        let census = Census()
        let state = try LuaState()
        try state.setGlobal(
            "make",
            LuaFunction { call in
                let counted = Counted(census)
                call.returns(LuaFunction { $0.returns(counted.value) })
            })
        try state.run("for i = 1, 100 do assert(make()() == 0) end")
        state.collectGarbage()
        #expect(census.count == 0)
    }
}
