package import VaultModel

/// A name that is about to lose versions.
package struct ThinnedName: Sendable {
    /// The newest version with content, or the removal where none is left; under the name that it had last.
    package var newest: Entry
    /// Whether another object has the name by now: what the name holds is something else.
    package var isTaken: Bool

    package init(newest: Entry, isTaken: Bool) {
        self.newest = newest
        self.isTaken = isTaken
    }
}

extension StoredVault {
    /// Decides which names may lose versions.
    package struct ThinningDecider: Sendable {
        let wants: @Sendable (Name) -> Bool
        let refusals: @Sendable ([ThinnedName]) async throws(VaultError) -> [VaultError?]

        /// - Parameters:
        ///   - wants: whether anybody decides on a name at all; if not, its versions may go.
        ///   - refusals: tells for each name why all its versions stay; nil where they may go.
        package init(
            wants: @escaping @Sendable (Name) -> Bool = { _ in true },
            refusals: @escaping @Sendable ([ThinnedName]) async throws(VaultError) -> [VaultError?]
        ) {
            self.wants = wants
            self.refusals = refusals
        }
    }

    package func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool
    ) async throws(VaultError) -> KeepReport {
        try await keep(prefix, policy, calendar: calendar, isDryRun: isDryRun, by: caller)
    }

    /// See ``Vault/keep(_:_:calendar:isDryRun:)``.
    ///
    /// - Parameter deciding: decides once on each name that is to lose versions, unless it is a dry run; nil for no hooks.
    package func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool, by caller: Caller,
        deciding: ThinningDecider? = nil
    ) async throws(VaultError) -> KeepReport {
        if policy.isEmpty {
            throw VaultError(
                .invalid, "Nothing is said about what to keep: give last, daily, weekly, monthly or within.")
        }
        if access == .readOnly, !isDryRun { throw readOnly }
        let now = clock()
        var thinning = Thinning(
            vault: self, prefix: prefix, policy: policy, calendar: calendar, isDryRun: isDryRun, caller: caller,
            deciding: isDryRun ? nil : deciding, now: now,
            dates: try await catalog.journalTimes(now: now)?.dates(now: now))
        try await thinning.run()
        return thinning.report
    }
}

/// One `keep` of a vault, a page of objects at a time.
private struct Thinning {
    /// An object with the versions that the policy does not keep.
    private struct Drop {
        var history: ObjectHistory
        /// Oldest first.
        var versions: [UInt64]
        /// How many of them are gone already.
        var droppedCount = 0

        /// The places among the versions of what is dropped at once.
        var parts: [Range<Int>] {
            stride(from: 0, to: versions.count, by: StoreLimits.droppedVersionsMax).map { start in
                start..<min(start + StoreLimits.droppedVersionsMax, versions.count)
            }
        }

        func request(_ part: Range<Int>) -> CommitRequest {
            .drop(
                object: history.object, name: history.name, versions: Array(versions[part]),
                isPart: part.upperBound < versions.count)
        }
    }

    let vault: StoredVault
    let prefix: NamePrefix
    let policy: KeepPolicy
    let calendar: CivilCalendar
    let isDryRun: Bool
    let caller: Caller
    let deciding: StoredVault.ThinningDecider?
    /// Seconds since 1970 UTC.
    let now: Int64
    /// Of the journal, where its times are not all trusted.
    let dates: JournalDates?
    private(set) var report = KeepReport()

    mutating func run() async throws(VaultError) {
        var after: UInt64 = 0
        while true {
            if Task.isCancelled { throw .cancelled }
            let (page, sequence) = try await objects(after: after, limit: Limits.pageEntries)
            guard let last = page.last else { return }
            after = last.object
            var moved = try await drop(drops(of: page), judgedAt: sequence)
            // What changed while hooks were asked, they are asked about again, object by object.
            for _ in 1..<StoreLimits.judgementsMax where !moved.isEmpty {
                var left: [Drop] = []
                for drop in moved {
                    let (again, sequence) = try await objects(after: drop.history.object - 1, limit: 1)
                    let same = again.filter { $0.object == drop.history.object }
                    left += try await self.drop(drops(of: same), judgedAt: sequence)
                }
                moved = left
            }
            for drop in moved {
                guard let name = drop.history.name else { continue }
                keep(drop, for: .keptChanging(name))
            }
        }
    }

