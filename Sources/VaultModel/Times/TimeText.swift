/// Times as people read them, in a form that ``TimeReader`` reads as the same time.
///
/// Years outside of 1 to 9999 have a sign, as in ISO 8601; the year 0 is the one before the year 1.
package enum TimeText {
    package enum Precision: Sendable {
        case minute
        case second
    }

    /// `2026-11-29T16:39:05Z`: for messages and programs, which say nothing of a zone.
    ///
    /// - Parameter seconds: since 1970 UTC.
    package static func utc(_ seconds: Int64) -> String {
        text(CivilTime(at: seconds, offset: 0), separator: "T", .second) + "Z"
    }

    /// `2026-11-29 16:39:05` by a zone's clocks, or `2026-10-25 02:30:00+02:00` where they show that twice.
    ///
    /// - Parameter seconds: since 1970 UTC.
    package static func local(
        _ seconds: Int64, to precision: Precision = .second, in zone: CivilZone = .local
    ) -> String {
        let text = text(zone.civilTime(at: seconds), separator: " ", precision)
        return zone.isRepeated(seconds) ? text + offset(zone.offset(at: seconds)) : text
    }

    private static func text(_ time: CivilTime, separator: String, _ precision: Precision) -> String {
        let (year, month, day) = time.date
        let (hour, minute, second) = (time.second / 3600, time.second / 60 % 60, time.second % 60)
        let sign = year < 0 ? "-" : (1...9999).contains(year) ? "" : "+"
        let date = [sign + digits(Int64(year.magnitude), 4), digits(month, 2), digits(day, 2)]
        let clock = [hour, minute] + (precision == .second ? [second] : [])
        return date.joined(separator: "-") + separator + clock.map { digits($0, 2) }.joined(separator: ":")
    }

    /// `+02:00`; with seconds where a place went by the sun.
    private static func offset(_ seconds: Int64) -> String {
        let size = Int64(seconds.magnitude)
        let parts = [size / 3600, size / 60 % 60] + (size % 60 == 0 ? [] : [size % 60])
        return (seconds < 0 ? "-" : "+") + parts.map { digits($0, 2) }.joined(separator: ":")
    }

    private static func digits(_ number: Int64, _ width: Int) -> String {
        let text = "\(number)"
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
