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
        let civil = CivilTime(at: time, offset: Int64(offset))
        switch period {
        case .day: return civil.day
        // 1970-01-01 was a Thursday.
        case .week: return (civil.day + 3).dividedDown(by: 7).quotient
        case .month: return (civil.date.year - 1970) * 12 + civil.date.month - 1
        }
    }
}
