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

    package func history(_ name: Name, after sequence: UInt64) async throws(VaultError) -> VersionPage {
        try await read { connection in
            guard let stored = try current([name], connection)[name] else {
                throw VaultError(.notFound, "The vault has no version of '\(name)'.", name: name)
            }
            let pages = try versionPages(
                of: [stored], after: sequence, until: .max, count: EngineLimits.versionsPerPage, connection)
            return pages[0]
        }
    }

    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        try await read { connection in
            let sequence = try sequence(of: query.selector, connection)
            var listing = PostgresListing(query, sequence: sequence, self, connection)
            return try listing.page()
        }
    }

    package func isAny(of prefixes: [NamePrefix], widerThan count: Int) async throws(VaultError) -> Bool {
        if prefixes.isEmpty { return false }
        let ranges = prefixes.map { PostgresRows.range(of: $0, after: nil) }
        return try await ask(
            """
            SELECT 1 FROM unnest($2, $3) AS asked (first, last), LATERAL (
              SELECT 1 FROM entry WHERE vault = $1 AND \(PostgresSchema.head("name")) >= \(PostgresSchema.head("first"))
              AND \(PostgresSchema.head("name")) <= \(PostgresSchema.head("last"))
              AND name > first AND name < last AND kind <> 4 OFFSET $4 LIMIT 1) AS found LIMIT 1
            """,
            [
                vaultValue, .bytes(ranges.map { Optional($0.start) }), .bytes(ranges.map { Optional($0.end) }),
                .int(Int64(count)),
            ]
        ) { $0.count > 0 }
    }

    package func objects(
        _ prefix: NamePrefix, afterObject: UInt64, limit: Int
    ) async throws(VaultError) -> [ObjectHistory] {
        try await read { connection in
            let rows = try connection.run(
                """
                SELECT object, version, sequence, saved_at, kind, coalesce(name, ''), name IS NULL
                FROM entry WHERE vault = $1 AND object > $2 ORDER BY object LIMIT $3
                """, [vaultValue, .int(afterObject), .int(Int64(limit))])
            var histories = try rows.rows.map { row in
                ObjectHistory(
                    object: row.unsigned(0), name: row.bool(6) ? nil : try row.name(5),
                    versions: [PostgresCatalog.candidate(row)])
            }
            let isCovered = { (history: ObjectHistory) in
                history.name.map { prefix.contains($0) } ?? (prefix.top == nil)
            }
            let earlier = try candidates(of: histories.filter(isCovered).map(\.object), connection)
            histories.removeAll { $0.object > earlier.last }
            for index in histories.indices {
                let isCovered = isCovered(histories[index])
                histories[index].versions =
                    isCovered
                    ? earlier.versions[histories[index].object, default: []] + histories[index].versions : []
            }
            return histories
        }
    }

    /// The earlier versions of objects, oldest first.
    ///
    /// - Returns: the versions by object, and the last object for which they are all: where there are very many, those of
    ///   the first objects only.
    private func candidates(
        of objects: [UInt64], _ connection: PostgresConnection
    ) throws -> (versions: [UInt64: [KeepPolicy.Candidate]], last: UInt64) {
        func find(_ objects: [UInt64], limit: Int64) throws -> PostgresResult {
            try connection.run(
                """
                SELECT found.* FROM unnest($2) AS asked (which), LATERAL (
                  SELECT object, version, sequence, saved_at, kind FROM version
                  WHERE vault = $1 AND object = which OFFSET 0) AS found ORDER BY object, sequence LIMIT $3
                """, [vaultValue, .ints(objects), .int(limit)])
        }
        var found = try find(objects, limit: Int64(StoreLimits.consideredVersionsMax))
        var last = UInt64(Int64.max)
        if found.count == StoreLimits.consideredVersionsMax, let first = found.first?.unsigned(0) {
            // Of the last object there may be more.
            let cut = found.rows.reduce(first) { max($0, $1.unsigned(0)) }
            last = max(first, cut - 1)
            if cut == first { found = try find([first], limit: .max) }
        }
        var versions: [UInt64: [KeepPolicy.Candidate]] = [:]
        for row in found.rows where row.unsigned(0) <= last {
            versions[row.unsigned(0), default: []].append(PostgresCatalog.candidate(row))
        }
        return (versions, last)
    }

    /// Reads the columns `object, version, sequence, saved_at, kind`.
    private static func candidate(_ row: PostgresRow) -> KeepPolicy.Candidate {
        KeepPolicy.Candidate(
            version: row.unsigned(1), sequence: row.unsigned(2), savedAt: row.int(3),
            isRemoval: row.int(4) == Int64(Entry.Kind.removed.rawValue))
    }

    package func thinnedNames(of objects: [UInt64]) async throws(VaultError) -> [UInt64: ThinnedName] {
        if objects.isEmpty { return [:] }
        return try await read { connection in
            let results = try connection.run([
                PostgresQuery(
                    "SELECT object, name FROM former_name WHERE vault = $1 AND object = ANY($2) ORDER BY until",
                    [vaultValue, .ints(objects)]),
                PostgresQuery(
                    """
                    SELECT object, since, coalesce(name, ''), \(PostgresSchema.versionColumns), name IS NULL
                    FROM entry WHERE vault = $1 AND object = ANY($2)
                    """, [vaultValue, .ints(objects)]),
            ])
            var former: [UInt64: Name] = [:]
            for row in results[0].rows { former[row.unsigned(0)] = try row.name(1) }
            var found: [UInt64: ThinnedName] = [:]
            for row in results[1].rows {
                let isTaken = row.bool(17)
                guard let name = isTaken ? former[row.unsigned(0)] : try row.name(2) else { continue }
                let stored = try PostgresCatalog.storedVersion(row, name: name)
                found[stored.object] = ThinnedName(newest: stored.entry, isTaken: isTaken)
            }
            let removed = found.filter { $0.value.newest.kind == .removed }.map(\.key)
            let earlier = try versions(
                of: removed, where: "kind <> 4 ORDER BY sequence DESC LIMIT 1", [], on: connection)
            for version in earlier {
                guard let thinned = found[version.object] else { continue }
                found[version.object]?.newest = version.entry(thinned.newest.name)
            }
            return found
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

    /// Versions of objects up to a sequence, the oldest first.
    ///
    /// - Parameters:
    ///   - after: only those with greater sequence numbers.
    ///   - count: how many earlier versions of each there are on its page.
    fileprivate func versionPages(
        of stored: [StoredVersion], after: UInt64, until sequence: UInt64, count: Int, _ connection: PostgresConnection
    ) throws -> [VersionPage] {
        let (after, until) = (min(after, UInt64(Int64.max)), min(sequence, UInt64(Int64.max)))
        let earlier = Dictionary(
            grouping: try versions(
                of: stored.map(\.object), where: "sequence > $3 AND sequence <= $4 ORDER BY sequence LIMIT $5",
                [.int(after), .int(until), .int(Int64(count))], on: connection), by: \.object)
        return stored.map { current in
            var page = VersionPage(
                entries: (earlier[current.object] ?? []).map { $0.entry(current.entry.name) }, isLast: true)
            page.isLast = page.entries.count < count
            if page.isLast, current.entry.sequence > after, current.entry.sequence <= sequence {
                page.entries.append(current.entry)
            }
            return page
        }
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
    private var entries: [Entry] = []
    /// Bytes of the entries, those included that the query's tags leave out, and the number of names that they are of.
    private var seen = (bytes: 0, names: 0)

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

    private var isFull: Bool { entries.count >= query.limit || seen.bytes >= Limits.pageBytesMax }

    /// So many names that what is read of them at once is about as long as a page.
    private var step: Int {
        let bytes = max(seen.bytes / max(seen.names, 1), 1)
        let names = seen.names == 0 ? EngineLimits.listStepMin : Limits.pageBytesMax / bytes
        return min(max(names, EngineLimits.listStepMin), query.limit)
    }

    mutating func page() throws -> ListPage {
        var after = query.after
        if let name = query.after ?? query.prefix.top, query.after == nil || query.afterSequence != nil {
            // The top of the prefix, or the rest of the versions of the name at which the last page ended.
            if let cut = try add(candidates(named: name), behind: query.afterSequence ?? 0) { return cut }
        }
        while !isFull {
            if Task.isCancelled { throw CancellationError() }
            let wanted = step
            let names = try candidates(after: after, limit: wanted)
            after = names.last?.name ?? after
            if let cut = try add(names) { return cut }
            if names.count < wanted { return ListPage(entries: entries, next: nil) }
        }
        return ListPage(entries: entries, next: next(after: after ?? query.prefix.top))
    }

    /// The query for the next page.
    ///
    /// - Parameter behind: the sequence number behind which it goes on with the versions of the name; nil for the next name.
    private func next(after name: Name?, _ behind: UInt64? = nil) -> ListQuery {
        var next = query
        next.selector = .sequence(sequence)
        (next.after, next.afterSequence) = (name, behind)
        return next
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

    /// Adds what candidates held at the snapshot, or their versions up to it.
    ///
    /// - Parameter after: only versions with greater sequence numbers.
    /// - Returns: the page, where it ends within the versions of a name; nil where all are added.
    private mutating func add(_ candidates: [Candidate], behind after: UInt64 = 0) throws -> ListPage? {
        let pages: [VersionPage]
        if query.includesVersions {
            let isAlone = candidates.count == 1
            pages = try catalog.versionPages(
                of: candidates.map(\.current), after: after, until: sequence,
                count: isAlone ? EngineLimits.versionsPerPage : EngineLimits.versionsPerName, connection)
        } else {
            pages = try current(candidates).map { VersionPage(entries: $0.map { [$0] } ?? [], isLast: true) }
        }
        seen.names += candidates.count
        for (candidate, page) in zip(candidates, pages) {
            seen.bytes += page.entries.reduce(0) { $0 + $1.memoryBytes }
            entries += page.entries.filter { entry in query.tags.allSatisfy { entry.tags[$0.key] == $0.value } }
            if !page.isLast {
                return ListPage(entries: entries, next: next(after: candidate.name, page.entries.last?.sequence))
            }
        }
        return nil
    }

    /// The entries of candidates at the snapshot; nil for one that held nothing.
    private func current(_ candidates: [Candidate]) throws -> [Entry?] {
        let old = candidates.filter { $0.current.entry.sequence > sequence }.map(\.current.object)
        let earlier =
            old.isEmpty
            ? []
            : try catalog.versions(
                of: old, where: "sequence <= $3 AND until > $3", [.int(sequence)], on: connection)
        let byObject = Dictionary(earlier.map { ($0.object, $0.entry) }) { $1 }
        return candidates.map { candidate in
            let isCurrent = candidate.current.entry.sequence <= sequence
            let entry = isCurrent ? candidate.current.entry : byObject[candidate.current.object]?(candidate.name)
            return entry.flatMap { $0.kind == .removed ? nil : $0 }
        }
    }
}
