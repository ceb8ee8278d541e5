import Testing

@testable import VaultModel

@Suite struct KeepPolicyTests {
    private let day: Int64 = 86_400
    /// 2024-01-01T00:00:00Z, a Monday.
    private let newYear: Int64 = 1_704_067_200

    /// Versions saved at these times; a negative number of seconds since the new year marks a removal.
    private func history(_ times: [Int64], removedAt removals: Set<Int64> = []) -> [KeepPolicy.Candidate] {
        times.enumerated().map { index, time in
            KeepPolicy.Candidate(
                version: UInt64(index + 1), sequence: UInt64(index + 1), savedAt: newYear + time,
                isRemoval: removals.contains(time))
        }
    }

    private func policy(
        last: Int = 0, daily: Int = 0, weekly: Int = 0, monthly: Int = 0, within: Int64 = 0
    ) -> KeepPolicy {
        var policy = KeepPolicy()
        (policy.last, policy.daily, policy.weekly, policy.monthly, policy.within) = (
            last, daily, weekly, monthly, within
        )
        return policy
    }

    private func kept(
        _ policy: KeepPolicy, _ history: [KeepPolicy.Candidate], now: Int64, _ calendar: CivilCalendar = .utc
    ) -> [UInt64] {
        let dropped = policy.dropped(from: history, now: newYear + now, calendar: calendar)
        #expect(dropped == dropped.sorted())
        #expect(Set(dropped).isSubset(of: history.map(\.version)))
        return history.map(\.version).filter { !dropped.contains($0) }
    }

    @Test func keepsTheLastVersions() {
        let history = history([0, 1, 2, 3, 4])
        #expect(kept(policy(last: 2), history, now: 5) == [4, 5])
        #expect(kept(policy(last: 9), history, now: 5) == [1, 2, 3, 4, 5])
        #expect(policy(last: 2).dropped(from: [], now: 0, calendar: .utc).isEmpty)
    }

    @Test func neverDropsTheCurrentVersion() {
        let old = history([0])
        for policy in [policy(), policy(last: 1), policy(daily: 1), policy(within: 1), policy(last: -1, within: .min)] {
            #expect(kept(policy, old, now: 10_000 * day) == [1])
        }
        #expect(kept(policy(within: day), history([0, 1]), now: 10_000 * day) == [2])
    }

    @Test func keepsTheNewestOfEachDay() {
        let history = history([0, 1, day - 1, day, day + 5, 3 * day, 3 * day + 7])
        #expect(kept(policy(daily: 1), history, now: 4 * day) == [7])
        // Days without a version do not count.
        #expect(kept(policy(daily: 2), history, now: 4 * day) == [5, 7])
        #expect(kept(policy(daily: 3), history, now: 400 * day) == [3, 5, 7])
    }

    @Test func keepsTheNewestOfEachWeekAndMonth() {
        // Sunday and Monday; the last of January and the first of February.
        let weeks = history([5 * day, 6 * day, 7 * day, 8 * day])
        #expect(kept(policy(weekly: 2), weeks, now: 9 * day) == [2, 4])
        let months = history([0, 30 * day, 31 * day, 32 * day])
        #expect(kept(policy(monthly: 2), months, now: 40 * day) == [2, 4])
        #expect(kept(policy(last: 1, weekly: 1, monthly: 2), months, now: 40 * day) == [2, 4])
    }

    /// 2024-10-27 has 25 hours in Berlin: from 22:00 UTC of the day before to 23:00 UTC.
    @Test func countsDaysOfTheZone() throws {
        let berlin = try CivilCalendar(zone: "Europe/Berlin")
        let midnight = 1_729_980_000 - newYear
        let history = history([midnight - 1, midnight, midnight + 25 * 3600 - 1, midnight + 25 * 3600])
        #expect(kept(policy(daily: 3), history, now: midnight + 3 * day, berlin) == [1, 3, 4])
        #expect(kept(policy(daily: 2), history, now: midnight + 3 * day) == [2, 4])
        #expect(kept(policy(daily: 2), history, now: midnight + 3 * day, berlin) == [3, 4])
    }

    @Test func keepsWhatWasCurrentWithinATime() {
        // The first was current until the third day, however old it is.
        let history = history([0, 3 * day, 5 * day])
        #expect(kept(policy(within: 2 * day), history, now: 5 * day) == [1, 2, 3])
        #expect(kept(policy(within: 2 * day), history, now: 5 * day + 1) == [2, 3])
        #expect(kept(policy(within: 2 * day), history, now: 7 * day + 1) == [3])
        #expect(kept(policy(within: .max), history, now: 7 * day) == [1, 2, 3])
    }

    @Test func agesARemovedNameFromItsRemoval() {
        let history = history([0, day, 10 * day], removedAt: [10 * day])
        #expect(kept(policy(within: 5 * day), history, now: 15 * day) == [2, 3])
        #expect(kept(policy(within: 5 * day), history, now: 15 * day + 1) == [])
    }

    @Test func keepsARemovalAsLongAsAVersionBeforeIt() {
        let history = history([0, day, 2 * day], removedAt: [2 * day])
        #expect(kept(policy(last: 1), history, now: 100 * day) == [2, 3])
        #expect(kept(policy(daily: 2), history, now: 100 * day) == [1, 2, 3])
    }

    @Test func dropsAnOldRemovalThatIsNotTheLast() {
        let history = history([0, day, 2 * day, 3 * day], removedAt: [day])
        #expect(kept(policy(last: 5), history, now: 10 * day) == [1, 3, 4])
        #expect(kept(policy(last: 5, within: 9 * day), history, now: 10 * day) == [1, 2, 3, 4])
    }

    /// Numbers that come from a script may be anything.
    @Test(arguments: [Int.min, -1, 0, 1, .max])
    func takesAnyNumber(number: Int) {
        let history = history([0, 1, 2], removedAt: [1])
        let policy = policy(last: number, daily: number, weekly: number, monthly: number, within: Int64(number))
        for now in [Int64.min / 2, 0, Int64.max / 2] {
            let dropped = policy.dropped(from: history, now: now, calendar: .utc)
            #expect(!dropped.contains(3))
        }
    }

    @Test func aWrongClockTakesNoOtherVersionsPlace() {
        // The second version is of the year 2040, the fourth of 1970.
        let history = history([0, 5000 * day, day, -20_000 * day, 2 * day, 3 * day])
        #expect(kept(policy(daily: 4), history, now: 4 * day) == [1, 2, 3, 4, 5, 6])
        #expect(kept(policy(daily: 2), history, now: 4 * day) == [5, 6])
        // What a wrong clock followed on is as old as the next version whose time is right.
        #expect(kept(policy(within: day + 1), history, now: 3 * day + 1) == [3, 4, 5, 6])
        #expect(kept(policy(within: 10 * day), history, now: 4 * day) == [1, 2, 3, 4, 5, 6])
    }

    @Test func aRemovalInTheFutureDoesNotStayForGood() {
        let history = history([0, 5000 * day, 1 * day, 2 * day], removedAt: [5000 * day, 2 * day])
        #expect(kept(policy(within: day), history, now: 40 * day) == [])
    }
}
