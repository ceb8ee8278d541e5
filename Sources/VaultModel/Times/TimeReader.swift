/// Reads times as people type them, which is as ``TimeText`` shows them.
///
/// It reads:
/// - `2026-11-29`: the first second of that date, also where clocks begin it later than at midnight;
/// - `2026-11-29 16:39` and `2026-11-29 16:39:05`, with a blank or `T` between; without seconds it is the first one;
/// - `16:39` and `16:39:05`: the last time that clocks have shown it;
/// - `now`, and `yesterday`, which is a date, as for PostgreSQL and systemd;
/// - `12h`: so long ago, by ``CivilDuration``, with its unit;
/// - `@1795952460`: seconds since 1970 UTC, as date(1) reads them.
///
/// A date or a time of day may end in `Z`, or in an offset such as `+09:00`; without one it is by the zone's clocks. Of
/// a time that those show twice the first is meant, which an offset can change. A time that they are set past is
/// refused, as by date(1). So are letters that stand for a zone, since the same ones mean several.
package struct TimeReader: Sendable {
    private let zone: CivilZone
    private let now: Int64

    /// - Parameters:
    ///   - zone: whose clocks show what is typed without an offset.
    ///   - now: seconds since 1970 UTC.
    package init(zone: CivilZone, now: Int64) {
        self.zone = zone
        self.now = now
    }

    /// The reader for what is typed here and now.
    package static var local: TimeReader { TimeReader(zone: .local, now: currentNanoseconds() / 1_000_000_000) }

    /// The forms that times have, for help texts and messages.
    package static let forms = "'2026-11-29 16:39', '16:39', 'yesterday', '12h' (ago) or '@SECONDS' (since 1970)"

    /// The time in seconds since 1970 UTC.
    ///
    /// - Throws: `invalid` for another text, and for a time that the zone's clocks do not show.
    package func seconds(_ text: String) throws(VaultError) -> Int64 {
        let bytes = Array(text.utf8)
        if bytes == Array("now".utf8) { return now }
        if bytes == Array("yesterday".utf8) { return try yesterday(text) }
        if bytes.first == UInt8(ascii: "@") { return try counted(text) }
        if TimeReader.isNumber(bytes[...]) {
            throw VaultError(.invalid, "'\(printable(text))' is not a time: seconds since 1970 are typed '@\(text)'.")
        }
        if bytes.first?.isDigit == true, let span = try? CivilDuration.seconds(text) { return try ago(span, text) }
        guard let typed = TypedTime(bytes) else { throw TimeReader.unknown(text, bytes) }
        let zone = typed.offset.map { CivilZone(offset: $0) } ?? self.zone
        let instant =
            switch (typed.date, typed.clock) {
            case (let date?, nil): zone.firstSecond(ofDay: date.day)
            case (let date?, let clock?): zone.instants(of: CivilTime(day: date.day, second: clock)).first
            case (nil, let clock): last(clock ?? 0, in: zone)
            }
        guard let instant else { throw TimeReader.missing(text, typed) }
        return instant
    }

    /// The last time that a zone's clocks have shown a time of day.
    private func last(_ clock: Int64, in zone: CivilZone) -> Int64? {
        let today = zone.civilTime(at: now).day
        // Tomorrow has already begun once if clocks were just set back past midnight.
        let days = [1, 0, -1, -2, -3].map { today + $0 }
        return days.flatMap { zone.instants(of: CivilTime(day: $0, second: clock)) }.filter { $0 <= now }.max()
    }

    /// The first second of the date before today's.
    private func yesterday(_ text: String) throws(VaultError) -> Int64 {
        let today = zone.civilTime(at: now).day
        // A place that changes sides of the date line loses a date.
        for day in [today - 1, today - 2] {
            if let first = zone.firstSecond(ofDay: day) { return first }
        }
        throw TimeReader.distant(text)
    }

    private func counted(_ text: String) throws(VaultError) -> Int64 {
        let digits = text.utf8.dropFirst()
        guard TimeReader.isNumber(digits), let seconds = Int64(Substring(digits)) else {
            throw VaultError(
                .invalid, "'\(printable(text))' is not a time: '@' takes a whole number of seconds since 1970.")
        }
        return seconds
    }

    private func ago(_ span: Int64, _ text: String) throws(VaultError) -> Int64 {
        let (seconds, isBeyond) = now.subtractingReportingOverflow(span)
        if isBeyond { throw TimeReader.distant(text) }
        return seconds
    }

    private static func isNumber(_ text: some Collection<UInt8>) -> Bool {
        let isSigned = text.first == UInt8(ascii: "-")
        let digits = text.dropFirst(isSigned ? 1 : 0)
        return !digits.isEmpty && digits.allSatisfy(\.isDigit)
    }

    // MARK: Refusals

    private static func unknown(_ text: String, _ bytes: [UInt8]) -> VaultError {
        let letters = bytes.reversed().prefix { UInt8(ascii: "a") <= $0 | 0x20 && $0 | 0x20 <= UInt8(ascii: "z") }
        var rest = bytes.dropLast(letters.count)
        if rest.last == UInt8(ascii: " ") { rest.removeLast() }
        if !letters.isEmpty, TypedTime(rest) != nil {
            return VaultError(
                .invalid,
                "'\(printable(text))' is not a time: it may end in 'Z' for UTC, or in an offset such as '+09:00', but not in "
                    + "other letters.")
        }
        return VaultError(.invalid, "'\(printable(text))' is not a time: give \(forms).")
    }

    private static func missing(_ text: String, _ typed: TypedTime) -> VaultError {
        // Only at the ends of what 64 bits hold is a time of UTC missing.
        if typed.offset != nil || typed.date.flatMap({ $0.seconds(offset: 0) }) == nil { return distant(text) }
        return VaultError(
            .invalid,
            "'\(printable(text))' is a time that the local clocks do not show, since they are set forward past it: "
                + "give another time, or add an offset from UTC, such as '+09:00'.")
    }

    private static func distant(_ text: String) -> VaultError {
        VaultError(.invalid, "'\(printable(text))' is too far from today for a time.")
    }
}
