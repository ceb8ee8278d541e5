package import VaultModel

extension LocalVault {
    package func save(
        _ saves: [SmallSave]
    ) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        try await save(saves, by: caller, change: nil)
    }

    /// See ``Vault/save(_:)``.
    ///
    /// - Parameter change: names the saves together, so that a repetition of them is answered like they
    ///   were, for seven days, and saves nothing.
    package func save(
        _ saves: [SmallSave], by caller: Caller, change: UniqueID?
    ) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        try await prepareToWrite()
        let results = try await commit(saves, by: caller, change: change)
        return results.map { result in
            result.flatMap { result in
                guard case .saved(let outcome) = result else {
                    return .failure(VaultError(.internal, "A save was answered as another change."))
                }
                return .success(outcome)
            }
        }
    }

    /// Commits the saves that can be; the others fail alone.
    private func commit(
        _ saves: [SmallSave], by caller: Caller, change: UniqueID?
    ) async throws(VaultError) -> [Result<CommitResult, VaultError>] {
        let problems = saves.map { $0.intent.problem ?? $0.problem }
        let requests = zip(saves, problems).filter { $0.1 == nil }.map { save, _ in
            CommitRequest.save(CommitSave(intent: save.intent, content: save.content, chunk: save.chunk))
        }
        var results = try await committer.commit(CommitCall(requests: requests, by: caller, change: change))[...]
        return problems.map { problem in problem.map { .failure($0) } ?? results.removeFirst() }
    }
}

extension SaveIntent {
    var problem: VaultError? {
        if kind == .removed { return VaultError(.invalid, "A removal of '\(name)' cannot be saved.", name: name) }
        return tags.problem(of: name)
    }
}

extension [String: String] {
    /// What is wrong with these as the tags of a version.
    func problem(of name: Name) -> VaultError? {
        let bytes = reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard bytes > StoreLimits.tagBytesMax else { return nil }
        return VaultError(
            .invalid, "The tags of '\(name)' have \(bytes) bytes: \(StoreLimits.tagBytesMax) are allowed.", name: name)
    }
}

extension SmallSave {
    fileprivate var problem: VaultError? {
        guard let chunk else { return nil }
        if intent.kind == .directory {
            return VaultError(.invalid, "The empty directory '\(intent.name)' cannot have content.", name: intent.name)
        }
        if chunk.bytes.count == 0 || chunk.bytes.count > Chunker.maximumSize {
            return VaultError(.invalid, "The content of '\(intent.name)' is not one chunk.", name: intent.name)
        }
        return nil
    }
}
