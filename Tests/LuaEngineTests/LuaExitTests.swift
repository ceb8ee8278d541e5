import Foundation
import Testing

@testable import LuaEngine

@Suite struct LuaExitTests {
    @Test func endsTheProcessWithTheCodeAndFlushedStreams() async throws {
        let result = await #expect(processExitsWith: .exitCode(7), observing: [\.standardOutputContent]) {
            atexit { _exit(99) }
            let state = try LuaState()
            state.onExit = { status in print("handler \(status)", terminator: "") }
            try state.run("io.stdout:setvbuf 'full' io.write 'unflushed ' pcall(os.exit, 7)")
        }
        let output = result.map { String(decoding: $0.standardOutputContent, as: UTF8.self) }
        #expect(output?.contains("unflushed handler 7") == true)
    }

    @Test func takesABooleanAndNothing() async {
        await #expect(processExitsWith: .exitCode(0)) { try LuaState().run("os.exit()") }
        await #expect(processExitsWith: .exitCode(0)) { try LuaState().run("os.exit(true)") }
        await #expect(processExitsWith: .exitCode(1)) { try LuaState().run("os.exit(false)") }
    }

    @Test func refusesACodeThatIsNone() throws {
        let state = try LuaState()
        #expect(
            message { try state.run("os.exit('x')", name: "=t") }
                == "t:1: bad argument #1 to 'exit' (number expected, got string)")
    }

    @Test func closesTheStateOnlyWhenAsked() async throws {
        let closing = await #expect(processExitsWith: .exitCode(3), observing: [\.standardOutputContent]) {
            let state = try LuaState()
            state.onExit = { _ in print("handler", terminator: "") }
            let type = LuaObjectType<Counted>(
                "writer", metamethods: [.collect: { _, _ in print("collected ", terminator: "") }])
            try state.setGlobal("f", type.userdata(Counted(Census())))
            try state.setGlobal("through", LuaFunction { call in _ = try call.state.call(try call.function(1)) })
            try state.run(
                """
                local x <close> = setmetatable({}, {__close = function() io.write 'closed ' end})
                through(function() os.exit(3, true) end)
                """)
        }
        let text = closing.map { String(decoding: $0.standardOutputContent, as: UTF8.self) }
        #expect(text?.contains("closed collected handler") == true, "\(text ?? "")")
        let plain = await #expect(processExitsWith: .exitCode(4), observing: [\.standardOutputContent]) {
            let state = try LuaState()
            try state.run("local x <close> = setmetatable({}, {__close = function() print 'closed' end}) os.exit(4)")
        }
        #expect(plain.map { String(decoding: $0.standardOutputContent, as: UTF8.self).contains("closed") } == false)
    }
}
