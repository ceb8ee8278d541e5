import TestSupport
import Testing

@testable import VaultModel

@Suite struct CivilCalendarTests {
    /// 2024-01-01T00:00:00Z, a Monday.
    private let newYear: Int64 = 1_704_067_200
    private let day: Int64 = 86_400

    @Test func beginsDaysAtMidnight() {
        let utc = CivilCalendar.utc
        #expect(utc.index(of: .day, at: newYear - 1) + 1 == utc.index(of: .day, at: newYear))
        #expect(utc.index(of: .day, at: newYear + day - 1) == utc.index(of: .day, at: newYear))
        #expect(utc.index(of: .day, at: -1) == -1)
        #expect(utc.index(of: .day, at: 0) == 0)
        #expect(utc.index(of: .day, at: -day) == -1)
        #expect(utc.index(of: .day, at: -day - 1) == -2)
    }

    @Test func beginsWeeksOnMonday() {
        let utc = CivilCalendar.utc
        #expect(utc.index(of: .week, at: newYear - 1) + 1 == utc.index(of: .week, at: newYear))
        #expect(utc.index(of: .week, at: newYear + 7 * day - 1) == utc.index(of: .week, at: newYear))
        // 1969-12-29 was a Monday.
        #expect(utc.index(of: .week, at: -3 * day) == 0)
        #expect(utc.index(of: .week, at: -3 * day - 1) == -1)
    }

    @Test func beginsMonthsOnTheirFirst() {
        let utc = CivilCalendar.utc
        var time: Int64 = 0
        var index: Int64 = 0
        for year in 1970...2103 {
            for month in 1...12 {
                #expect(utc.index(of: .month, at: time) == index, "\(year)-\(month)")
                let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
                let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
                time += Int64(days) * day
                #expect(utc.index(of: .month, at: time - 1) == index, "\(year)-\(month)")
                index += 1
            }
        }
        #expect(utc.index(of: .month, at: -1) == -1)
    }

    /// Clocks in Berlin went forward on 2024-03-31 and back on 2024-10-27, each at 01:00 UTC.
    @Test func followsTheClocksOfItsZone() throws {
        let berlin = try CivilCalendar(zone: "Europe/Berlin")
        for (midnight, hours) in [(1_711_839_600, 23), (1_729_980_000, 25), (1_704_063_600, 24)] as [(Int64, Int64)] {
            let index = berlin.index(of: .day, at: midnight)
            #expect(berlin.index(of: .day, at: midnight - 1) == index - 1)
            #expect(berlin.index(of: .day, at: midnight + hours * 3600 - 1) == index)
            #expect(berlin.index(of: .day, at: midnight + hours * 3600) == index + 1)
        }
        // In Berlin the new year began an hour before.
        #expect(berlin.index(of: .month, at: newYear - 3600) == CivilCalendar.utc.index(of: .month, at: newYear))
    }

    @Test(arguments: ["", "Nowhere/Else", "../../etc/passwd", "Europe/Berlin\0", "\n"])
    func refusesAZoneThatThereIsNot(zone: String) {
        #expect(code { try CivilCalendar(zone: zone) } == .invalid)
    }

    @Test func takesTimesFarAway() {
        for time in [Int64.max / 4, Int64.min / 4, 253_402_300_800, -62_135_596_800] {
            for period in [CivilCalendar.Period.day, .week, .month] {
                _ = CivilCalendar.utc.index(of: period, at: time)
            }
        }
    }
}
