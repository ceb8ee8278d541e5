/// Durations as people type them: a number and a unit, `90s`, `15m`, `12h`, `30d`, `8w`; seconds without
/// a unit.
package enum CivilDuration {
    /// The duration in seconds.
    ///
    /// - Throws: `invalid` for anything else.
    package static func seconds(_ text: String) throws(VaultError) -> Int64 {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
        let unit = text.last.flatMap { units[$0] }
        guard let count = Int64(unit == nil ? text[...] : text.dropLast()), count >= 0 else {
            throw VaultError(.invalid, "'\(printable(text))' is not a duration, such as '30d' or '12h'.")
        }
        let (seconds, overflow) = count.multipliedReportingOverflow(by: unit ?? 1)
        if overflow { throw VaultError(.invalid, "'\(printable(text))' is too long a duration.") }
        return seconds
    }
}
