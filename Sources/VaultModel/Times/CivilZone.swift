import Glibc

/// The seconds by which the clocks of a place are ahead of UTC, at each time.
package struct CivilZone: Sendable {
    private let offsets: @Sendable (Int64) -> Int64

    /// - Parameter offsets: tells by how many seconds clocks are ahead of UTC, at most 25 hours, at a time in seconds
    ///   since 1970 UTC.
    package init(offsets: @escaping @Sendable (Int64) -> Int64) {
        self.offsets = offsets
    }

    /// The zone whose clocks are always ahead of UTC by so many seconds.
    package init(offset: Int64) {
        self.init { _ in offset }
    }

    package static let utc = CivilZone(offset: 0)

    /// The zone of this process, as the C library understands `TZ`: a name, a file, or the rules of POSIX such as
    /// `CET-1CEST,M3.5.0,M10.5.0/3`, which Foundation does not read. Without `TZ` it is the machine's.
    package static let local = CivilZone { seconds in
        // Farther away localtime_r(3) fails, since its year has 32 bits.
        let reach: Int64 = 1 << 55
        var time = time_t(min(max(seconds, -reach), reach))
        var parts = tm()
        return localtime_r(&time, &parts) == nil ? 0 : Int64(parts.tm_gmtoff)
    }

    /// Seconds by which clocks are ahead of UTC.
    ///
    /// - Parameter seconds: since 1970 UTC.
    package func offset(at seconds: Int64) -> Int64 { offsets(seconds) }

    /// The time that clocks show.
    ///
    /// - Parameter seconds: since 1970 UTC.
    package func civilTime(at seconds: Int64) -> CivilTime { CivilTime(at: seconds, offset: offsets(seconds)) }

    /// Whether clocks show the same time a second time, having been set back.
    ///
    /// - Parameter seconds: since 1970 UTC.
    package func isRepeated(_ seconds: Int64) -> Bool {
        let offset = offsets(seconds)
        // Seldom is a change near, and no clock was ever set by more than a day.
        let isNearChange = [-CivilZone.reach, CivilZone.reach].contains { distance in
            offsets(Int64(clamping: Int128(seconds) + distance)) != offset
        }
        return isNearChange && instants(of: CivilTime(at: seconds, offset: offset)).count > 1
    }

    /// When clocks show a time, in seconds since 1970 UTC, earliest first: twice where they are set back, never where
    /// they are set forward past it.
    package func instants(of civil: CivilTime) -> [Int64] {
        var instants: Set<Int64> = []
        for distance in stride(from: -CivilZone.reach, through: CivilZone.reach, by: 3600) {
            let offset = offsets(Int64(clamping: civil.wideSeconds + distance))
            if let instant = civil.seconds(offset: offset), offsets(instant) == offset { instants.insert(instant) }
        }
        return instants.sorted()
    }

    /// The first second of a date, which is not midnight where clocks are set forward past that; nil where they are
    /// set past the whole date.
    ///
    /// - Parameter day: since 1970-01-01.
    package func firstSecond(ofDay day: Int64) -> Int64? {
        let midnight = CivilTime(day: day, second: 0)
        if let first = instants(of: midnight).first { return first }
        // Clocks show less than midnight at the lower end, and more at the upper one.
        guard var lower = Int64(exactly: midnight.wideSeconds - CivilZone.reach),
            var upper = Int64(exactly: midnight.wideSeconds + CivilZone.reach)
        else { return nil }
        while upper - lower > 1 {
            let middle = lower + (upper - lower) / 2
            if civilTime(at: middle).day < day { lower = middle } else { upper = middle }
        }
        return civilTime(at: upper).day == day ? upper : nil
    }

    /// Seconds within which a clock shows a time of UTC, before or after UTC does.
    private static let reach: Int128 = 26 * 3600
}
