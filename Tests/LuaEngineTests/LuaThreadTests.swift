import Testing

@testable import LuaEngine

@Suite struct LuaThreadTests {
    @Test func givesItsThreadADeepStack() async throws {
        // About 12 MiB of frames, which an 8 MiB stack does not hold.
        @Sendable @inline(never) func descend(_ depth: Int) -> Int {
            withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { bytes in
                bytes[0] = UInt8(truncatingIfNeeded: depth)
                return depth == 0 ? Int(bytes[0]) : descend(depth - 1) + Int(bytes[0] & 1)
            }
        }
        #expect(try await LuaThread.run { descend(180) } > 0)
    }

    @Test func returnsAndThrowsWhatItsBodyDoes() async throws {
        #expect(try await LuaThread.run { try LuaState().run("return 5") } == [.integer(5)])
        await #expect(throws: Trouble.self) { try await LuaThread.run { throw Trouble() } }
    }

    @Test func runsManyStatesAtOnce() async throws {
        let total = try await withThrowingTaskGroup { group in
            for number in 1...8 {
                group.addTask {
                    try await LuaThread.run {
                        try LuaState().run("local n = 0 for i = 1, 1000 do n = n + \(number) end return n")
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1.first?.integer ?? 0) }
        }
        #expect(total == 36_000)
    }
}
