import TestSupport
import Testing
import VaultModel

@testable import VaultClient

@Suite struct BandwidthLimitTests {
    @Test func whatIsTakenBeyondABurstIsPaidForByWaiting() async throws {
        let start = ContinuousClock.now
        let now = Shared(start)
        let limit = BandwidthLimit(
            bytesPerSecond: 1000, clock: { now.value }, sleep: { wait in now.change { $0 += wait } })
        for _ in 0..<10 { try await limit.take(500) }
        let taken = now.value - start
        #expect(taken >= .milliseconds(4750) && taken <= .seconds(5), "\(taken)")
    }

    @Test func timeThatPassedPaysForABurstAndNoMore() async throws {
        let start = ContinuousClock.now
        let now = Shared(start)
        let limit = BandwidthLimit(
            bytesPerSecond: 1000, clock: { now.value }, sleep: { wait in now.change { $0 += wait } })
        try await limit.take(100)
        now.change { $0 += .seconds(60) }
        let later = now.value
        try await limit.take(200)
        #expect(now.value == later)
        try await limit.take(1000)
        #expect(now.value - later == .seconds(1))
    }

    @Test func anEndedWaitIsCancelled() async {
        let limit = BandwidthLimit(bytesPerSecond: 1, clock: { .now }, sleep: { _ in throw CancellationError() })
        let error = await #expect(throws: VaultError.self) { try await limit.take(1000) }
        #expect(error?.code == .cancelled)
    }
}
