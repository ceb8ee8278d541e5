/// A date and a time of day as clocks somewhere show them, by the Gregorian calendar in all years.
///
/// The arithmetic is that of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
package struct CivilTime: Sendable, Equatable {
    package static let secondsPerDay: Int64 = 86_400

    /// Days since 1970-01-01.
    package var day: Int64
    /// Seconds since the day began, fewer than ``secondsPerDay``.
    package var second: Int64

    package init(day: Int64, second: Int64) {
        self.day = day
        self.second = second
    }

    /// The time that clocks show which are ahead of UTC by `offset` seconds.
    ///
    /// - Parameter seconds: since 1970 UTC.
    package init(at seconds: Int64, offset: Int64) {
        let utc = seconds.dividedDown(by: CivilTime.secondsPerDay)
        let clock = (utc.remainder + offset).dividedDown(by: CivilTime.secondsPerDay)
        self.init(day: utc.quotient + clock.quotient, second: clock.remainder)
    }

    /// The first second of a date; nil for a date that the calendar does not have.
    ///
    /// - Parameter year: 0 is the year before the year 1; at most twelve digits.
    package init?(year: Int64, month: Int64, dayOfMonth: Int64) {
        guard (1...12).contains(month), (1...31).contains(dayOfMonth) else { return nil }
        // Years that begin in March have their leap day at the end.
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).dividedDown(by: 400)
        let dayOfYear = (153 * (month <= 2 ? month + 9 : month - 3) + 2) / 5 + dayOfMonth - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        self.init(day: era * 146_097 + dayOfEra - 719_468, second: 0)
        // A day that its month does not have comes out as one of the next month.
        if date.dayOfMonth != dayOfMonth { return nil }
    }

    /// Year, month (from 1) and day of the month (from 1).
    package var date: (year: Int64, month: Int64, dayOfMonth: Int64) {
        let (era, dayOfEra) = (day + 719_468).dividedDown(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let year = yearOfEra + era * 400
        return monthFromMarch < 10
            ? (year, monthFromMarch + 3, dayOfMonth) : (year + 1, monthFromMarch - 9, dayOfMonth)
    }

    /// Seconds since 1970 UTC at which clocks show this time that are ahead of UTC by `offset` seconds; nil where
    /// 64 bits cannot hold them.
    package func seconds(offset: Int64) -> Int64? { Int64(exactly: wideSeconds - Int128(offset)) }

    /// Seconds since 1970 of the same clocks.
    var wideSeconds: Int128 { Int128(day) * Int128(CivilTime.secondsPerDay) + Int128(second) }
}

extension Int64 {
    /// The quotient by a positive divisor, rounded down, and the remainder, which is never negative.
    package func dividedDown(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
