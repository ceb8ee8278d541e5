import VaultModel

/// Changes that bring no content.
extension CommitTransaction {
    mutating func change(
        _ change: Change, by: String, _ rows: Rows
    ) throws -> ChangeOutcome {
        switch change {
        case .remove(let prefix, let ifVersion):
            return try remove(prefix, ifVersion, by: by, rows)
        case .rename(let from, let to):
            return try rename(from, to, by: by, rows)
        case .copy(let from, let to):
            return try copy(from, to, by: by, rows)
        case .revert(let name, let version):
            guard let current = try rows.entry(name) else { throw nothing(under: name) }
            guard let old = try rows.version(version, of: current), old.kind != .removed else {
                throw VaultError(.notFound, "'\(name)' has no version \(version) to go back to.", name: name)
            }
            if current.entry.kind != .removed, current.entry.version == version {
                return ChangeOutcome(count: 0, entry: current.entry)
            }
            let room = current.entry.kind == .removed ? try room(for: name, rows) : nil
            try makeRoom(records: CommitCost.save(name, old.tags), for: name, rows)
            if let room { try take(room, by: by, rows) }
            let version = try nextVersion(of: name, after: current.entry, rows)
            let entry = try record(old.again(as: name, version: version, by: by), rows)
            return ChangeOutcome(count: 1, entry: entry)
        case .tag(let name, let tags):
            guard let current = try rows.entry(name)?.entry, current.kind != .removed else {
                throw nothing(under: name)
            }
            if tags[.changed] != nil { throw VaultError.reservedTag(name) }
            var changed = current
            for (key, value) in tags { changed.tags[key] = value }
            if let problem = changed.tags.problem(of: name) { throw problem }
            if changed.tags == current.tags { return ChangeOutcome(count: 0, entry: current) }
            try makeRoom(records: CommitCost.save(name, changed.tags), for: name, rows)
            let version = try nextVersion(of: name, after: current, rows)
            let entry = try record(changed.again(as: name, version: version, by: by), isTold: false, rows)
            return ChangeOutcome(count: 1, entry: entry)
        }
    }

    /// Whether what a change takes content from, or takes away, is not what was there at a sequence. That less is there
    /// matters to nobody.
    func hasMoved(_ change: Change, since sequence: UInt64, _ rows: Rows) throws -> Bool {
        switch change {
        case .remove(let prefix, _): try rows.hasMoved(prefix, since: sequence)
        case .rename(let from, _), .copy(let from, _): try rows.hasMoved(NamePrefix(from), since: sequence)
        // An earlier version stays what it is, unless the name is another object's by now.
        case .revert(let name, _): try rows.entry(name).map { $0.since > sequence } ?? false
        case .tag: false
        }
    }

    private func nothing(under name: Name) -> VaultError {
        VaultError(.notFound, "The vault holds nothing under '\(name)'.", name: name)
    }

    private mutating func remove(
        _ prefix: NamePrefix, _ ifVersion: UInt64?, by: String, _ rows: Rows
    ) throws -> ChangeOutcome {
        if let top = prefix.top, let ifVersion {
            try CommitTransaction.check(ifVersion, rows.entry(top), top)
        }
        let survey = try survey(prefix, rows)
        guard survey.count > 0 else {
            guard let top = prefix.top else { return ChangeOutcome(count: 0, entry: nil) }
            throw nothing(under: top)
        }
        try makeRoom(
            records: CommitCost.removal(survey.count, nameBytes: survey.nameBytes), for: prefix.top, isMakingRoom: true,
            rows)
        var last: Entry?
        var names = LiveNames(prefix, survey)
        while let page = try next(of: &names, rows) {
            try rows.foresee(page.map(\.name))
            for entry in page { last = try record(removal(of: entry, by: by, rows), rows) }
        }
        directories = []
        return ChangeOutcome(count: survey.count, entry: survey.count == 1 ? last : nil)
    }

    private mutating func rename(
        _ from: Name, _ to: Name, by: String, _ rows: Rows
    ) throws -> ChangeOutcome {
        let survey = try survey(NamePrefix(from), rows) {
            _ = try CommitTransaction.target(of: $0.name, from: from, to: to)
        }
        guard let first = survey.first else { throw nothing(under: from) }
        let room = try room(forTarget: to, from: from, rows)
        let nameBytes = survey.nameBytes + survey.count * to.bytes.count
        try makeRoom(records: CommitCost.rename(survey.count, nameBytes: nameBytes), for: to, rows)
        try take(room, by: by, rows)
        try record(.rename(from: from, to: to, isPrefix: first.name != from), rows)
        if isTelling {
            // Nothing else is current there.
            var names = LiveNames(NamePrefix(to))
            while let page = try next(of: &names, rows) {
                for entry in page {
                    let former = try CommitTransaction.target(of: entry.name, from: to, to: from)
                    try tell(.rename, entry.name, formerName: former, version: entry.version, rows)
                }
            }
        }
        directories = []
        return ChangeOutcome(count: survey.count, entry: try rows.entry(to)?.entry)
    }

