import VaultModel
import VaultStore
import VaultWire

/// Where a session's requests meet the hooks.
extension Session {
    /// Decides on the saves of a change; nil where no hook wants to.
    func decider(on change: UniqueID) -> LocalVault.Decider? {
        guard let pool = vault.hooks, pool.table.wants(.beforeSave) else { return nil }
        return { [self] saves in
            let events = saves.enumerated().map { index, save in
                // The same where the change is asked for again.
                HookEvent(
                    id: UniqueID(high: change.high, low: change.low &+ UInt64(index)), kind: .beforeSave,
                    vaultName: vaultName, host: vault, name: save.intent.name,
                    entry: Entry(staged: save, by: user), user: user, peer: peer, time: currentSeconds(), depth: depth,
                    staged: save)
            }
            let outcomes = await pool.run(events)
            return saves.indices.map { decision(on: saves[$0].intent, events[$0], outcomes[$0]) }
        }
    }

    private func decision(on intent: SaveIntent, _ event: HookEvent, _ outcome: HookOutcome) -> SaveDecision {
        var changed = intent
        if let refusal = outcome.refusal(of: event) { return SaveDecision(intent: intent, refusal: refusal) }
        guard case .accepted(let name, let tags) = outcome else { return SaveDecision(intent: intent) }
        if let name { changed.name = name }
        for (key, value) in tags { changed.tags[key] = value }
        return SaveDecision(intent: changed)
    }

    /// Asks hooks about reads.
    ///
    /// - Returns: for each name why it may not be read; nil where it may.
    func refusals(ofReading entries: [Entry]) async -> [VaultError?] {
        guard let pool = vault.hooks, pool.table.wants(.beforeRead), !entries.isEmpty else {
            return entries.map { _ in nil }
        }
        return await refusals(.beforeRead, entries, pool)
    }

    /// Asks hooks about the removal of what is live below prefixes.
    ///
    /// - Returns: for each prefix why it may not be removed; nil where it may.
    func refusals(ofRemoving prefixes: [NamePrefix]) async throws(VaultError) -> [VaultError?] {
        guard let pool = vault.hooks, pool.table.wants(.beforeRemove) else { return prefixes.map { _ in nil } }
        var found: [VaultError?] = []
        for prefix in prefixes {
            var stream = EntryStream(vault.local, ListQuery(prefix: prefix))
            var refusal: VaultError?
            var page: [Entry] = []
            repeat {
                page = []
                while page.count < Limits.pageEntries, let entry = try await stream.next() { page.append(entry) }
                refusal = await refusals(.beforeRemove, page, pool).compactMap { $0 }.first
            } while refusal == nil && !page.isEmpty
            found.append(refusal)
        }
        return found
    }

    private func refusals(_ kind: HookKind, _ entries: [Entry], _ pool: HookPool) async -> [VaultError?] {
        let events = entries.map { entry in
            HookEvent(
                kind: kind, vaultName: vaultName, host: vault, name: entry.name, entry: entry, user: user, peer: peer,
                time: currentSeconds(), depth: depth)
        }
        return zip(events, await pool.run(events)).map { event, outcome in outcome.refusal(of: event) }
    }

    /// Writes down that content is read, where hooks want to hear of it.
    func tellReads(of entries: [Entry]) async {
        guard let telling = vault.telling(depth: depth) else { return }
        let events = entries.filter { telling.wants(.read, $0.name) }.map { entry in
            OutboxEvent(
                kind: .read, name: entry.name, version: entry.version, user: user, peer: peer, time: currentSeconds(),
                depth: depth)
        }
        if events.isEmpty { return }
        // That a hook does not hear of it is no reason to refuse a read.
        try? await vault.local.tell(events)
        vault.outbox?.wake()
    }
}

extension HookOutcome {
    /// Why what hooks were asked does not happen; nil where it does.
    ///
    /// What a hook failed with is told in the server's log and to nobody else.
    func refusal(of event: HookEvent) -> VaultError? {
        let name = event.name
        let subject = name.map { "'\($0)'" } ?? "The login"
        switch self {
        case .accepted: return nil
        case .rejected(let reason):
            return VaultError(.rejected, "\(subject) was rejected: \(printable(reason)).", name: name)
        case .failed:
            return VaultError(
                .rejected, "\(subject) was rejected, since a hook failed: the server's log tells of event \(event.id).",
                name: name)
        case .suspended:
            return VaultError(
                .rejected, "\(subject) was rejected, since a hook that must be asked rests after many failures.",
                name: name, isRetryable: true)
        }
    }
}

extension Entry {
    /// A save as the entry that it would make.
    fileprivate init(staged: StagedSave, by user: String) {
        self.init(
            name: staged.intent.name, kind: staged.intent.kind, content: staged.content, version: 0, sequence: 0,
            attributes: staged.intent.attributes, savedAt: currentSeconds(), savedBy: user, tags: staged.intent.tags)
    }
}
