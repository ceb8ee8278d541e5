import VaultModel
import VaultStore
import VaultWire

/// Where a session's requests meet the hooks.
extension Session {
    /// Decides on saves; nil where no hook wants to.
    var decider: StoredVault.Decider? {
        guard let pool = vault.hooks, pool.table.wants(.beforeSave) else { return nil }
        let (table, depth) = (pool.table, depth)
        return StoredVault.Decider { name in
            !table.hooks(for: .beforeSave, name, depth: depth).isEmpty
        } decide: { [self] saves in
            let events = saves.map { save in
                HookEvent(
                    kind: .beforeSave, vaultName: vaultName, host: vault, name: save.intent.name,
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
        for prefix in prefixes { found.append(try await refusal(.beforeRemove, below: prefix, pool)) }
        return found
    }

    /// Decides on names that are to lose versions; nil where no hook wants to.
    var thinningDecider: StoredVault.ThinningDecider? {
        guard let pool = vault.hooks, pool.table.wants(.beforeRemove) else { return nil }
        let depth = depth
        return StoredVault.ThinningDecider { name in
            !pool.table.hooks(for: .beforeRemove, name, depth: depth).isEmpty
        } refusals: { [self] names throws(VaultError) in
            let events = names.map { thinned in
                // The content is found by the name and the version, unless the name leads elsewhere.
                HookEvent(
                    kind: .beforeRemove, vaultName: vaultName, host: vault, name: thinned.newest.name,
                    entry: thinned.newest, user: user, peer: peer, time: currentSeconds(), depth: depth,
                    staged: thinned.isTaken ? StagedSave(thinned.newest) : nil)
            }
            let refusals = zip(events, await pool.run(events)).map { event, outcome in outcome.refusal(of: event) }
            // Nobody was asked, which is no decision on any name.
            let unasked = refusals.lazy.compactMap { $0 }.first { $0.code == .unavailable && $0.isRetryable }
            if let unasked { throw unasked }
            return refusals
        }
    }

    /// Asks hooks about what changes take content from: who may not read it does not read it under another name either.
    ///
    /// - Returns: for each change why it may not be taken; nil where it may.
    func refusals(ofTaking changes: [Change]) async throws(VaultError) -> [VaultError?] {
        guard let pool = vault.hooks, pool.table.wants(.beforeRead) else { return changes.map { _ in nil } }
        var found: [VaultError?] = []
        for change in changes {
            var refusal: VaultError?
            switch change {
            case .copy(let from, _), .rename(let from, _):
                refusal = try await self.refusal(.beforeRead, below: NamePrefix(from), pool)
            case .revert(let name, let version):
                if let entry = try await vault.local.stat(name, .version(version)) {
                    refusal = await refusals(.beforeRead, [entry], pool)[0]
                }
            case .remove, .tag: break
            }
            found.append(refusal)
        }
        return found
    }

    /// Asks hooks about all that is live below a prefix, a page at a time.
    ///
    /// - Returns: the first refusal; nil for none.
    private func refusal(
        _ kind: HookKind, below prefix: NamePrefix, _ pool: HookPool
    ) async throws(VaultError) -> VaultError? {
        var stream = EntryStream(vault.local, ListQuery(prefix: prefix))
        while true {
            var page: [Entry] = []
            while page.count < Limits.pageEntries, let entry = try await stream.next() { page.append(entry) }
            if page.isEmpty { return nil }
            if let refusal = await refusals(kind, page, pool).lazy.compactMap({ $0 }).first { return refusal }
        }
    }

    private func refusals(_ kind: HookKind, _ entries: [Entry], _ pool: HookPool) async -> [VaultError?] {
        let events = entries.map { entry in
            HookEvent(
                kind: kind, vaultName: vaultName, host: vault, name: entry.name, entry: entry, user: user, peer: peer,
                time: currentSeconds(), depth: depth)
        }
        return zip(events, await pool.run(events)).map { event, outcome in outcome.refusal(of: event) }
    }

    /// What hooks say of content that a change brings under other names.
    struct Arrival: Sendable {
        var refusal: VaultError?
        /// Tags that hooks add.
        var tags = JudgedTags()
    }

    /// Asks hooks about what changes bring under other names, as if it were saved there: nothing comes past them by a
    /// detour.
    func arrivals(of changes: [Change]) async throws(VaultError) -> [Arrival] {
        guard let pool = vault.hooks, pool.table.wants(.beforeSave) else { return changes.map { _ in Arrival() } }
        var arrivals: [Arrival] = []
        for change in changes {
            var arrival = Arrival()
            switch change {
            case .copy(let from, let to), .rename(let from, let to):
                var stream = EntryStream(vault.local, ListQuery(prefix: NamePrefix(from)))
                var page: [(Entry, Name)] = []
                repeat {
                    page = []
                    while page.count < Limits.pageEntries, let entry = try await stream.next() {
                        // What cannot be a name is refused with the change itself.
                        let name = try? Name(to.bytes + entry.name.bytes.dropFirst(from.bytes.count))
                        if let name { page.append((entry, name)) }
                    }
                    await ask(pool, about: page, &arrival)
                } while arrival.refusal == nil && !page.isEmpty
            case .revert(let name, let version):
                if let entry = try await vault.local.stat(name, .version(version)) {
                    await ask(pool, about: [(entry, name)], &arrival)
                }
            case .remove, .tag: break
            }
            arrivals.append(arrival)
        }
        return arrivals
    }

    private func ask(_ pool: HookPool, about entries: [(Entry, Name)], _ arrival: inout Arrival) async {
        let events = entries.filter { $0.0.kind != .removed }.map { entry, name in
            var arriving = entry
            (arriving.name, arriving.version) = (name, 0)
            return HookEvent(
                kind: .beforeSave, vaultName: vaultName, host: vault, name: name, entry: arriving, user: user,
                peer: peer, time: currentSeconds(), depth: depth, source: (entry.name, entry.version))
        }
        for (event, outcome) in zip(events, await pool.run(events)) {
            if let refusal = outcome.refusal(of: event) {
                arrival.refusal = refusal
                return
            }
            guard case .accepted(let wanted, let tags) = outcome, let name = event.name else { continue }
            if let wanted, wanted != name {
                arrival.refusal = VaultError(
                    .rejected, "'\(name)' was rejected: hooks want it to be named '\(wanted)'.", name: name)
                return
            }
            if tags.isEmpty || arrival.tags.add(tags, to: name) { continue }
            arrival.refusal = VaultError(
                .invalid,
                "Hooks add more than \(StoreLimits.judgedTagBytesMax >> 20) MiB of tags to what is brought with '\(name)': take a smaller prefix at a time.",
                name: name)
            return
        }
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
        // Nobody was asked.
        case .failed(let error, _) where error.code == .unavailable && error.isRetryable: return error
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
    init(staged: StagedSave, by user: String) {
        self.init(
            name: staged.intent.name, kind: staged.intent.kind, content: staged.content, version: 0, sequence: 0,
            attributes: staged.intent.attributes, savedAt: currentSeconds(), savedBy: user,
            tags: staged.intent.versionTags)
    }
}
