package import VaultModel

extension StoredVault {
    package func change(
        _ changes: [Change]
    ) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        try await change(changes, by: caller, change: nil)
    }

    /// See ``Vault/change(_:)``.
    ///
    /// - Parameter change: names the changes together, so that a repetition of them is answered like they
    ///   were, for seven days, and changes nothing.
    /// - Parameter judgement: what hooks have said of the changes; nil for no hooks. All fail with
    ///   `VaultError.movedMeanwhile` where what they were asked about is not what is there.
    package func change(
        _ changes: [Change], by caller: Caller, change: UniqueID?, judgement: CommitCall.Judgement? = nil
    ) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        var call = CommitCall(requests: changes.map { .change($0) }, by: caller, change: change)
        call.judgement = judgement
        return try await committing(call)
    }

    package func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool
    ) async throws(VaultError) -> KeepReport {
        try await keep(prefix, policy, calendar: calendar, isDryRun: isDryRun, by: caller)
    }

    /// See ``Vault/keep(_:_:calendar:isDryRun:)``.
    package func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool, by caller: Caller
    ) async throws(VaultError) -> KeepReport {
        if policy.isEmpty {
            throw VaultError(
                .invalid, "Nothing is said about what to keep: give last, daily, weekly, monthly or within.")
        }
        if access == .readOnly, !isDryRun { throw readOnly }
        var report = KeepReport()
        var after: UInt64 = 0
        let now = clock()
        let dates = try await catalog.journalTimes(now: now)?.dates(now: now)
        while true {
            if Task.isCancelled { throw .cancelled }
            let page = try await catalog.objects(prefix, afterObject: after, limit: Limits.pageEntries)
            guard let last = page.last else { return report }
            after = last.object
            var drops: [CommitRequest] = []
            for history in page where !history.versions.isEmpty {
                let versions = dates.map { dates in history.versions.map { dates.dated($0) } } ?? history.versions
                let dropped = policy.dropped(
                    from: versions, areDated: dates != nil, now: now, calendar: calendar)
                report.keptVersions += history.versions.count - dropped.count
                report.droppedVersions += dropped.count
                if dropped.count == history.versions.count { report.forgottenNames += 1 }
                if dropped.isEmpty { continue }
                drops.append(.drop(object: history.object, name: history.name, versions: dropped))
            }
            if isDryRun { continue }
            for result in try await committing(CommitCall(requests: drops, by: caller)) { _ = try result.get() }
        }
    }

    private func committing(
        _ call: CommitCall
    ) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        try await makingRoom { () throws(VaultError) in
            try await prepareToWrite()
            return try await committer.commit(call)
        }.map { result in
            result.flatMap { result in
                guard case .changed(let outcome) = result else {
                    return .failure(VaultError(.internal, "A change was answered as a save."))
                }
                return .success(outcome)
            }
        }
    }
}
