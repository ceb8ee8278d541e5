import Testing

@testable import LuaEngine

@Suite struct LuaObjectTypeTests {
    static let file = LuaObjectType<Counted>(
        "file",
        methods: [
            "add": { file, call in
                file.value += try call.integer(2)
                call.returns(argument: 1)
            },
            "get": { file, call in call.returns(file.value) },
            "close": { file, call in
                call.close(1)
                call.returns(file.value)
            },
        ],
        metamethods: [
            .index: { file, call in call.returns(call[2].type == .string ? "field " + (try call.string(2)) : "other") },
            .newIndex: { file, call in file.value = try call.integer(3) },
            .call: { file, call in call.returns(file.value + (try call.integer(2))) },
            .length: { file, call in call.returns(file.value) },
            .string: { file, call in call.returns("file of \(file.value)") },
            .pairs: { file, call in
                call.returns(
                    LuaFunction { step in
                        let next = try step[2].ifPresent?.integer() ?? 0
                        if next < 3 { step.returns(next + 1) } else { step.returnsNil() }
                    })
            },
        ])

    private func state(_ census: Census) throws -> LuaState {
        let state = try LuaState()
        try state.setGlobal("open", LuaFunction { $0.returns(LuaObjectTypeTests.file.userdata(Counted(census))) })
        return state
    }

    @Test func hasMethodsAndMetamethods() throws {
        let state = try state(Census())
        try state.run(
            """
            local f = open()
            assert(f:add(3):add(4) == f and f:get() == 7 and f(1) == 8 and #f == 7)
            assert(tostring(f) == 'file of 7' and f.name == 'field name' and f[1] == 'other')
            f.x = 20
            assert(f:get() == 20)
            local keys = {}
            for k in pairs(f) do keys[#keys + 1] = k end
            assert(#keys == 3 and getmetatable(f).__name == 'file')
            """)
    }

    @Test func checksTheTypeOfEveryObject() throws {
        let state = try state(Census())
        let other = LuaObjectType<Counted>("other", methods: ["get": { _, _ in }])
        try state.setGlobal("other", other.userdata(Counted(Census())))
        let cases = [
            "open().get({})": "bad argument #1 to 'get' (file expected, got table)",
            "open().get()": "bad argument #1 to 'get' (file expected, got no value)",
            "open().get(other)": "bad argument #1 to 'get' (file expected, got other)",
            "open().get(io.stdout)": "bad argument #1 to 'get' (file expected, got FILE*)",
            "local t = {get = open().get} t:get()": "calling 'get' on bad self (file expected, got table)",
        ]
        for (code, expected) in cases {
            #expect(message { try state.run(code, name: "=t") } == "t:1: " + expected, "\(code)")
        }
    }

    @Test func cannotBeForgedThroughTheDebugLibrary() throws {
        let census = Census()
        let state = try state(census)
        try state.run(
            """
            local f = open()
            assert(not pcall(f.get, debug.setmetatable(io.tmpfile(), getmetatable(f))))
            assert(debug.setupvalue(open, 1, io.stdout))
            local ok, text = pcall(open)
            assert(not ok and text:find 'closing', text)
            assert(not pcall(debug.setupvalue, f.get, 1, nil) or not pcall(f.get, f))
            local gc = getmetatable(f).__gc
            gc(io.stdout) gc(nil) gc({}) gc(f) gc(f)
            assert(not pcall(f.close, f))
            """)
        #expect(census.count == 0)
    }

    @Test func letsGoOnCollection() throws {
        let census = Census()
        let state = try state(census)
        try state.run("for i = 1, 100 do open() end")
        state.collectGarbage()
        state.collectGarbage()
        #expect(census.count == 0)
    }

    @Test func letsGoOnCloseAndRefusesUseAfterIt() throws {
        let census = Census()
        let state = try state(census)
        try state.run("f = open() assert(f:close() == 0)")
        #expect(census.count == 0)
        #expect(message { try state.run("f:get()", name: "=t") } == "t:1: attempt to use a closed file")
        #expect(try state.run("return tostring(f)") == [.string("file (closed)")])
        try state.run("do local g <close> = open() kept = g end")
        #expect(census.count == 0)
        #expect(message { try state.run("kept:get()") }?.hasSuffix("attempt to use a closed file") == true)
    }

    @Test func tellsCloseTheErrorThatEndsItsScope() throws {
        let census = Census()
        let state = try LuaState()
        let seen = Seen()
        let type = LuaObjectType<Counted>(
            "writer", metamethods: [.close: { _, call in seen.append(try call.value(2)) }])
        try state.setGlobal("open", LuaFunction { $0.returns(type.userdata(Counted(census))) })
        try state.run("do local f <close> = open() end pcall(function() local f <close> = open() error('x', 0) end)")
        #expect(seen.values == [.nil, .string("x")])
        #expect(census.count == 0)
    }

    @Test func closesAnObjectOnceInItsFinalizer() throws {
        let census = Census()
        let state = try LuaState()
        let seen = Seen()
        let type = LuaObjectType<Counted>("writer", metamethods: [.collect: { _, _ in seen.append(.nil) }])
        try state.setGlobal("open", LuaFunction { $0.returns(type.userdata(Counted(census))) })
        try state.run("kept = open()")
        state.close()
        #expect(seen.values.count == 1)
        #expect(census.count == 0)
    }

    @Test func mayCallLuaInAFinalizerWhileTheStateCloses() throws {
        let census = Census()
        let state = try LuaState()
        let callback = try state.load("return 1 + 1")
        let type = LuaObjectType<Counted>(
            "writer", metamethods: [.collect: { _, call in _ = try call.state.call(callback) }])
        try state.setGlobal("f", type.userdata(Counted(census)))
        try state.run("setmetatable({}, {__gc = function() if f then f.x = nil end end})")
        state.close()
        #expect(census.count == 0)
    }
}

/// What callbacks saw, in order; used by one thread at a time.
final class Seen: @unchecked Sendable {
    private(set) var values: [LuaValue] = []

    func append(_ value: LuaValue) {
        values.append(value)
    }
}
