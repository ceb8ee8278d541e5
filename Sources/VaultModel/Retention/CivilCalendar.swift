import Foundation

/// Tells the days, weeks and months of a time zone apart.
package struct CivilCalendar: Sendable {
    package enum Period: Sendable {
        case day
        case week
        case month
    }

    private let zone: TimeZone

    package static let utc = CivilCalendar(zone: .gmt)

    private init(zone: TimeZone) {
        self.zone = zone
    }

    /// - Parameter identifier: a name of the time zone database, `Europe/Berlin`; nil for the machine's.
    /// - Throws: `invalid` for a name that the database does not have.
    package init(zone identifier: String?) throws(VaultError) {
        guard let identifier else {
            self.init(zone: .current)
            return
        }
        // Foundation would read a text up to its first NUL.
        guard !identifier.utf8.contains(0), let zone = TimeZone(identifier: identifier) else {
            throw VaultError(.invalid, "'\(printable(identifier))' is not a time zone, such as 'Europe/Berlin'.")
        }
        self.init(zone: zone)
    }

    /// The zone's name in the time zone database.
    package var identifier: String { zone.identifier }

    /// A number that is the same for all times within one day, week (from Monday) or month.
    ///
    /// - Parameter time: seconds since 1970 UTC.
    package func index(of period: Period, at time: Int64) -> Int64 {
        let offset = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time)))
        let day = floorDivide(time + Int64(offset), 86_400)
        switch period {
        case .day: return day
        // 1970-01-01 was a Thursday.
        case .week: return floorDivide(day + 3, 7)
        case .month: return CivilCalendar.month(ofDay: day)
        }
    }

    /// Months since 1970-01 of a day counted from 1970-01-01, after Howard Hinnant's
    /// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    private static func month(ofDay day: Int64) -> Int64 {
        let shifted = day + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        // Month 0 is March of the year.
        return (yearOfEra + era * 400 - 1970) * 12 + month + 2
    }
}

private func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor)
}
