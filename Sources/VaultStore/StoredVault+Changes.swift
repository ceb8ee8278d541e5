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
        let presence = CommitCall.Presence()
        var call = CommitCall(requests: changes.map { .change($0) }, by: caller, change: change)
        (call.judgement, call.presence) = (judgement, presence)
        return try await mappingErrors {
            try await withTaskCancellationHandler {
                try await commitChanges(call)
            } onCancel: {
                presence.end()
            }
        }
    }

    /// Whether one of the changes is about more names than a commit takes requests.
    package func areWide(_ changes: [Change]) async throws(VaultError) -> Bool {
        let sources = changes.compactMap { change -> NamePrefix? in
            switch change {
            case .remove(let top, _): top
            case .rename(let from, _), .copy(let from, _): NamePrefix(from)
            case .revert, .tag: nil
            }
        }
        return try await catalog.isAny(of: sources, widerThan: StoreLimits.commitRequestsMax)
    }

    func commitChanges(
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
