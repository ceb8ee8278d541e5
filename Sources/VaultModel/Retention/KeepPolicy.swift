/// Which versions of a name are worth their space.
///
/// A version is kept when any rule keeps it. The version that is current is never dropped.
package struct KeepPolicy: Sendable, Equatable {
    /// The newest versions.
    package var last = 0
    /// The newest version of each of the last days, weeks (ISO 8601) and months that have one.
    package var daily = 0
    package var weekly = 0
    package var monthly = 0
    /// Versions that were current within this many seconds.
    package var within: Int64 = 0

    package init() {}

    /// Whether no rule keeps anything; a number below 1 is no rule.
    package var isEmpty: Bool { last <= 0 && daily <= 0 && weekly <= 0 && monthly <= 0 && within <= 0 }

    /// A version as the policy sees it.
    package struct Candidate: Sendable {
        package var version: UInt64
        /// That of the change that made it.
        package var sequence: UInt64
        /// Seconds since 1970 UTC; for one whose clock was wrong, the latest that it can have been.
        package var savedAt: Int64
        package var isRemoval: Bool
        /// Whether the clock was right when it was made, as far as the vault's other changes tell.
        package var isTrusted = true

        package init(version: UInt64, sequence: UInt64, savedAt: Int64, isRemoval: Bool) {
            self.version = version
            self.sequence = sequence
            self.savedAt = savedAt
            self.isRemoval = isRemoval
        }
    }

    /// The versions of one name that are not kept.
    ///
    /// A name that was removed has no current version: its versions age like others, and once none is
    /// kept the removal itself goes with them. A version that was dated by a wrong clock takes no other one's place.
    ///
    /// - Parameters:
    ///   - history: all versions of the name, oldest first.
    ///   - now: seconds since 1970 UTC.
    ///   - areDated: whether the vault's journal has told the dates; if not, the history itself tells which are wrong.
    ///   - calendar: the civil calendar by which days, weeks and months are told apart.
    package func dropped(
        from history: [Candidate], areDated: Bool = false, now: Int64, calendar: CivilCalendar
    ) -> [UInt64] {
        guard let newest = history.last else { return [] }
        var kept: Set<UInt64> = []
        if !newest.isRemoval { kept.insert(newest.version) }
        let times =
            areDated
            ? history.map { ($0.savedAt, $0.isTrusted) } : ClockTrust.corrected(history.map(\.savedAt), now: now)
        let history: [Dated] = zip(history, times).map { Dated($0, savedAt: $1.0, isTrusted: $1.1) }
        let content = history.filter { !$0.isRemoval }.reversed() as [Dated]
        kept.formUnion(content.prefix(max(0, last)).map(\.version))
        for (count, period) in [(daily, CivilCalendar.Period.day), (weekly, .week), (monthly, .month)] {
            kept.formUnion(newestOfEach(period, count, of: content, calendar))
        }
        // A version was current until the next one came, so that one's time is its age.
        let begin = withinBegin(now)
        for (version, next) in zip(history, history.dropFirst()) where !version.isRemoval {
            if let begin, max(version.savedAt, next.savedAt) >= begin { kept.insert(version.version) }
        }
        let dropped = history.filter { !kept.contains($0.version) && !$0.isRemoval }.map(\.version)
        let removals = history.filter { removal in
            guard removal.isRemoval else { return false }
            let isOld = begin.map { removal.savedAt < $0 } ?? true
            return removal.version == newest.version ? kept.isEmpty && isOld : isOld
        }
        return (dropped + removals.map(\.version)).sorted()
    }

    /// Since when versions are kept by ``within``; nil where it is no rule.
    private func withinBegin(_ now: Int64) -> Int64? {
        guard within > 0 else { return nil }
        let (begin, isBeforeAllTime) = now.subtractingReportingOverflow(within)
        return isBeforeAllTime ? .min : begin
    }

    /// A version with its time, or with the latest that it can have where the clock was wrong.
    private struct Dated {
        var version: UInt64
        var isRemoval: Bool
        var savedAt: Int64
        var isTrusted: Bool

        init(_ candidate: Candidate, savedAt: Int64, isTrusted: Bool) {
            version = candidate.version
            isRemoval = candidate.isRemoval
            self.savedAt = savedAt
            self.isTrusted = isTrusted
        }
    }

    private func newestOfEach(
        _ period: CivilCalendar.Period, _ count: Int, of newestFirst: [Dated], _ calendar: CivilCalendar
    ) -> [UInt64] {
        var seen: Set<Int64> = []
        var versions: [UInt64] = []
        for candidate in newestFirst {
            guard seen.count < count else { break }
            if !candidate.isTrusted {
                versions.append(candidate.version)
            } else if seen.insert(calendar.index(of: period, at: candidate.savedAt)).inserted {
                versions.append(candidate.version)
            }
        }
        return versions
    }
}

/// What a policy kept and dropped.
package struct KeepReport: Sendable {
    package var keptVersions = 0
    package var droppedVersions = 0
    /// Names that vanished, because they were removed and none of their versions was kept.
    package var forgottenNames = 0
    /// Names that keep all their versions against the policy, because hooks want it.
    package var rejectedNames = 0
    /// Why the first of those do, at most ``rejectionsMax``, each with its name.
    package private(set) var rejections: [VaultError] = []

    /// The names of which a report says why they keep their versions.
    package static let rejectionsMax = 1000

    package init() {}

    /// Takes note of why a name keeps its versions.
    package mutating func reject(_ reason: VaultError) {
        rejectedNames += 1
        tell(reason)
    }

    /// Tells a reason, if there is room, of a name that is counted.
    package mutating func tell(_ reason: VaultError) {
        if rejections.count < KeepReport.rejectionsMax { rejections.append(reason) }
    }

    /// The report for somebody who may know of certain names only: the others are counted.
    package func telling(_ isKnown: (Name) -> Bool) -> KeepReport {
        var told = self
        told.rejections = rejections.filter { $0.name.map(isKnown) ?? false }
        return told
    }
}
