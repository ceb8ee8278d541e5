package import VaultModel
package import VaultStore

extension PostgresCatalog {
    package func stat(_ names: [(Name, Selector)]) async throws(VaultError) -> [Entry?] {
        if names.isEmpty { return [] }
        if names.allSatisfy({ $0.1 == .current }) {
            let found = try await pool.with { connection in
                try current(names.map(\.0), connection).mapValues(\.entry)
            }
            return names.map { name, _ in found[name].flatMap { $0.kind == .removed ? nil : $0 } }
        }
        return try await read { connection in
            let current = try current(names.map(\.0), connection)
            return try names.map { name, selector in
                let found: Entry?
                switch selector {
                case .current: found = current[name]?.entry
                case .version(let number):
                    found = try current[name].flatMap { try version(number, of: $0, connection) }
                case .time, .sequence:
                    found = try entry(of: name, at: sequence(of: selector, connection), connection)
                }
                return found?.kind == .removed ? nil : found
            }
        }
    }

    package func history(_ name: Name) async throws(VaultError) -> [Entry] {
        try await read { connection in
            guard let stored = try current([name], connection)[name] else {
                throw VaultError(.notFound, "The vault has no version of '\(name)'.", name: name)
            }
            return try versions(of: [stored.object], on: connection).map { $0.entry(name) } + [stored.entry]
        }
    }

    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        try await read { connection in
            let sequence = try sequence(of: query.selector, connection)
            return try PostgresListing(query, sequence: sequence, self, connection).page()
        }
    }

    package func objects(
        _ prefix: NamePrefix, afterObject: UInt64, limit: Int
    ) async throws(VaultError) -> [ObjectHistory] {
        try await read { connection in
            let rows = try connection.run(
                """
                SELECT object, since, coalesce(name, ''), \(PostgresSchema.versionColumns), name IS NULL
                FROM entry WHERE vault = $1 AND object > $2 ORDER BY object LIMIT $3
                """, [vaultValue, .int(afterObject), .int(Int64(limit))])
            let stored = try rows.rows.map { row in
                (version: try PostgresCatalog.storedVersion(row), isUnnamed: row.bool(17))
            }
            let covered = stored.filter { stored in
                stored.isUnnamed ? prefix.top == nil : prefix.contains(stored.version.entry.name)
            }
            let earlier = Dictionary(
                grouping: try versions(of: covered.map(\.version.object), on: connection), by: \.object)
            let isCovered = Set(covered.map(\.version.object))
            return stored.map { stored in
                let (object, entry) = (stored.version.object, stored.version.entry)
                let versions = (earlier[object] ?? []).map { $0.entry(entry.name) } + [entry]
                return ObjectHistory(
                    object: object, name: stored.isUnnamed ? nil : entry.name,
                    versions: isCovered.contains(object)
                        ? versions.map { version in
                            KeepPolicy.Candidate(
                                version: version.version, sequence: version.sequence, savedAt: version.savedAt,
                                isRemoval: version.kind == .removed)
                        } : [])
            }
        }
    }

    // MARK: Parts of queries

    /// What names hold now, removals included.
    private func current(_ names: [Name], _ connection: PostgresConnection) throws -> [Name: StoredVersion] {
        var found: [Name: StoredVersion] = [:]
        for row in try connection.run([entries(names)])[0].rows {
            let version = try PostgresCatalog.storedVersion(row)
            found[version.entry.name] = version
        }
        return found
    }

    private func version(
        _ number: UInt64, of current: StoredVersion, _ connection: PostgresConnection
    ) throws -> Entry? {
        if current.entry.version == number { return current.entry }
        return try versions(of: [current.object], where: "version = $3", [.int(number)], on: connection)
            .first?.entry(current.entry.name)
    }

    /// The last sequence of the state that a selector means.
    fileprivate func sequence(of selector: Selector, _ connection: PostgresConnection) throws -> UInt64 {
        switch selector {
        // PostgreSQL's numbers are signed.
        case .sequence(let sequence): return min(sequence, UInt64(Int64.max))
        case .current, .version:
            return try connection.run("SELECT sequence FROM vault WHERE number = $1", [vaultValue]).first?.unsigned(0)
                ?? 0
        case .time(let time): return try lastSequence(at: time, now: .max, connection)
        }
    }

    package func lastSequence(at time: Int64, now: Int64) async throws(VaultError) -> UInt64 {
        try await read { try lastSequence(at: time, now: now, $0) }
    }

    package func journalTimes(now: Int64) async throws(VaultError) -> JournalTimes? {
        try await read { try journalTimes(now: now, $0) }
    }

    private func journalTimes(now: Int64, _ connection: PostgresConnection) throws -> JournalTimes? {
        let row = try connection.run("SELECT setbacks, latest_time FROM vault WHERE number = $1", [vaultValue]).first
        if let row, row.int(0) == 0, row.int(1) <= now { return nil }
        let groups = try connection.run(
            "SELECT last_sequence, time FROM journal_group WHERE vault = $1 ORDER BY last_sequence", [vaultValue])
        var journal = JournalTimes()
        for group in groups.rows { journal.append(group.unsigned(0), group.int(1)) }
        return journal
    }

    private func lastSequence(at time: Int64, now: Int64, _ connection: PostgresConnection) throws -> UInt64 {
        if let journal = try journalTimes(now: now, connection) { return journal.lastSequence(at: time, now: now) }
        return try connection.run(
            """
            SELECT last_sequence FROM journal_group WHERE vault = $1 AND time <= $2
            ORDER BY time DESC, last_sequence DESC LIMIT 1
            """, [vaultValue, .int(time)]
        ).first?.unsigned(0) ?? 0
    }

    /// What `name` held at a sequence, a removal included.
    private func entry(of name: Name, at sequence: UInt64, _ connection: PostgresConnection) throws -> Entry? {
        let head = PostgresSchema.head("name")
        let isName = "vault = $1 AND \(head) = \(PostgresSchema.head("$2")) AND name = $2 AND since <= $3"
        let row = try connection.run(
            """
            SELECT object, since, NULL, \(PostgresSchema.versionColumns) FROM entry
            WHERE vault = $1 AND object = (
              SELECT object FROM entry WHERE \(isName)
              UNION ALL SELECT object FROM former_name WHERE \(isName) AND until > $3 LIMIT 1)
            """, [vaultValue, .bytes(name.bytes), .int(sequence)]
        ).first
        guard let row else { return nil }
        let current = try PostgresCatalog.storedVersion(row, name: name)
        if current.entry.sequence <= sequence { return current.entry }
        return try versions(
            of: [current.object], where: "sequence <= $3 AND until > $3", [.int(sequence)], on: connection
        ).first?.entry(name)
    }
}