    /// The next objects, and a sequence that they are not older than.
    private func objects(
        after object: UInt64, limit: Int
    ) async throws(VaultError) -> (page: [ObjectHistory], sequence: UInt64) {
        let sequence = deciding == nil ? 0 : try await vault.sequence()
        return (try await vault.catalog.objects(prefix, afterObject: object, limit: limit), sequence)
    }

    /// What is to be dropped; the objects of which all is kept are counted.
    private mutating func drops(of page: [ObjectHistory]) -> [Drop] {
        var drops: [Drop] = []
        for history in page where !history.versions.isEmpty {
            let versions = dates.map { dates in history.versions.map { dates.dated($0) } } ?? history.versions
            let dropped = policy.dropped(from: versions, areDated: dates != nil, now: now, calendar: calendar)
            if dropped.isEmpty {
                report.keptVersions += history.versions.count
            } else {
                drops.append(Drop(history: history, versions: dropped))
            }
        }
        return drops
    }

    /// Drops versions as far as hooks let them go, in as many commits as that takes. Each of these is short: others have
    /// their turn in between.
    ///
    /// - Returns: what has changed since it was judged, and stays.
    private mutating func drop(_ drops: [Drop], judgedAt sequence: UInt64) async throws(VaultError) -> [Drop] {
        if isDryRun {
            for drop in drops { count(drop.versions.count, of: drop, isLast: true) }
            return []
        }
        var left = drops
        if let deciding {
            left = []
            for (drop, refusal) in zip(drops, try await refusals(of: drops, deciding)) {
                if let refusal { keep(drop, for: refusal) } else { left.append(drop) }
            }
        }
        let parts = left.indices.flatMap { place in left[place].parts.map { (place, $0) } }
        var moved: Set<Int> = []
        var done = 0
        while done < parts.count {
            if Task.isCancelled { throw .cancelled }
            let next = parts[done...].prefix(Limits.pageEntries)
            var call = CommitCall(requests: next.map { place, part in left[place].request(part) }, by: caller)
            call.isDivisible = true
            if deciding != nil { call.judgement = CommitCall.Judgement(at: sequence) }
            let results = try await vault.commitChanges(call)
            for ((place, part), result) in zip(next, results) {
                switch result {
                case .success:
                    count(part.count, of: left[place], isLast: part.upperBound == left[place].versions.count)
                    left[place].droppedCount += part.count
                case .failure(let error) where error.code == .conflict && error.isRetryable: moved.insert(place)
                case .failure(let error): throw error
                }
            }
            done += results.count
        }
        return moved.sorted().map { left[$0] }
    }

    /// Asks about each name once, however many versions it is to lose.
    private func refusals(
        of drops: [Drop], _ deciding: StoredVault.ThinningDecider
    ) async throws(VaultError) -> [VaultError?] {
        let thinned = try await vault.catalog.thinnedNames(
            of: drops.map(\.history).filter { $0.name.map(deciding.wants) ?? true }.map(\.object))
        var asked: [Int] = []
        var names: [ThinnedName] = []
        for (place, drop) in drops.enumerated() {
            guard let name = thinned[drop.history.object], deciding.wants(name.newest.name) else { continue }
            asked.append(place)
            names.append(name)
        }
        var refusals: [VaultError?] = Array(repeating: nil, count: drops.count)
        if names.isEmpty { return refusals }
        let answers = try await deciding.refusals(names)
        guard answers.count == names.count else {
            throw VaultError(.internal, "The hooks did not decide on every name.")
        }
        for (place, refusal) in zip(asked, answers) { refusals[place] = refusal }
        return refusals
    }

    /// - Parameter isLast: whether nothing is left to drop of the name.
    private mutating func count(_ versions: Int, of drop: Drop, isLast: Bool) {
        report.droppedVersions += versions
        if !isLast { return }
        report.keptVersions += drop.history.versions.count - drop.versions.count
        if drop.versions.count == drop.history.versions.count { report.forgottenNames += 1 }
    }

    private mutating func keep(_ drop: Drop, for reason: VaultError) {
        report.keptVersions += drop.history.versions.count - drop.droppedCount
        report.reject(reason)
    }
}

extension VaultError {
    /// For a name of which hooks would never have seen what is there.
    fileprivate static func keptChanging(_ name: Name) -> VaultError {
        VaultError(
            .conflict, "'\(name)' kept changing while hooks were asked about it: all its versions stay.",
            name: name, isRetryable: true)
    }
}
