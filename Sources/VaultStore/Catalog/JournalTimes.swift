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

    /// The dates of changes as `keep` takes them.
    func dates(now: Int64) -> JournalDates {
        var dates = ClockTrust.corrected(times, now: now)
        // While no commit is trusted yet, nothing tells which are wrong: those that come after are not taken for older
        // than the latest of them.
        var floor = Int64.min
        let beginning = dates.firstIndex { $0.isTrusted } ?? dates.count
        for time in times[..<beginning] where time <= now { floor = max(floor, time) }
        for index in dates.indices where dates[index].time < floor { dates[index] = (floor, false) }
        return JournalDates(sequences: sequences, dates: dates)
    }
}

/// When the changes of a journal with wrong clocks were made, at the latest.
struct JournalDates {
    /// The last sequence of each stretch of changes with one date.
    fileprivate let sequences: [UInt64]
    fileprivate let dates: [(time: Int64, isTrusted: Bool)]

    /// The version with the date that its change has.
    func dated(_ version: KeepPolicy.Candidate) -> KeepPolicy.Candidate {
        var (low, high) = (0, sequences.count)
        while low < high {
            let middle = (low + high) / 2
            if sequences[middle] < version.sequence { low = middle + 1 } else { high = middle }
        }
        guard low < dates.count else { return version }
        var version = version
        (version.savedAt, version.isTrusted) = dates[low]
        return version
    }
}