/// Walks the names of one snapshot in their order, a page in a few statements.
private struct PostgresListing {
    private let query: ListQuery
    private let sequence: UInt64
    private let catalog: PostgresCatalog
    private let connection: PostgresConnection

    init(_ query: ListQuery, sequence: UInt64, _ catalog: PostgresCatalog, _ connection: PostgresConnection) {
        self.query = query
        self.sequence = sequence
        self.catalog = catalog
        self.connection = connection
    }

    /// A name with the object that had it, as that is now.
    private struct Candidate {
        var current: StoredVersion
        /// Whether the object has left the name since.
        var isFormer: Bool
        var name: Name { current.entry.name }
    }

    func page() throws -> ListPage {
        var entries: [Entry] = []
        var after = query.after
        if let top = query.prefix.top, after == nil {
            entries += try found(candidates(named: top))
        }
        while entries.count < query.limit {
            let wanted = query.limit - entries.count
            let names = try candidates(after: after, limit: wanted)
            after = names.last?.name ?? after
            entries += try found(names)
            if names.count < wanted { return ListPage(entries: entries, next: nil) }
        }
        var next = query
        next.selector = .sequence(sequence)
        next.after = after ?? query.prefix.top
        return ListPage(entries: entries, next: next)
    }

    private func candidates(named name: Name) throws -> [Candidate] {
        try candidates(
            "\(PostgresSchema.head("name")) = \(PostgresSchema.head("$3")) AND name = $3", [.bytes(name.bytes)],
            limit: 1)
    }

