import Foundation
import Testing

@testable import LuaEngine

@Suite struct LuaStateTests {
    @Test func runsAChunkWithArgumentsAndResults() throws {
        let state = try LuaState()
        #expect(
            try state.run("return ..., 'x', nil, 2.5, true", name: "=t", 7) == [
                .integer(7), .string("x"), .nil, .number(2.5), .boolean(true),
            ])
    }

    @Test func opensOnlyTheLibrariesAskedFor() throws {
        var options = LuaOptions()
        options.libraries = [.base, .string]
        let state = try LuaState(options)
        #expect(
            try state.run("return io, os, debug, package, type(string.rep)") == [
                .nil, .nil, .nil, .nil, .string("function"),
            ])
    }

    @Test func reportsASyntaxErrorWithoutATraceback() throws {
        let state = try LuaState()
        let error = try #require(luaError { _ = try state.load("x = = 1", name: "=t") })
        #expect(error.code == .syntax)
        #expect(error.description == "t:1: unexpected symbol near '='")
    }

    @Test func refusesTheWrongKindOfChunk() throws {
        let state = try LuaState()
        guard case .bytes(let binary)? = try state.run("return string.dump(function() return 5 end)").first else {
            Issue.record("no bytecode")
            return
        }
        #expect(try state.call(try state.load(binary, name: "=b", mode: .binary)) == [.integer(5)])
        #expect(
            message { _ = try state.load(binary, name: "=b", mode: .text) }
                == "attempt to load a binary chunk (mode is 't')")
        #expect(
            message { _ = try state.load(Array("return 1".utf8), name: "=t", mode: .binary) }
                == "attempt to load a text chunk (mode is 'b')")
    }

    @Test func skipsTheFirstLineOfAScriptFile() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).lua").path
        try
            "#!/usr/bin/env minivault\nlocal a, b = ...\nreturn a .. b, arg[0], arg[-1], arg[2], debug.getinfo(1).currentline"
            .write(
                toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let state = try LuaState()
        try state.setArguments(["minivault", "run", file, "x", "y"], script: 2)
        let results = try state.runScript(file, arguments: ["x", "y"])
        #expect(results == [.string("xy"), .string(file), .string("run"), .string("y"), .integer(3)])
    }

    @Test func blamesAFileThatIsNotThere() throws {
        let state = try LuaState()
        let error = try #require(luaError { _ = try state.load(file: "/nowhere/x.lua") })
        #expect(error.code == .file)
        #expect(error.description == "cannot open /nowhere/x.lua: No such file or directory")
    }

    @Test func givesModulesToRequire() throws {
        let state = try LuaState()
        try state.setLoaded("vault", LuaTable(fields: ["version": "1"]))
        try state.setPreload("late", LuaFunction { call in call.returns("loaded " + (try call.string(1))) })
        #expect(
            try state.run("return require('vault').version, (require 'late')") == [
                .string("1"), .string("loaded late"),
            ])
    }

    @Test func readsAndSetsGlobalsAndFields() throws {
        let state = try LuaState()
        try state.setGlobal("t", LuaTable(elements: [1, 2], fields: ["name": "x"]))
        let table = try #require(try state.global("t").reference)
        #expect(try state.get(table, "name") == .string("x"))
        #expect(try state.get(table, 2) == .integer(2))
        try state.set(table, "name", [UInt8]([0, 255]))
        #expect(try state.run("return t.name") == [.bytes([0, 255])])
        #expect(try state.global("absent") == .nil)
    }

    @Test func refusesWorkOnceClosed() throws {
        let state = try LuaState()
        state.close()
        state.close()
        #expect(message { try state.run("return 1") } == "the Lua state is closed")
        #expect(state.memoryUsedBytes == 0)
    }

    @Test func letsGoOfEveryObjectOnClose() throws {
        let census = Census()
        let state = try LuaState()
        try state.run("kept = {}")
        for index in 1...100 {
            let counted = Counted(census)
            try state.setGlobal("f\(index)", LuaFunction { call in call.returns(counted.value) })
        }
        #expect(census.count == 100)
        state.close()
        #expect(census.count == 0)
    }

    @Test func endsAtItsMemoryLimit() throws {
        var options = LuaOptions()
        options.memoryLimitBytes = 4 << 20
        let state = try LuaState(options)
        let error = try #require(
            luaError { try state.run("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end") })
        #expect(error.code == .memory)
        #expect(error.message == "not enough memory")
        #expect(try state.run("return pcall(string.rep, 'x', 1 << 40)").first == .boolean(false))
        #expect(try state.run("return 1") == [.integer(1)])
        #expect(state.memoryUsedBytes <= 4 << 20)
    }

    @Test func hasAReserveForWhatEndsWhenMemoryIsOut() throws {
        var options = LuaOptions()
        options.memoryLimitBytes = 4 << 20
        options.memoryReserveBytes = 1 << 20
        let state = try LuaState(options)
        let fill = "return pcall(function() local t = {} while true do t[#t + 1] = {} end end)"
        // The reserve is there once.
        for _ in 1...2 {
            #expect(try state.run(fill) == [.boolean(false), .string("not enough memory")])
            #expect(state.memoryLimitBytes == 5 << 20)
        }
    }

    @Test func reportsALimitBelowWhatTheLibrariesNeed() throws {
        var options = LuaOptions()
        options.memoryLimitBytes = 10_000
        #expect(luaError { _ = try LuaState(options) }?.code == .memory)
    }

    @Test func refusesABufferAboveTheMemoryLimit() throws {
        var options = LuaOptions()
        options.memoryLimitBytes = 1 << 20
        let state = try LuaState(options)
        try state.setGlobal("big", LuaFunction { call in call.returns([UInt8](repeating: 0, count: 2 << 20)) })
        #expect(luaError { try state.run("big()") }?.code == .memory)
        #expect(try state.run("return pcall(big)") == [.boolean(false), .string("not enough memory")])
    }

    @Test func warnsOnlyOnceTurnedOn() throws {
        let state = try LuaState()
        var warnings: [String] = []
        state.onWarning = { warnings.append($0) }
        try state.run("warn 'lost' warn '@on' warn('a', 'b', '@off') warn '@unknown' warn '@off' warn 'lost'")
        #expect(warnings == ["ab@off"])
    }

    @Test func worksInAStateThatAnotherProgramCloses() throws {
        let census = Census()
        let program = try LuaState()
        let type = LuaObjectType<Counted>("counted", methods: ["get": { counted, call in call.returns(counted.value) }])
        weak var guest: LuaState?
        do {
            let state = try LuaState(adopting: try #require(program.current))
            guest = state
            try state.setGlobal("open", LuaFunction { $0.returns(type.userdata(Counted(census))) })
            try state.setPreload("guest", LuaFunction { $0.returns(LuaTable(fields: ["x": 5])) })
        }
        #expect(
            try program.run("kept = open() return kept:get(), open():get(), require('guest').x") == [
                .integer(0), .integer(0), .integer(5),
            ])
        #expect(
            message { try program.run("open():get {} kept.get {}") }?.contains("counted expected, got table") == true)
        #expect(census.count > 0)
        #expect(guest != nil)
        guest?.close()
        program.close()
        #expect(census.count == 0)
        #expect(guest == nil)
    }

    @Test func runsTheChunkOfTheEnvironment() async {
        await #expect(processExitsWith: .success) {
            setenv("LUA_INIT", "x = 'general'", 1)
            let state = try LuaState()
            try state.runEnvironmentChunk()
            guard try state.global("x") == .string("general") else { exit(1) }
            setenv("LUA_INIT_5_4", "x = = 1", 1)
            guard message({ try state.runEnvironmentChunk() }) == "LUA_INIT_5_4:1: unexpected symbol near '='" else {
                exit(2)
            }
            setenv("LUA_INIT_5_4", "@/nowhere/init.lua", 1)
            guard luaError({ try state.runEnvironmentChunk() })?.code == .file else { exit(3) }
        }
    }
}
