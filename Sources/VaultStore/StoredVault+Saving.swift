package import VaultModel

extension StoredVault {
    package func save(
        _ saves: [SmallSave]
    ) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        try await save(saves, by: caller, change: nil)
    }

    /// See ``Vault/save(_:)``.
    ///
    /// - Parameters:
    ///   - change: names the saves together, so that a repetition of them is answered like they were, for seven days,
    ///     and saves nothing.
    ///   - isRepeated: whether the caller knows that it asks again: what was decided is not decided anew.
    ///   - deciding: decides on the saves; nil for no hooks.
    package func save(
        _ saves: [SmallSave], by caller: Caller, change: UniqueID?, isRepeated: Bool = false, deciding: Decider? = nil
    ) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        try await prepareToWrite()
        try await clearAway(before: saves.reduce(0) { $0 + UInt64($1.chunk?.bytes.count ?? 0) })
        let results = try await commit(saves, by: caller, change: change, isRepeated: isRepeated, deciding)
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
        _ saves: [SmallSave], by caller: Caller, change: UniqueID?, isRepeated: Bool, _ deciding: Decider?
    ) async throws(VaultError) -> [Result<CommitResult, VaultError>] {
        let problems = saves.map { $0.intent.problem ?? $0.problem }
        let sound = zip(saves, problems).filter { $0.1 == nil }.map(\.0)
        let plain = sound.map { CommitSave(intent: $0.intent, content: $0.content, chunk: $0.chunk) }
        var call = CommitCall(requests: plain.map { .save($0) }, by: caller, change: change)
        var results: ArraySlice<Result<CommitResult, VaultError>>
        if let deciding, !sound.isEmpty {
            if isRepeated, let repeated = try await catalog.results(ofRepeated: call) {
                results = repeated[...]
            } else {
                call.requests = try await decided(sound, plain, by: caller, deciding).map { .save($0) }
                results = try await committer.commit(call)[...]
            }
        } else {
            results = try await committer.commit(call)[...]
        }
        return problems.map { problem in problem.map { .failure($0) } ?? results.removeFirst() }
    }

    /// The saves as hooks want them.
    private func decided(
        _ saves: [SmallSave], _ plain: [CommitSave], by caller: Caller, _ deciding: Decider
    ) async throws(VaultError) -> [CommitSave] {
        let wanted = saves.indices.filter { deciding.wants(saves[$0].intent.name) }
        if wanted.isEmpty { return plain }
        let staging = Staging(wanted.map { saves[$0] }, by: caller, in: self)
        let decisions = await deciding.decide(
            wanted.map { number in
                let save = saves[number]
                return StagedSave(
                    intent: save.intent, number: number, content: save.content,
                    bytes: save.chunk?.bytes ?? BufferSlice(copying: []), staging: staging)
            })
        let places = staging.places
        guard decisions.count == wanted.count else {
            throw VaultError(.internal, "The hooks did not decide on every save.")
        }
        for decision in decisions { try decision.check() }
        var decided = plain
        for (index, number) in wanted.enumerated() {
            let decision = decisions[index]
            decided[number].asked = saves[number].intent
            decided[number].intent = decision.intent
            decided[number].refusal = decision.refusal ?? decision.intent.problem
            decided[number].staged = places?[index]
        }
        return decided
    }
}

extension SaveIntent {
    var problem: VaultError? {
        if kind == .removed { return VaultError(.invalid, "A removal of '\(name)' cannot be saved.", name: name) }
        if attributes.mode > Attributes.modeMax {
            return VaultError(.invalid, "The mode of '\(name)' has bits that no file has.", name: name)
        }
        if tags[.changed] != nil { return .reservedTag(name) }
        return tags.problem(of: name)
    }
}

extension VaultError {
    static func reservedTag(_ name: Name) -> VaultError {
        VaultError(
            .invalid,
            "The tag '\(TagText.changed)' cannot be set or taken away: it marks a file that changed while it was read.",
            name: name)
    }
}

extension [TagText: TagText] {
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
        if intent.kind == .link, let problem = LinkTarget.problem(with: chunk?.bytes.bytes ?? []) {
            return VaultError(.invalid, "The link '\(intent.name)' cannot be saved: \(problem).", name: intent.name)
        }
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