    private mutating func copy(
        _ from: Name, _ to: Name, by: String, _ rows: Rows
    ) throws -> ChangeOutcome {
        let survey = try survey(NamePrefix(from), rows) {
            _ = try CommitTransaction.target(of: $0.name, from: from, to: to)
        }
        guard survey.count > 0 else { throw nothing(under: from) }
        let room = try room(forTarget: to, from: from, rows)
        let nameBytes = survey.nameBytes + survey.count * to.bytes.count
        let cost = CommitCost.copy(survey.count, nameBytes: nameBytes, tagBytes: survey.tagBytes)
        try makeRoom(records: cost, for: to, rows)
        try take(room, by: by, rows)
        var last: Entry?
        var names = LiveNames(NamePrefix(from), survey)
        while let page = try next(of: &names, rows) {
            let targets = try page.map { try CommitTransaction.target(of: $0.name, from: from, to: to) }
            try rows.foresee(targets)
            for (entry, target) in zip(page, targets) {
                let before = try rows.entry(target)?.entry
                let version = try nextVersion(of: target, after: before, rows)
                last = try record(entry.again(as: target, version: version, by: by), rows)
            }
        }
        return ChangeOutcome(count: survey.count, entry: survey.count == 1 ? last : nil)
    }

    /// Adds tags of hooks to what a change has brought.
    mutating func tag(_ change: Change, _ tags: JudgedTags, by caller: Caller, _ rows: Rows) throws {
        guard let target = change.target else { return }
        var names = LiveNames(target)
        while let page = try next(of: &names, rows) {
            for entry in page {
                guard let tags = tags[entry.name] else { continue }
                // What cannot be tagged so is as it was without the hook.
                _ = try apply(.change(.tag(entry.name, tags)), by: caller, rows)
            }
        }
    }

    // MARK: Prefixes

    /// Looks at all that a change of a prefix is about, before it changes anything.
    ///
    /// - Parameter check: throws what refuses the change because of an entry.
    /// - Throws: `invalid` for more names than one request may change.
    private mutating func survey(
        _ prefix: NamePrefix, _ rows: Rows, _ check: (Entry) throws -> Void = { _ in }
    ) throws -> LiveNames.Survey {
        var survey = LiveNames.Survey()
        var names = LiveNames(prefix)
        while let page = try next(of: &names, rows) {
            survey.add(page)
            guard callNames + survey.count <= StoreLimits.namesPerChangeMax else {
                throw VaultError.tooMuch("\(StoreLimits.namesPerChangeMax) names", prefix)
            }
            guard callBytes + survey.bytes <= StoreLimits.nameBytesPerChangeMax else {
                throw VaultError.tooMuch("\(StoreLimits.nameBytesPerChangeMax >> 20) MiB of names and tags", prefix)
            }
            for entry in page { try check(entry) }
        }
        callNames += survey.count
        callBytes += survey.bytes
        return survey
    }

    private func next(of names: inout LiveNames, _ rows: Rows) throws -> [Entry]? {
        let page = try names.next(rows)
        if names.isLong { try pause() }
        return page
    }

    private func room(forTarget to: Name, from: Name, _ rows: Rows) throws -> Room {
        if NamePrefix(from).contains(to) || NamePrefix(to).contains(from) {
            throw VaultError(.invalid, "'\(from)' and '\(to)' contain one another.", name: to)
        }
        if let there = try rows.entry(to)?.entry, there.kind != .removed {
            throw VaultError(.exists, "'\(to)' exists already.", name: to)
        }
        return try room(for: to, rows)
    }

    private static func target(of name: Name, from: Name, to: Name) throws -> Name {
        try Name(to.bytes + name.bytes.dropFirst(from.bytes.count))
    }
}

extension Change {
    /// Where it brings content; nil for one that brings none.
    fileprivate var target: NamePrefix? {
        switch self {
        case .rename(_, let to), .copy(_, let to): NamePrefix(to)
        case .revert(let name, _): NamePrefix(name)
        case .remove, .tag: nil
        }
    }
}

extension Entry {
    /// This version again, as a new one.
    fileprivate func again(as name: Name, version: UInt64, by: String) -> SavedVersion {
        SavedVersion(
            name: name, kind: kind, version: version, content: content, attributes: attributes, savedBy: by,
            tags: tags)
    }
}

extension VaultError {
    fileprivate static func tooMuch(_ bound: String, _ prefix: NamePrefix) -> VaultError {
        let place = prefix.top.map { "under '\($0)'" } ?? "in the vault"
        return VaultError(
            .invalid, "More than \(bound) \(place) would be changed at once: take a smaller prefix at a time.",
            name: prefix.top)
    }
}
