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
            if current.entry.kind == .removed { try take(room(for: name, rows), by: by, rows) }
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
            let version = try nextVersion(of: name, after: current, rows)
            let entry = try record(changed.again(as: name, version: version, by: by), isTold: false, rows)
            return ChangeOutcome(count: 1, entry: entry)
        }
    }

    /// Whether what a change takes content from, or takes away, is not what was there at a sequence. That less is there
    /// matters to nobody.
    func hasMoved(_ change: Change, since sequence: UInt64, _ rows: Rows) throws -> Bool {
        let sources: [StoredVersion]
        switch change {
        case .remove(let prefix, _): sources = try rows.live(prefix)
        case .rename(let from, _), .copy(let from, _): sources = try rows.live(NamePrefix(from))
        // An earlier version stays what it is, unless the name is another object's by now.
        case .revert(let name, _): return try rows.entry(name).map { $0.since > sequence } ?? false
        case .tag: return false
        }
        return sources.contains { $0.since > sequence || $0.entry.sequence > sequence }
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
        let removed = try rows.live(prefix).map(\.entry)
        guard !removed.isEmpty else {
            guard let top = prefix.top else { return ChangeOutcome(count: 0, entry: nil) }
            throw nothing(under: top)
        }
        var last: Entry?
        for entry in removed { last = try record(removal(of: entry, by: by, rows), rows) }
        directories = []
        return ChangeOutcome(count: removed.count, entry: removed.count == 1 ? last : nil)
    }

    private mutating func rename(
        _ from: Name, _ to: Name, by: String, _ rows: Rows
    ) throws -> ChangeOutcome {
        let moved = try rows.live(NamePrefix(from)).map(\.entry)
        guard !moved.isEmpty else { throw nothing(under: from) }
        let room = try room(forTarget: to, from: from, rows)
        for entry in moved { _ = try target(of: entry.name, from: from, to: to) }
        try take(room, by: by, rows)
        try record(.rename(from: from, to: to, isPrefix: moved[0].name != from), rows)
        for entry in moved {
            let target = try target(of: entry.name, from: from, to: to)
            try tell(.rename, target, formerName: entry.name, version: entry.version, rows)
        }
        directories = []
        return ChangeOutcome(
            count: moved.count, entry: try rows.entry(to)?.entry)
    }

    private mutating func copy(
        _ from: Name, _ to: Name, by: String, _ rows: Rows
    ) throws -> ChangeOutcome {
        let copied = try rows.live(NamePrefix(from)).map(\.entry)
        guard !copied.isEmpty else { throw nothing(under: from) }
        // A copy of a copy and so on grows beyond all bounds, and is in memory until it is committed.
        guard copiedNames + copied.count <= StoreLimits.copiedNamesMax else {
            throw VaultError(
                .invalid, "More than \(StoreLimits.copiedNamesMax) names are copied at once: copy '\(from)' in parts.",
                name: from)
        }
        copiedNames += copied.count
        let room = try room(forTarget: to, from: from, rows)
        let targets = try copied.map { try target(of: $0.name, from: from, to: to) }
        try take(room, by: by, rows)
        var last: Entry?
        try rows.foresee(targets)
        for (entry, target) in zip(copied, targets) {
            let before = try rows.entry(target)?.entry
            let version = try nextVersion(of: target, after: before, rows)
            last = try record(entry.again(as: target, version: version, by: by), rows)
        }
        return ChangeOutcome(count: copied.count, entry: copied.count == 1 ? last : nil)
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

    private func target(of name: Name, from: Name, to: Name) throws -> Name {
        try Name(to.bytes + name.bytes.dropFirst(from.bytes.count))
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
