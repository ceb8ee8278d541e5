package import VaultModel

extension LocalVault {
    package func change(
        _ changes: [Change]
    ) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        try await prepareToWrite()
        return try await committing(changes.map { .change($0, by: savedBy) })
    }

    package func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool
    ) async throws(VaultError) -> KeepReport {
        if policy.isEmpty {
            throw VaultError(
                .invalid, "Nothing is said about what to keep: give last, daily, weekly, monthly or within.")
        }
        if !isDryRun { try await prepareToWrite() }
        var report = KeepReport()
        var after: UInt64 = 0
        while true {
            let page = try await catalog.objects(prefix, afterObject: after, limit: Limits.pageEntries)
            guard let last = page.last else { return report }
            after = last.object
            var drops: [CommitRequest] = []
            for history in page where !history.versions.isEmpty {
                let dropped = policy.dropped(from: history.versions, now: clock(), calendar: calendar)
                report.keptVersions += history.versions.count - dropped.count
                report.droppedVersions += dropped.count
                if dropped.count == history.versions.count { report.forgottenNames += 1 }
                if !dropped.isEmpty { drops.append(.drop(object: history.object, versions: dropped)) }
            }
            if !isDryRun { for result in try await committing(drops) { _ = try result.get() } }
        }
    }

    private func committing(
        _ requests: [CommitRequest]
    ) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        try await reserve.duringChange { () throws(VaultError) in
            try await committer.commit(requests)
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
