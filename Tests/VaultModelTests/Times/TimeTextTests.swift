import TestSupport
import Testing

@testable import VaultModel

@Suite struct TimeTextTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (1_795_952_460, "2026-11-29T11:41:00Z"),
            (-62_135_596_800, "0001-01-01T00:00:00Z"), (-62_135_596_801, "+0000-12-31T23:59:59Z"),
            (-62_167_219_201, "-0001-12-31T23:59:59Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, "+10000-01-01T00:00:00Z"), (.max, "+292277026596-12-04T15:30:07Z"),
            (.min, "-292277022657-01-27T08:29:52Z"),
        ] as [(Int64, String)])
    func writesDatesOfAllYears(_ seconds: Int64, _ text: String) throws {
        #expect(TimeText.utc(seconds) == text)
        #expect(try TimeReader(zone: .utc, now: 0).seconds(text) == seconds)
    }

    @Test func addsAnOffsetWhereClocksShowATimeTwice() throws {
        let berlin = try CivilZone(named: "Europe/Berlin")
        let change = try utc("2026-10-25T01:00:00Z")
        #expect(TimeText.local(change - 1800, in: berlin) == "2026-10-25 02:30:00+02:00")
        #expect(TimeText.local(change + 1800, in: berlin) == "2026-10-25 02:30:00+01:00")
        #expect(TimeText.local(change + 1830, to: .minute, in: berlin) == "2026-10-25 02:30+01:00")
        #expect(TimeText.local(change - 3601, in: berlin) == "2026-10-25 01:59:59")
        #expect(TimeText.local(change + 3600, in: berlin) == "2026-10-25 03:00:00")
        let sun = CivilZone(-33_539, until: 0, then: -34_200)
        #expect(TimeText.local(-1, in: sun) == "1969-12-31 14:41:00-09:18:59")
        #expect(TimeText.local(0, in: sun) == "1969-12-31 14:30:00-09:30")
    }

    /// Around changes of clocks by an hour, by half an hour, past midnight and by a day.
    @Test(arguments: [
        ("Europe/Berlin", "2026-10-25T01:00:00Z"), ("Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("America/New_York", "2026-03-08T07:00:00Z"), ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"), ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ("America/St_Johns", "2010-11-07T02:31:00Z"), ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z"), ("Asia/Tokyo", "2026-03-02T00:00:00Z"),
        ("Asia/Kathmandu", "2026-03-02T00:00:00Z"),
    ])
    func isReadAsWhatItShows(_ name: String, _ change: String) throws {
        let zone = try CivilZone(named: name)
        let (change, hour) = (try utc(change), Int64(3600))
        let near = Array(stride(from: change - 4 * hour, through: change + 4 * hour, by: 601))
        for seconds in near + [change - 1, change, change + 1, change - 25 * hour, change + 25 * hour] {
            let text = TimeText.local(seconds, in: zone)
            #expect(try TimeReader(zone: zone, now: change).seconds(text) == seconds, "\(text)")
            let minute = TimeText.local(seconds, to: .minute, in: zone)
            #expect(try TimeReader(zone: zone, now: change).seconds(minute) == seconds - seconds % 60, "\(minute)")
        }
    }

    @Test func isReadAsWhatItShowsInAllYears() throws {
        let zones = [
            try CivilZone(named: "Europe/Berlin"), CivilZone(offset: -90_000), CivilZone(offset: 90_000), .local,
        ]
        var random = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            let seconds = Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0...40, using: &random)
            for zone in zones {
                let text = TimeText.local(seconds, in: zone)
                #expect(try TimeReader(zone: zone, now: 0).seconds(text) == seconds, "\(seconds): \(text)")
            }
        }
        for seconds in [Int64.min, .max] {
            #expect(try TimeReader(zone: zones[1], now: 0).seconds(TimeText.local(seconds, in: zones[1])) == seconds)
            #expect(try TimeReader(zone: zones[2], now: 0).seconds(TimeText.local(seconds, in: zones[2])) == seconds)
        }
    }
}
