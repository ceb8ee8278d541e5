import Testing

@testable import VaultStore

@Suite struct JournalTimesTests {
    /// Groups whose last sequences are their numbers, from 1 on.
    private func journal(_ times: [Int64]) -> JournalTimes {
        var journal = JournalTimes()
        for (index, time) in times.enumerated() { journal.append(UInt64(index + 1), time) }
        return journal
    }

    private func states(_ times: [Int64], at asked: [Int64], now: Int64) -> [UInt64] {
        asked.map { journal(times).lastSequence(at: $0, now: now) }
    }

    @Test func aSaveInTheFutureCountsAsMadeWithTheOneBefore() {
        #expect(
            states([10, 5000, 20, 30], at: [9, 10, 19, 20, 29, 30, 4999, 9999], now: 100) == [0, 2, 2, 3, 3, 4, 4, 4])
        // So it does once its time has come.
        #expect(states([10, 5000, 20, 30, 40, 6000], at: [20, 40, 5500], now: 7000) == [3, 5, 5])
        #expect(states([10, 20, 5000], at: [15, 20, 100], now: 100) == [1, 3, 3])
    }

    @Test func aSaveInThePastChangesNoEarlierState() {
        #expect(states([10, 20, 30, 1, 40], at: [0, 1, 9, 10, 25, 30, 40], now: 100) == [0, 0, 0, 1, 2, 4, 5])
    }

    @Test func aWrongFirstSaveIsNotThereBeforeTheFirstRightOne() {
        #expect(states([5000, 10, 20], at: [5, 10, 20], now: 100) == [0, 2, 3])
        #expect(states([5000], at: [5, 100], now: 100) == [1, 1])
        #expect(states([], at: [5], now: 100) == [0])
    }
}
