import Foundation
import Testing

@testable import LuaEngine

@Suite struct LuaCoroutineTests {
    private static let interpreter = "/usr/bin/lua5.4"

    /// What the stand-alone interpreter prints for the edge cases.
    private static func expectation() throws -> String {
        let code = "lines = {} assert(load(io.read 'a', '=edge'))() io.write(table.concat(lines, '\\n'))"
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).lua")
        try Data(coroutineEdgeCases.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: interpreter)
        process.arguments = ["-e", code]
        process.standardInput = try FileHandle(forReadingFrom: file)
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: interpreter)))
    func behavesAsTheLibraryItselfDoes() async throws {
        let expected = try LuaCoroutineTests.expectation().split(separator: "\n", omittingEmptySubsequences: false)
        let found = try await LuaThread.run {
            let state = try LuaState()
            try state.run("lines = {}")
            try state.run(coroutineEdgeCases, name: "=edge")
            let text = try state.run("return table.concat(lines, '\\n')").first?.string ?? ""
            return text.split(separator: "\n", omittingEmptySubsequences: false)
        }
        #expect(expected.count > 100)
        #expect(found.count == expected.count)
        for (left, right) in zip(found, expected) { #expect(left == right) }
    }

    @Test func endsAChainOfClosingsAsAnError() async throws {
        let results = try await LuaThread.run {
            let state = try LuaState()
            return try state.run(
                """
                local inner
                for i = 1, 100000 do
                  local before = inner
                  inner = coroutine.create(function()
                    local x <close> = setmetatable({}, {__close = function()
                      if before then assert(coroutine.close(before)) end
                    end})
                    coroutine.yield()
                  end)
                  coroutine.resume(inner)
                end
                local ok, text = coroutine.close(inner)
                return ok, text:match 'C stack overflow'
                """)
        }
        #expect(results == [.boolean(false), .string("C stack overflow")])
    }

    @Test func outlivesAWrapperWithoutItsCoroutine() throws {
        let state = try LuaState()
        try state.run(
            """
            local wrapped = coroutine.wrap(print)
            debug.setupvalue(wrapped, 1, 5)
            local ok, text = pcall(wrapped)
            assert(not ok and text:find 'is gone', text)
            """)
    }
}