    /// The next names that are or were bound.
    private func candidates(after: Name?, limit: Int) throws -> [Candidate] {
        let head = PostgresSchema.head("name")
        var conditions = ["\(head) >= \(PostgresSchema.head("$3"))", "name > $3"]
        guard let top = query.prefix.top else {
            return try candidates(conditions.joined(separator: " AND "), [.bytes(after?.bytes ?? [])], limit: limit)
        }
        conditions += ["\(head) <= \(PostgresSchema.head("$4"))", "name < $4"]
        let floor = after.map { $0.bytes.lexicographicallyPrecedes(top.firstBelow) ? top.firstBelow : $0.bytes }
        return try candidates(
            conditions.joined(separator: " AND "), [.bytes(floor ?? top.firstBelow), .bytes(top.behindBelow)],
            limit: limit)
    }

    /// Present and former bindings of names merged.
    private func candidates(
        _ condition: String, _ values: [PostgresValue], limit: Int
    ) throws -> [Candidate] {
        let head = PostgresSchema.head("name")
        let values: [PostgresValue] = [catalog.vaultValue, .int(sequence)] + values + [.int(Int64(limit))]
        let columns = PostgresSchema.versionColumns.split(separator: ", ").map { "found.\($0)" }.joined(separator: ", ")
        let results = try connection.run([
            PostgresQuery(
                """
                SELECT \(PostgresCatalog.entryColumns) FROM entry WHERE vault = $1 AND \(condition) AND since <= $2
                ORDER BY \(head), name LIMIT $\(values.count)
                """, values),
            PostgresQuery(
                """
                SELECT found.object, found.since, bound.name, \(columns) FROM (
                  SELECT object, name FROM former_name WHERE vault = $1 AND \(condition) AND since <= $2 AND until > $2
                  ORDER BY \(head), name LIMIT $\(values.count)) AS bound,
                LATERAL (SELECT * FROM entry WHERE vault = $1 AND object = bound.object OFFSET 0) AS found
                """, values),
        ])
        let present = try results[0].rows.map {
            Candidate(current: try PostgresCatalog.storedVersion($0), isFormer: false)
        }
        let former = try results[1].rows.map {
            Candidate(current: try PostgresCatalog.storedVersion($0), isFormer: true)
        }
        if former.isEmpty { return present }
        return Array((present + former).sorted { $0.name < $1.name }.prefix(limit))
    }

    /// The entries of candidates at the snapshot.
    private func found(_ candidates: [Candidate]) throws -> [Entry] {
        let old =
            query.includesVersions
            ? candidates : candidates.filter { $0.current.entry.sequence > sequence }
        let objects = old.map(\.current.object)
        let earlier =
            objects.isEmpty
            ? []
            : query.includesVersions
                ? try catalog.versions(of: objects, where: "sequence <= $3", [.int(sequence)], on: connection)
                : try catalog.versions(
                    of: objects, where: "sequence <= $3 AND until > $3", [.int(sequence)], on: connection)
        let byObject = Dictionary(grouping: earlier, by: \.object)
        return candidates.flatMap { candidate in
            var versions = (byObject[candidate.current.object] ?? []).map { $0.entry(candidate.name) }
            if candidate.current.entry.sequence <= sequence { versions.append(candidate.current.entry) }
            return versions.filter { entry in
                (query.includesVersions || entry.kind != .removed)
                    && query.tags.allSatisfy { entry.tags[$0.key] == $0.value }
            }
        }
    }
}
