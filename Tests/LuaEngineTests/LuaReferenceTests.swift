import Synchronization
import Testing

@testable import LuaEngine

@Suite struct LuaReferenceTests {
    @Test func keepsAValueAliveUntilItIsDropped() throws {
        let state = try LuaState()
        try state.run("alive = setmetatable({}, {__mode = 'k'})")
        var reference = try state.run("local t = {} alive[t] = true return t").first?.reference
        #expect(reference?.type == .table)
        state.collectGarbage()
        #expect(try state.run("return next(alive) ~= nil") == [.boolean(true)])
        reference = nil
        state.collectGarbage()
        #expect(try state.run("return next(alive) ~= nil") == [.boolean(false)])
    }

    @Test func mayBeDroppedOnAnotherThread() async throws {
        let state = try LuaState()
        try state.run("alive = setmetatable({}, {__mode = 'k'})")
        let held = Mutex<[LuaReference]>([])
        for _ in 1...200 {
            let reference = try #require(try state.run("local t = {} alive[t] = true return t").first?.reference)
            held.withLock { $0.append(reference) }
        }
        // A thread of its own drops them while this one makes and drops others.
        async let dropped: Void = LuaThread.run { while held.withLock({ $0.popLast() }) != nil {} }
        for _ in 1...200 { _ = try state.run("local t = {} alive[t] = true return t") }
        try await dropped
        state.collectGarbage()
        #expect(try state.run("return next(alive) ~= nil") == [.boolean(false)])
    }

    @Test func mayOutliveItsState() throws {
        let state = try LuaState()
        let reference = try state.load("return 1")
        state.close()
        withExtendedLifetime(reference) {}
    }

    @Test func isReadInPlace() throws {
        let state = try LuaState()
        let table = try #require(try state.run("return {10, 20, name = 'x'}").first?.reference)
        let text = try state.read(table) { view in
            let table = try view.table()
            return "\(try table.element(2).integer()) \(try table.field("name").string()) \(table.count)"
        }
        #expect(text == "20 x 2")
        #expect(message { try state.read(table) { _ = try $0.integer() } } == "number expected, got table")
        #expect(
            message { try state.read(table) { _ = try $0.table().field("name").table() } }
                == "field 'name': table expected, got string")
    }

    @Test func comparesAsLuaDoes() throws {
        let state = try LuaState()
        let values = try state.run("local t = {} return t, t, {}").compactMap(\.reference)
        #expect(try state.areEqual(values[0], values[1]))
        #expect(try !state.areEqual(values[0], values[2]))
    }

    @Test func surviveBeingDroppedWhileTheyAreResults() throws {
        let state = try LuaState()
        try state.setGlobal(
            "gc",
            LuaFunction { call in
                // Runs callbacks, which release dropped references, while the results below wait to be pushed.
                _ = try call.state.run("return 1")
            })
        try state.setGlobal(
            "make",
            LuaFunction { call in
                let table = try call.state.run("return {42}").first ?? .nil
                call.returns(LuaTable(elements: [table, table]))
                call.returns(table)
            })
        try state.run(
            """
            collectgarbage('setpause', 0) collectgarbage('setstepmul', 1000)
            local function finalize() gc() setmetatable({}, {__gc = finalize}) end
            finalize()
            for i = 1, 2000 do
              local list, t = make()
              assert(list[1][1] == 42 and list[2] == t)
            end
            """)
    }
}
