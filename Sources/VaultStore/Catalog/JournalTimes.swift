import VaultModel

/// The times of a journal whose clock went back somewhere, or that has one which is still to come.
package struct JournalTimes {
    /// The last sequence of each stretch of commits with one time.
    private var sequences: [UInt64] = []
    private var times: [Int64] = []

    package init() {}

    /// Takes note of the next journal group.
    package mutating func append(_ lastSequence: UInt64, _ time: Int64) {
        if times.last == time {
            sequences[sequences.count - 1] = lastSequence
        } else {
            sequences.append(lastSequence)
            times.append(time)
        }
    }

    /// See ``Catalog/lastSequence(at:now:)``.
    package func lastSequence(at time: Int64, now: Int64) -> UInt64 {
        let isTrusted = ClockTrust.trusted(times, now: now)
        guard let later = times.indices.first(where: { isTrusted[$0] && times[$0] > time }) else {
            return sequences.last ?? 0
        }
        let hasEarlier = isTrusted[..<later].contains(true)
        return hasEarlier ? sequences[later - 1] : 0
    }
}
