import VaultModel
import VaultStore
import VaultWire

extension Session {
    func change(_ message: WireChange) async throws -> ServerAnswer {
        guard message.changes.count <= WireLimits.batchMax else { throw WireViolation("too many changes at once") }
        let id = try UniqueID(wire: message.change)
        var results: [Result<ChangeOutcome, VaultError>?] = []
        var changes: [Change] = []
        var asked: [Change?] = []
        for change in message.changes {
            do throws(VaultError) {
                let change = try change.model
                try requireRights(to: change)
                changes.append(change)
                asked.append(change)
                results.append(nil)
            } catch {
                asked.append(nil)
                results.append(.failure(error))
            }
        }
        var outcomes = try await judged(&changes, &results, as: id)[...]
        vault.wakeOutbox(depth: depth)
        let all = results.map { $0 ?? outcomes.removeFirst() }
        let shown = zip(all, asked).map { result, change in
            result.map { told($0, of: change) }.mapError { told($0, of: change) }
        }
        return ServerAnswer { $0.changed = WireChanged(shown) }
    }

    /// Carries changes out as hooks have judged them; what moves while they are asked, they are asked about again.
    private func judged(
        _ changes: inout [Change], _ results: inout [Result<ChangeOutcome, VaultError>?], as id: UniqueID
    ) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        let (asked, before) = (changes, results)
        var outcomes: [Result<ChangeOutcome, VaultError>] = []
        for _ in 0..<HookLimits.judgementsMax {
            (changes, results) = (asked, before)
            let judgement = try await askHooks(about: &changes, &results)
            let share = try await memory(for: changes)
            outcomes = try await vault.local.change(changes, by: caller, change: id, judgement: judgement)
            withExtendedLifetime(share) {}
            let hasMoved = outcomes.contains { outcome in
                if case .failure(let error) = outcome { error.code == .conflict && error.isRetryable } else { false }
            }
            if !hasMoved { break }
        }
        return outcomes
    }

    /// Waits for the memory that changes take up beyond their request; nil for those of few names.
    private func memory(for changes: [Change]) async throws(VaultError) -> FairBudget.Share? {
        guard try await vault.local.areWide(changes) else { return nil }
        return try await memory.part(forContentOf: StoreLimits.wideChangeBytes)
            .share(waitingFor: StoreLimits.wideChangeBytes)
    }

    /// Takes out the changes that hooks refuse.
    ///
    /// - Returns: what they say of those that are left; nil where none is to be asked.
    private func askHooks(
        about changes: inout [Change], _ results: inout [Result<ChangeOutcome, VaultError>?]
    ) async throws(VaultError) -> CommitCall.Judgement? {
        guard let table = vault.hooks?.table,
            table.wants(.beforeSave) || table.wants(.beforeRemove) || table.wants(.beforeRead)
        else { return nil }
        var judgement = CommitCall.Judgement(at: try await vault.local.sequence())
        var refused: [Int: VaultError] = [:]
        // What is renamed is gone from where it was.
        let removals = changes.enumerated().compactMap { index, change -> (Int, NamePrefix)? in
            switch change {
            case .remove(let prefix, _): (index, prefix)
            case .rename(let from, _): (index, NamePrefix(from))
            case .copy, .revert, .tag: nil
            }
        }
        for (removal, refusal) in zip(removals, try await refusals(ofRemoving: removals.map(\.1))) {
            refused[removal.0] = refusal
        }
        for (index, refusal) in try await refusals(ofTaking: changes).enumerated() {
            if let refusal { refused[index] = refused[index] ?? refusal }
        }
        var tags: [JudgedTags] = []
        for (index, arrival) in try await arrivals(of: changes).enumerated() {
            if let refusal = arrival.refusal { refused[index] = refused[index] ?? refusal }
            tags.append(arrival.tags)
        }
        for index in changes.indices where refused[index] == nil {
            // Hooks have been asked about what is there now.
            guard let source = changes[index].source else { continue }
            let isMoved = changes[..<index].contains { $0.target.map { $0.overlaps(source) } ?? false }
            if isMoved {
                refused[index] = VaultError(
                    .invalid, "A change of what another change of the same request brings must be asked for after it.")
            }
        }
        var index = 0
        for place in results.indices where results[place] == nil {
            if let error = refused[index] { results[place] = .failure(error) }
            index += 1
        }
        let left = changes.indices.filter { refused[$0] == nil }
        for (place, index) in left.enumerated() where !tags[index].isEmpty { judgement.tags[place] = tags[index] }
        changes = left.map { changes[$0] }
        return judgement
    }

    /// The outcome without what the user may not know: what an entry has that others gave it, and, without the right to read,
    /// how many names there were and whether anything is another now.
    private func told(_ outcome: ChangeOutcome, of change: Change?) -> ChangeOutcome {
        let rules = rules
        let isBlind =
            switch change {
            case .remove(let prefix, _): !rules.allows(.read, onAllBelow: prefix)
            case .tag(let name, _): !rules.allows(.read, on: name)
            case .rename, .copy, .revert, nil: false
            }
        if isBlind { return ChangeOutcome(count: 1, entry: nil) }
        guard let entry = outcome.entry, !rules.allows(.read, on: entry.name) else { return outcome }
        return ChangeOutcome(count: outcome.count, entry: nil)
    }

    /// What the user may know of why a change failed.
    private func told(_ error: VaultError, of change: Change?) -> VaultError {
        switch change {
        case .remove(let prefix, _):
            // A hook's refusal names what is there.
            if error.code == .rejected, !rules.allows(.read, onAllBelow: prefix) {
                return VaultError(.rejected, "The removal was rejected.", name: prefix.top)
            }
            return told(error, of: prefix.top)
        case .tag(let name, _), .revert(let name, _), .rename(_, let name), .copy(_, let name):
            // Where from is readable, and is told by its own name.
            return told(error, of: error.name ?? name)
        case nil: return told(error, of: nil as Name?)
        }
    }

    private func requireRights(to change: Change) throws(VaultError) {
        switch change {
        case .remove(let prefix, let ifVersion):
            try require(.remove, "remove", below: prefix)
            if ifVersion != nil { try require(.read, "tell the version of", below: prefix) }
        case .rename(let from, let to):
            // Under the new name it may be readable.
            try require(.read, "read", below: NamePrefix(from))
            try require(.remove, "rename", below: NamePrefix(from))
            try require(.save, "save", below: NamePrefix(to))
        case .copy(let from, let to):
            try require(.read, "read", below: NamePrefix(from))
            if !rules.allows(.save, onAllBelow: NamePrefix(to)) { try require(.append, "save", below: NamePrefix(to)) }
        case .revert(let name, _):
            try require(.read, "read", on: name)
            try requireSave(on: name)
        case .tag(let name, _):
            // What others have saved is theirs: `append` adds, and changes nothing of it.
            try require(.save, "tag", on: name)
        }
    }

    func keep(_ keep: WireKeep) async throws -> ServerAnswer {
        let prefix = try NamePrefix(wire: keep.prefix)
        try require(.remove, "forget versions of", below: prefix)
        let (policy, calendar, isDryRun) = (keep.policy, try keep.calendar, keep.dryRun)
        let (vault, caller, decider) = (vault.local, caller, thinningDecider)
        let work = { () async throws(VaultError) -> KeepReport in
            if Task.isCancelled { throw .cancelled }
            return try await vault.keep(
                prefix, policy, calendar: calendar, isDryRun: isDryRun, by: caller, deciding: decider)
        }
        // Hooks may take long to decide, for which nobody else's work waits.
        let report =
            decider == nil
            ? try await self.vault.heavyWork.withLock(work) : try await self.vault.takingTurns(for: user, work)
        let rules = rules
        var told = report.telling { rules.allows(.read, on: $0) }
        if !rules.allows(.read, onAllBelow: prefix) {
            // How much there is, is for who may read it.
            (told.keptVersions, told.droppedVersions, told.forgottenNames) = (0, 0, 0)
        }
        let shown = told
        return ServerAnswer { $0.kept = WireKept(shown) }
    }

    func collect() async throws -> ServerAnswer {
        try require(.remove, "collect", below: .all)
        // What is freed tells which contents were there more than once.
        try require(.read, "collect", below: .all)
        let vault = vault.local
        let report = try await self.vault.heavyWork.withLock { () async throws(VaultError) in
            if Task.isCancelled { throw .cancelled }
            return try await vault.collect()
        }
        return ServerAnswer { $0.collected = WireCollected(report) }
    }

    func verify(_ verify: WireVerify) async throws -> ServerAnswer {
        let request = VerifyRequest(prefix: try NamePrefix(wire: verify.prefix), sample: verify.sample)
        try require(.read, "verify", below: request.prefix)
        let vault = vault.local
        var report = try await self.vault.takingTurns(for: user) { () async throws(VaultError) in
            try await vault.verify(request)
        }
        if report.damaged.count > Session.damagedMax {
            report.problems.append("\(report.damaged.count) versions are damaged; the first are listed.")
            report.damaged.removeSubrange(Session.damagedMax...)
        }
        let told = report
        return ServerAnswer { $0.verified = WireVerified(told) }
    }

    /// Damaged versions that one answer names.
    private static let damagedMax = 4096

    /// Makes a device's key known for the session's user; only a password shows that it is the user who asks.
    func enrol(_ key: WireEnrolKey, _ services: ServerServices) async throws -> ServerAnswer {
        guard case .password = method else {
            throw VaultError(.denied, "A device key is enrolled after a login with the password only.")
        }
        let bytes = Array(key.publicKey)
        guard bytes.count == 32 else { throw WireViolation("a key of \(bytes.count) bytes") }
        try services.enrol(bytes, label: key.label, of: user, peer: peer)
        return ServerAnswer(.done)
    }
}

extension Change {
    /// What it takes content from, or takes away.
    fileprivate var source: NamePrefix? {
        switch self {
        case .remove(let prefix, _): prefix
        case .rename(let from, _), .copy(let from, _): NamePrefix(from)
        case .revert(let name, _): NamePrefix(name)
        case .tag: nil
        }
    }

    /// Where it brings content.
    fileprivate var target: NamePrefix? {
        switch self {
        case .rename(_, let to), .copy(_, let to): NamePrefix(to)
        case .remove, .revert, .tag: nil
        }
    }
}

extension NamePrefix {
    fileprivate func overlaps(_ other: NamePrefix) -> Bool {
        guard let top, let otherTop = other.top else { return true }
        return contains(otherTop) || other.contains(top)
    }
}
