import TestSupport
import Testing

@testable import VaultModel

@Suite struct CivilTimeTests {
    @Test(
        arguments: [
            (0, 1970, 1, 1), (-1, 1969, 12, 31), (19_782, 2024, 2, 29), (19_783, 2024, 3, 1), (20_786, 2026, 11, 29),
            (-719_162, 1, 1, 1), (-719_163, 0, 12, 31), (-719_528, 0, 1, 1), (2_932_896, 9999, 12, 31),
        ] as [(Int64, Int64, Int64, Int64)])
    func countsDays(_ day: Int64, _ year: Int64, _ month: Int64, _ dayOfMonth: Int64) {
        #expect(CivilTime(year: year, month: month, dayOfMonth: dayOfMonth) == CivilTime(day: day, second: 0))
        let date = CivilTime(day: day, second: 7).date
        #expect([date.year, date.month, date.dayOfMonth] == [year, month, dayOfMonth])
    }

    @Test func givesEveryDateBack() {
        var last = CivilTime(day: -800_001, second: 0).date
        for day in Int64(-800_000)...800_000 {
            let date = CivilTime(day: day, second: 0).date
            if date <= last || CivilTime(year: date.year, month: date.month, dayOfMonth: date.dayOfMonth)?.day != day {
                Issue.record("\(day) is \(date)")
            }
            last = date
        }
    }

    @Test(
        arguments: [
            (2026, 2, 29), (1900, 2, 29), (2026, 4, 31), (2026, 13, 1), (2026, 0, 1), (2026, 1, 0), (2026, 1, 32),
        ] as [(Int64, Int64, Int64)])
    func refusesDatesThatNoCalendarHas(_ year: Int64, _ month: Int64, _ dayOfMonth: Int64) {
        #expect(CivilTime(year: year, month: month, dayOfMonth: dayOfMonth) == nil)
    }

    @Test(arguments: [Int64.min, .min + 1, -1, 0, 1, .max - 1, .max], [-90_000, -1, 0, 1, 90_000] as [Int64])
    func holdsAllSeconds(_ seconds: Int64, _ offset: Int64) {
        let civil = CivilTime(at: seconds, offset: offset)
        #expect((0..<86_400).contains(civil.second))
        #expect(civil.seconds(offset: offset) == seconds)
    }

    @Test func saysWhenSecondsDoNotFit() {
        #expect(CivilTime(at: .max, offset: 1).seconds(offset: 0) == nil)
        #expect(CivilTime(at: .min, offset: -1).seconds(offset: 0) == nil)
    }
}
