import Glibc
import TestSupport
import Testing

@testable import VaultModel

@Suite struct BlockingExecutorTests {
    @Test func runsManyChildrenAndGivesBackTheirResults() async throws {
        let sum = try await BlockingExecutor.run { () async throws(VaultError) in
            await withTaskGroup(of: Int.self) { group in
                for number in 1...20_000 {
                    group.addTask {
                        if number % 100 == 0 { await Task.yield() }
                        return number
                    }
                }
                return await group.reduce(0, +)
            }
        }
        #expect(sum == 20_000 * 20_001 / 2)
    }

    @Test func keepsTheErrorAndTheCancellation() async {
        let failure = await eventualCode {
            try await BlockingExecutor.run { () async throws(VaultError) in throw VaultError(.quota, "Full.") }
        }
        #expect(failure == .quota)
        let isCancelled = await cancelling { cancel in
            cancel()
            return try? await BlockingExecutor.run { () async throws(VaultError) in Task.isCancelled }
        }
        #expect(isCancelled == true)
    }

    @Test func hasThreadsToSpareForWaiting() async throws {
        var descriptors: [Int32] = [0, 0]
        #expect(pipe(&descriptors) == 0)
        let (reading, writing) = (descriptors[0], descriptors[1])
        // More waits than processors are no deadlock, as long as the executor has a thread left.
        let count = try await BlockingExecutor.run { () async throws(VaultError) in
            await withTaskGroup(of: Int.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        var byte: UInt8 = 0
                        return read(reading, &byte, 1)
                    }
                }
                group.addTask { write(writing, [1, 2, 3], 3) }
                return await group.reduce(0, +)
            }
        }
        #expect(count == 6)
        close(reading)
        close(writing)
    }
}
