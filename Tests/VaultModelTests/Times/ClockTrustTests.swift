import Testing

@testable import VaultModel

@Suite struct ClockTrustTests {
    private func untrusted(_ times: [Int64], now: Int64 = 1_000_000) -> [Int64] {
        zip(times, ClockTrust.trusted(times, now: now)).filter { !$0.1 }.map(\.0)
    }

    @Test func trustsTimesThatNeverGoBack() {
        #expect(untrusted([]).isEmpty)
        #expect(untrusted([1, 1, 2, 5, 5]).isEmpty)
        #expect(untrusted([-5, 0, Int64.max - 1], now: .max).isEmpty)
    }

    @Test func distrustsOneTimeInTheFutureOrThePast() {
        #expect(untrusted([10, 5000, 11, 12]) == [5000])
        #expect(untrusted([10, 20, 30, 1, 40]) == [1])
        #expect(untrusted([5000, 10, 11]) == [5000])
        #expect(untrusted([10, 20, 1]) == [1])
        #expect(untrusted([.max, 0, 1, .min, 2, 3], now: .max) == [.max, .min])
    }

    @Test func distrustsWhatIsStillToCome() {
        #expect(untrusted([10, 20, 5000], now: 30) == [5000])
        #expect(untrusted([5000, 6000], now: 30) == [5000, 6000])
    }

    @Test func countsABurstOnce() {
        // A large push under a wrong clock is many commits, and a moment.
        #expect(
            untrusted([10] + [Int64](repeating: 5000, count: 1000) + [11, 12]) == [Int64](repeating: 5000, count: 1000))
        #expect(untrusted([10, 11, 11, 11, 5, 5, 12]) == [5, 5])
    }

    @Test func ofTwoThatContradictEachOtherTheLaterCommitCounts() {
        #expect(untrusted([10, 5000, 11]) == [5000])
    }

    @Test func replacesWrongTimesByTheLatestThatTheyCanBe() {
        let corrected = ClockTrust.corrected([10, 5000, 11, 1, 20, 6000], now: 100)
        #expect(corrected.map(\.time) == [10, 11, 11, 20, 20, 100])
        #expect(corrected.map(\.isTrusted) == [true, false, true, false, true, false])
        // Two commits without a clock outvote one with a right one, and do not make it old.
        #expect(ClockTrust.corrected([90, 0, 5], now: 100).map(\.time) == [100, 0, 5])
        #expect(ClockTrust.corrected([90, 0, 5, 6, 95], now: 100).map(\.time) == [95, 0, 5, 6, 95])
    }
}
