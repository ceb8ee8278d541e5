/// A date, a time of day, or both, as somebody has typed them: `2026-11-29`, `16:39`, `2026-11-29T16:39:05+09:00`.
struct TypedTime {
    /// The date's first second.
    private(set) var date: CivilTime?
    /// Seconds since the day began.
    private(set) var clock: Int64?
    /// Seconds ahead of UTC, where the text says so.
    private(set) var offset: Int64?

    /// - Returns: nil for a text that has another form, or says what no calendar or clock shows.
    init?(_ text: some Collection<UInt8>) {
        var rest = Array(text)[...]
        date = TypedTime.takeDate(&rest)
        if date == nil || TypedTime.take(" ", &rest) || TypedTime.take("T", &rest) {
            guard let clock = TypedTime.takeClock(&rest) else { return nil }
            self.clock = clock
        }
        if rest.isEmpty { return }
        guard let offset = TypedTime.takeOffset(&rest), rest.isEmpty else { return nil }
        self.offset = offset
    }

    /// Takes a date away, or nothing where none is in front.
    private static func takeDate(_ text: inout ArraySlice<UInt8>) -> CivilTime? {
        var rest = text
        let sign = takeSign(&rest)
        guard let year = takeNumber(&rest, digits: sign == nil ? 4...4 : 4...12), take("-", &rest),
            let month = takeNumber(&rest, digits: 2...2), take("-", &rest),
            let day = takeNumber(&rest, digits: 2...2),
            let date = CivilTime(year: year * (sign ?? 1), month: month, dayOfMonth: day)
        else { return nil }
        text = rest
        return date
    }

    /// Takes `16:39` or `16:39:05` away.
    private static func takeClock(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        guard let hour = takeNumber(&rest, digits: 1...2, max: 23), take(":", &rest),
            let minute = takeNumber(&rest, digits: 2...2, max: 59)
        else { return nil }
        guard take(":", &rest) else { return (hour * 60 + minute) * 60 }
        guard let second = takeNumber(&rest, digits: 2...2, max: 59) else { return nil }
        return (hour * 60 + minute) * 60 + second
    }

    /// Takes `Z`, `+09:00` or `+09:18:59` away.
    private static func takeOffset(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        if take("Z", &rest) { return 0 }
        guard let sign = takeSign(&rest), let hours = takeNumber(&rest, digits: 2...2, max: 24), take(":", &rest),
            let minutes = takeNumber(&rest, digits: 2...2, max: 59)
        else { return nil }
        guard take(":", &rest) else { return sign * (hours * 60 + minutes) * 60 }
        guard let seconds = takeNumber(&rest, digits: 2...2, max: 59) else { return nil }
        return sign * ((hours * 60 + minutes) * 60 + seconds)
    }

    private static func take(_ character: Unicode.Scalar, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    private static func takeSign(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        take("+", &rest) ? 1 : take("-", &rest) ? -1 : nil
    }

    private static func takeNumber(
        _ rest: inout ArraySlice<UInt8>, digits: ClosedRange<Int>, max: Int64 = .max
    ) -> Int64? {
        let number = rest.prefix(digits.upperBound).prefix { $0.isDigit }
        guard number.count >= digits.lowerBound else { return nil }
        rest = rest.dropFirst(number.count)
        let value = number.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
        return value <= max ? value : nil
    }
}

extension UInt8 {
    /// Whether it is a digit of ASCII.
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
