/// Slows down who guesses passwords, by user and by address, with time coming in as an argument.
///
/// Each failure doubles the wait, up to a bound; failures are forgiven one by one as time passes. What is
/// remembered is bounded too: under a flood, those who were quiet for longest are forgotten first. IPv6
/// addresses count by their first 64 bits, since whoever has one has them all.
package struct LoginThrottle: Sendable {
    private struct Record {
        var failures: Int
        /// When the last failure was counted or forgiven.
        var since: ContinuousClock.Instant
    }

    private static let first = Duration.milliseconds(250)
    private static let doublingsMax = 12
    /// Failures that cost nothing: fingers slip.
    private static let free = 2
    private static let forgivenAfter = Duration.seconds(300)
    private static let recordsMax = 16_384

    private var users: [String: Record] = [:]
    private var addresses: [String: Record] = [:]

    package init() {}

    /// How long the next try of a password has to wait; zero for not at all.
    package func delay(user: String, address: String, now: ContinuousClock.Instant) -> Duration {
        max(
            LoginThrottle.delay(users[user], now),
            // Many people may be behind one address.
            LoginThrottle.delay(addresses[LoginThrottle.network(of: address)], now, free: LoginThrottle.free * 4))
    }

    package mutating func failed(user: String, address: String, now: ContinuousClock.Instant) {
        LoginThrottle.count(user, in: &users, now)
        LoginThrottle.count(LoginThrottle.network(of: address), in: &addresses, now)
    }

    package mutating func succeeded(user: String, address: String) {
        users[user] = nil
        addresses[LoginThrottle.network(of: address)] = nil
    }

    private static func delay(_ record: Record?, _ now: ContinuousClock.Instant, free: Int = free) -> Duration {
        guard let record else { return .zero }
        let failures = record.failures - forgiven(record, now) - free
        guard failures > 0 else { return .zero }
        let wait = first * (1 << min(failures - 1, doublingsMax))
        return max(.zero, wait - (now - record.since))
    }

    private static func forgiven(_ record: Record, _ now: ContinuousClock.Instant) -> Int {
        min(record.failures, Int((now - record.since) / forgivenAfter))
    }

    private static func count(_ key: String, in records: inout [String: Record], _ now: ContinuousClock.Instant) {
        if let record = records[key] {
            records[key] = Record(failures: record.failures - forgiven(record, now) + 1, since: now)
            return
        }
        if records.count >= recordsMax { forgetHalf(&records) }
        records[key] = Record(failures: 1, since: now)
    }

    private static func forgetHalf(_ records: inout [String: Record]) {
        let middle = records.values.map(\.since).sorted()[records.count / 2]
        records = records.filter { $0.value.since > middle }
    }

    /// The part of an address that one party has.
    static func network(of address: String) -> String {
        guard address.utf8.contains(UInt8(ascii: ":")), !address.hasPrefix("::ffff:") else { return address }
        // The system writes addresses in one way only, so that equal ones are equal text.
        let halves = address.split(separator: "%", maxSplits: 1)[0].halvesAroundTwoColons
        let front = halves.first.map { $0.split(separator: ":").map(String.init) } ?? []
        let back = halves.count > 1 ? halves[1].split(separator: ":").map(String.init) : []
        let zeros = [String](repeating: "0", count: max(0, 8 - front.count - back.count))
        return (front + zeros + back).prefix(4).joined(separator: ":") + "::/64"
    }
}

extension Substring {
    /// The text before and behind the first `::`.
    fileprivate var halvesAroundTwoColons: [Substring] {
        var previous: Character?
        for index in indices {
            if self[index] == ":", previous == ":" {
                return [self[..<self.index(before: index)], self[self.index(after: index)...]]
            }
            previous = self[index]
        }
        return [self]
    }
}
