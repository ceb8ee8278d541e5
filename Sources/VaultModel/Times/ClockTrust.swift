/// Tells which of a series of times were taken while the clock was right.
///
/// The order of what happened is known, by sequences. A time that lies before an earlier one, or behind a later one, was
/// taken by a clock that was wrong then. Which of the two is wrong, most others decide: trusted are the times of the
/// longest part of the series that never goes back. So one wrong time spoils nothing but itself, whether it is far in
/// the future or far in the past.
package enum ClockTrust {
    /// Whether each time is trusted.
    ///
    /// - Parameters:
    ///   - times: in the order in which they were taken, in any unit.
    ///   - now: the time by a clock that is taken to be right; what is behind it is not trusted.
    package static func trusted(_ times: [Int64], now: Int64) -> [Bool] {
        var isOrdered = times.last.map { $0 <= now } ?? true
        for (time, next) in zip(times, times.dropFirst()) where time > next { isOrdered = false }
        if isOrdered { return [Bool](repeating: true, count: times.count) }
        return longestRise(times, now: now)
    }

    /// By patience sorting: Schensted, "Longest increasing and decreasing subsequences", 1961. Of parts that are equally
    /// long, the one whose times are lower counts.
    private static func longestRise(_ times: [Int64], now: Int64) -> [Bool] {
        /// For each length, the last index of the part of that length that ends lowest.
        var ends: [Int] = []
        var before = [Int](repeating: -1, count: times.count)
        /// The index of the first of equal times in a row, which count once: a burst is no better than a single one.
        var first = [Int](repeating: 0, count: times.count)
        for (index, time) in times.enumerated() where time <= now {
            if index > 0, times[index - 1] == time {
                first[index] = first[index - 1]
                continue
            }
            first[index] = index
            var (low, high) = (0, ends.count)
            while low < high {
                let middle = (low + high) / 2
                if times[ends[middle]] <= time { low = middle + 1 } else { high = middle }
            }
            before[index] = low > 0 ? ends[low - 1] : -1
            if low == ends.count { ends.append(index) } else { ends[low] = index }
        }
        var isTrusted = [Bool](repeating: false, count: times.count)
        var index = ends.last ?? -1
        while index >= 0 {
            isTrusted[index] = true
            index = before[index]
        }
        for index in times.indices where times[index] <= now && isTrusted[first[index]] { isTrusted[index] = true }
        return isTrusted
    }

    /// The times with each that is not trusted replaced by the latest that it can have been.
    ///
    /// That is the next trusted time that does not lie before it, or now: should the others be the wrong ones, it is
    /// not taken for older than it is. For a time that is still to come, it is the next trusted one.
    package static func corrected(_ times: [Int64], now: Int64) -> [(time: Int64, isTrusted: Bool)] {
        /// The trusted times behind the one that is looked at, the last one first, so that they never rise.
        var later: [Int64] = []
        return zip(times, trusted(times, now: now)).reversed().map { time, isTrusted in
            if isTrusted {
                later.append(time)
                return (time, true)
            }
            if time > now { return (later.last ?? now, false) }
            var (low, high) = (0, later.count)
            while low < high {
                let middle = (low + high) / 2
                if later[middle] >= time { low = middle + 1 } else { high = middle }
            }
            return (low > 0 ? later[low - 1] : now, false)
        }.reversed()
    }
}
