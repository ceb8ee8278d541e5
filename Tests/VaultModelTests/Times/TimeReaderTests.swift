import TestSupport
import Testing

@testable import VaultModel

@Suite struct TimeReaderTests {
    /// In Berlin, whose clocks are an hour ahead in winter; there it is 17:00.
    private func read(_ text: String, at now: String = "2026-11-29T16:00:00Z") throws -> String {
        TimeText.utc(try TimeReader(zone: CivilZone(named: "Europe/Berlin"), now: utc(now)).seconds(text))
    }

    @Test(arguments: [
        ("2026-11-29", "2026-11-28T23:00:00Z"), ("2026-07-29", "2026-07-28T22:00:00Z"),
        ("2026-11-29 16:39", "2026-11-29T15:39:00Z"), ("2026-11-29T16:39", "2026-11-29T15:39:00Z"),
        ("2026-11-29 16:39:05", "2026-11-29T15:39:05Z"), ("2026-11-29T16:39:05Z", "2026-11-29T16:39:05Z"),
        ("2026-11-29 16:39Z", "2026-11-29T16:39:00Z"), ("2026-11-29 16:39:05+09:00", "2026-11-29T07:39:05Z"),
        ("2026-11-29T16:39-03:30", "2026-11-29T20:09:00Z"), ("2026-11-29 16:39:05-00:25:21", "2026-11-29T17:04:26Z"),
        ("2026-11-29Z", "2026-11-29T00:00:00Z"), ("2026-11-29-05:00", "2026-11-29T05:00:00Z"),
        ("1955-07-01 12:00", "1955-07-01T11:00:00Z"), ("-0043-03-15T12:00Z", "-0043-03-15T12:00:00Z"),
        ("+10000-01-01T00:00Z", "+10000-01-01T00:00:00Z"),
    ])
    func readsDates(_ text: String, _ expected: String) throws {
        #expect(try read(text) == expected)
    }

    @Test(arguments: [
        ("16:39", "2026-11-29T15:39:00Z"), ("16:39:05", "2026-11-29T15:39:05Z"), ("9:05", "2026-11-29T08:05:00Z"),
        ("17:00", "2026-11-29T16:00:00Z"), ("17:00:01", "2026-11-28T16:00:01Z"), ("23:59", "2026-11-28T22:59:00Z"),
        ("16:00Z", "2026-11-29T16:00:00Z"), ("16:39Z", "2026-11-28T16:39:00Z"), ("01:00+09:00", "2026-11-29T16:00:00Z"),
        ("now", "2026-11-29T16:00:00Z"), ("yesterday", "2026-11-27T23:00:00Z"), ("12h", "2026-11-29T04:00:00Z"),
        ("90s", "2026-11-29T15:58:30Z"), ("30d", "2026-10-30T16:00:00Z"), ("0s", "2026-11-29T16:00:00Z"),
        ("@1795952460", "2026-11-29T11:41:00Z"), ("@-1", "1969-12-31T23:59:59Z"), ("@0", "1970-01-01T00:00:00Z"),
    ])
    func readsWhatIsRelativeToNow(_ text: String, _ expected: String) throws {
        #expect(try read(text) == expected)
    }

    @Test func takesTheFirstOfTwoTimesUnlessAnOffsetSaysMore() throws {
        #expect(try read("2026-10-25 02:30") == "2026-10-25T00:30:00Z")
        #expect(try read("2026-10-25 02:30+02:00") == "2026-10-25T00:30:00Z")
        #expect(try read("2026-10-25 02:30+01:00") == "2026-10-25T01:30:00Z")
    }

    @Test func takesTheLastTimeOfDayThatHasBeen() throws {
        #expect(try read("02:30", at: "2026-10-25T12:00:00Z") == "2026-10-25T01:30:00Z")
        #expect(try read("02:30", at: "2026-10-25T01:00:00Z") == "2026-10-25T00:30:00Z")
        // That day has no such time.
        #expect(try read("02:30", at: "2026-03-29T12:00:00Z") == "2026-03-28T01:30:00Z")
        // Clocks were at 00:00:30 of the next date before they were set back to 23:01.
        let change = try utc("2010-11-07T02:31:00Z")
        let reader = TimeReader(zone: try CivilZone(named: "America/St_Johns"), now: change + 60)
        #expect(try reader.seconds("00:00:30") == change - 30)
    }

    @Test func takesTheDateBeforeAsYesterday() throws {
        let apia = try CivilZone(named: "Pacific/Apia")
        let reader = TimeReader(zone: apia, now: try utc("2011-12-30T12:00:00Z"))
        #expect(try reader.seconds("yesterday") == utc("2011-12-29T10:00:00Z"))
    }

    private func refusal(_ text: String) -> String? {
        do throws(VaultError) {
            let berlin = CivilZone(3600, until: 1_774_746_000, then: 7200)
            _ = try TimeReader(zone: berlin, now: 1_795_952_460).seconds(text)
            return nil
        } catch {
            return error.code == .invalid ? error.message : "\(error.code)"
        }
    }

    @Test(arguments: [
        "", " ", "2026-02-31", "2026-13-01", "2026-11-29 ", " 2026-11-29", "2026-11-29  16:39", "2026-11-29 24:00",
        "2026-11-29 16", "2026-11-29 16:60", "2026-11-29 16:39:60", "16:39:05:00", "2026-1-5", "26-11-29",
        "12026-01-01", "2026-11-29 16:39+9", "2026-11-29 16:39+09:60", "2026-11-29 16:39+25:00",
        "2026-11-29 16:39Z+01:00", "tomorrow", "latest", "12y", "+12h", "-12h", "12 h", "Now", "1.5h", "\u{1B}[31m",
        "２０２６-11-29",
    ])
    func refusesWhatIsNoTimeAndSaysWhatIs(_ text: String) throws {
        let message = try #require(refusal(text))
        #expect(message.hasSuffix("is not a time: give \(TimeReader.forms)."), "\(message)")
        #expect(!message.contains("\u{1B}"))
    }

    @Test func namesTheSignOfSecondsWhereANumberStandsAlone() {
        #expect(
            refusal("1795952460") == "'1795952460' is not a time: seconds since 1970 are typed '@1795952460'.")
        #expect(refusal("12")?.contains("'@12'") == true && refusal("-5")?.contains("'@-5'") == true)
        for text in ["@", "@x", "@1.5", "@+5", "@99999999999999999999"] {
            #expect(refusal(text)?.contains("'@' takes a whole number of seconds") == true, "\(text)")
        }
    }

    @Test(arguments: ["2026-11-29 16:39 CET", "2026-11-29 16:39:05 UTC", "16:39CET", "2026-11-29T16:39z", "4:39 pm"])
    func readsNoLettersOfZones(_ text: String) {
        #expect(refusal(text)?.contains("may end in 'Z' for UTC, or in an offset") == true)
    }

    @Test func refusesATimeThatClocksAreSetPast() {
        let message = refusal("2026-03-29 02:30")
        #expect(message?.contains("do not show, since they are set forward past it") == true, "\(message ?? "")")
        #expect(refusal("2026-03-29 02:30+01:00") == nil && refusal("2026-03-29 01:59:59") == nil)
        #expect(refusal("2026-03-29 03:00") == nil)
    }

    @Test(arguments: ["+999999999999-01-01", "-292277022657-01-27T08:29:51Z", "+292277026596-12-04T15:30:08Z"])
    func refusesWhatIsTooFarAway(_ text: String) {
        #expect(refusal(text)?.contains("is too far from today") == true)
    }
}
