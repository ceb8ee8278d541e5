import TestSupport
import Testing

@testable import VaultModel

@Suite struct CivilZoneTests {
    private let hour: Int64 = 3600

    @Test func knowsTheHourThatClocksShowTwice() throws {
        let berlin = try CivilZone(named: "Europe/Berlin")
        let change = try utc("2026-10-25T01:00:00Z")
        #expect(berlin.instants(of: berlin.civilTime(at: change)) == [change - hour, change])
        for seconds in [change - hour, change - 1, change, change + hour - 1] { #expect(berlin.isRepeated(seconds)) }
        for seconds in [change - hour - 1, change + hour, change - 90_000, 0, .min, .max] {
            #expect(!berlin.isRepeated(seconds), "\(seconds)")
        }
        #expect(!CivilZone.utc.isRepeated(change))
    }

    @Test func knowsTheHourThatClocksDoNotShow() throws {
        let berlin = try CivilZone(named: "Europe/Berlin")
        let change = try utc("2026-03-29T01:00:00Z")
        let before = CivilTime(at: change - 1, offset: hour)
        for (second, instants) in [(0, [change - 1]), (1, []), (hour, []), (hour + 1, [change])] {
            #expect(berlin.instants(of: CivilTime(day: before.day, second: before.second + second)) == instants)
        }
    }

    @Test func findsTheFirstSecondOfADate() throws {
        let day = try #require(CivilTime(year: 2018, month: 11, dayOfMonth: 4)).day
        let midnight = day * 86_400
        #expect(CivilZone.utc.firstSecond(ofDay: day) == midnight)
        // Forward at midnight, back to midnight, and back past midnight.
        let change = midnight + 3 * hour
        #expect(CivilZone(-3 * hour, until: change, then: -2 * hour).firstSecond(ofDay: day) == change)
        #expect(CivilZone(-2 * hour, until: change, then: -3 * hour).firstSecond(ofDay: day) == change - hour)
        let past = midnight + 3 * hour + 60
        #expect(CivilZone(-3 * hour, until: past, then: -4 * hour).firstSecond(ofDay: day) == change)
    }

    @Test func knowsADateThatAPlaceLeftOut() throws {
        let apia = try CivilZone(named: "Pacific/Apia")
        let day = try #require(CivilTime(year: 2011, month: 12, dayOfMonth: 30)).day
        #expect(apia.firstSecond(ofDay: day) == nil)
        #expect(try apia.firstSecond(ofDay: day + 1) == utc("2011-12-30T10:00:00Z"))
        #expect(try apia.firstSecond(ofDay: day - 1) == utc("2011-12-29T10:00:00Z"))
    }

    @Test func findsNothingBeyondWhatIsCounted() {
        let last = CivilTime(at: .max, offset: 0).day
        for day in [last + 1, -last - 2, last + 1_000_000] {
            #expect(CivilZone(offset: 0).firstSecond(ofDay: day) == nil)
        }
    }

    @Test func readsTheProcessesZoneForAllTimes() {
        for seconds in [Int64.min, -1, 0, 1_795_478_400, .max] {
            #expect(abs(CivilZone.local.offset(at: seconds)) < 90_000, "\(seconds)")
        }
    }
}
