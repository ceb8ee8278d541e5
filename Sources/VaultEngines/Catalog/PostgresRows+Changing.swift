import VaultModel
import VaultStore

/// What a commit changes, and how the database is told of it.
extension PostgresRows {
    func apply(_ change: JournalChange, sequence: UInt64, time: Int64, pausing: () throws -> Void) throws {
        switch change {
        case .save(let saved):
            if !drops.isEmpty { try send() }
            try apply(saved, sequence: sequence, time: time)
        case .rename(let from, let to, let isPrefix):
            try rename(from, to, isPrefix: isPrefix, sequence: sequence)
        case .drop(let object, let versions):
            if !changed.isEmpty { try send() }
            drops += versions.map { Drop(object: object, version: $0, sequence: sequence) }
            if drops.count >= EngineLimits.dropsSentMax { try send() }
        case .settle(let name, let modified):
            if !drops.isEmpty { try send() }
            guard var current = try entry(name) else { return }
            current.entry.tags[.changed] = nil
            current.entry.attributes.modified = modified
            entries[name] = .some(current)
            changed.insert(name)
        }
    }

    func apply(_ saved: SavedVersion, sequence: UInt64, time: Int64) throws {
        let entry = Entry(
            name: saved.name, kind: saved.kind, content: saved.content, version: saved.version, sequence: sequence,
            attributes: saved.attributes, savedAt: time, savedBy: saved.savedBy, tags: saved.tags)
        if let current = try self.entry(saved.name) {
            superseded.append((current, sequence))
            entries[saved.name] = StoredVersion(object: current.object, since: current.since, entry: entry)
        } else {
            entries[saved.name] = StoredVersion(object: sequence, since: sequence, entry: entry)
        }
        changed.insert(saved.name)
        // A change of very many names is told in parts.
        if changed.count >= EngineLimits.rowsSentMax { try send() }
        if saved.kind == .removed {
            thinned.formUnion(saved.name.ancestors)
        } else {
            filled.formUnion(saved.name.ancestors)
        }
    }

    func setOrigin(_ origin: Attributes.Origin, of name: Name) throws {
        guard var current = try entry(name) else { return }
        current.entry.attributes.origin = origin
        entries[name] = .some(current)
        changed.insert(name)
    }

    func end(_ upload: UploadID) { ended.append(upload) }
    func insert(_ event: OutboxEvent) { events.append(event) }
    func insert(_ record: AuditRecord) { records.append(record) }

    func keep(_ answer: StoredAnswer, to change: UniqueID, of user: String, at time: Int64) {
        let key = AnswerKey(user: user, change: change)
        answers[key] = (answer, time)
        kept.append((answer, key, time))
    }

    func rename(_ from: Name, _ to: Name, isPrefix: Bool, sequence: UInt64) throws {
        queueChanges()
        let head = PostgresSchema.head("name")
        let isMoved =
            isPrefix ? "kind <> 4 AND \(PostgresRows.isBelow)" : "\(head) = \(PostgresSchema.head("$2")) AND name = $2"
        let target = """
            (SELECT $4 || substr(name, $5::integer) AS name FROM entry WHERE vault = $1 AND \(isMoved)) AS target
            JOIN entry AS leaving ON leaving.vault = $1 AND leaving.name = target.name
            AND \(PostgresSchema.head("leaving.name")) = \(PostgresSchema.head("target.name"))
            """
        let values: [PostgresValue] = [
            vault, .bytes(isPrefix ? from.firstBelow : from.bytes), .bytes(isPrefix ? from.behindBelow : from.bytes),
            .bytes(to.bytes), .int(Int64(from.bytes.count + 1)), .int(sequence),
        ]
        func change(_ sql: String) { outgoing.append(PostgresQuery(sql, values)) }
        // A removed object that has the new name loses it; what is moved leaves the old one.
        for leaving in [target, "entry AS leaving WHERE vault = $1 AND \(isMoved)"] {
            change(
                """
                INSERT INTO former_name (vault, object, since, until, name)
                SELECT $1, leaving.object, leaving.since, $6, leaving.name FROM \(leaving)
                """)
            change(
                """
                INSERT INTO retired_name (vault, name, last_version)
                SELECT $1, leaving.name, leaving.version FROM \(leaving) \(PostgresRows.keepingLastVersion)
                """)
        }
        change("UPDATE entry SET name = NULL WHERE vault = $1 AND object IN (SELECT leaving.object FROM \(target))")
        change("UPDATE entry SET name = $4 || substr(name, $5::integer), since = $6 WHERE vault = $1 AND \(isMoved)")
        try send()
        forget()
    }

    static let keepingLastVersion = """
        ON CONFLICT (vault, sha256(name))
        DO UPDATE SET last_version = greatest(retired_name.last_version, excluded.last_version)
        """

    /// Forgets what was looked up, since much has changed.
    func forget() {
        (entries, retired, below, filled, thinned) = ([:], [:], [:], [], [])
    }

    // MARK: Sending

    /// Tells the database what has been changed.
    func send() throws {
        queueChanges()
        if outgoing.isEmpty { return }
        defer { outgoing = [] }
        try connection.run(outgoing)
    }

    func queueChanges() {
        queueVersions()
        queueEntries()
        queueDrops()
        if !events.isEmpty { outgoing.append(catalog.inserting(events)) }
        events = []
    }

    func queueVersions() {
        if superseded.isEmpty { return }
        let entries = superseded.map(\.version.entry)
        outgoing.append(
            PostgresQuery(
                """
                INSERT INTO version (vault, object, until, \(PostgresSchema.versionColumns))
                SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
                """,
                [vault, .ints(superseded.map(\.version.object)), .ints(superseded.map(\.until))]
                    + PostgresCatalog.columns(entries)))
        superseded = []
    }

    func queueEntries() {
        if changed.isEmpty { return }
        let versions = changed.sorted().compactMap { entries[$0] ?? nil }
        let columns = PostgresSchema.versionColumns
        let updates = columns.split(separator: ", ").map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
        outgoing.append(
            PostgresQuery(
                """
                INSERT INTO entry (vault, object, since, name, \(columns))
                SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
                ON CONFLICT (vault, object) DO UPDATE SET \(updates)
                """,
                [
                    vault, .ints(versions.map(\.object)), .ints(versions.map(\.since)),
                    .bytes(versions.map { Optional($0.entry.name.bytes) }),
                ] + PostgresCatalog.columns(versions.map(\.entry))))
        changed = []
    }

    func queueDrops() {
        if drops.isEmpty { return }
        // The rows of an object are ordered by sequence: where many versions go, they are gone through once.
        var few: [Drop] = []
        for (object, drops) in Dictionary(grouping: drops, by: \.object) {
            if drops.count > PostgresRows.dropsMin { queue(drops, of: object) } else { few += drops }
        }
        func change(_ drops: [Drop], _ sql: String) {
            outgoing.append(
                PostgresQuery(
                    sql,
                    [
                        vault, .ints(drops.map(\.object)), .ints(drops.map(\.version)), .ints(drops.map(\.sequence)),
                    ]))
        }
        let dropped = "unnest($2, $3, $4) AS dropped (number, which, at)"
        let isDropped = { (table: String) in
            "\(table).vault = $1 AND \(table).object = dropped.number AND \(table).version = dropped.which"
        }
        for (table, drops) in [("version", few), ("entry", drops)] {
            change(
                drops,
                """
                INSERT INTO dropped (vault, sequence, depth, root)
                SELECT $1, dropped.at, \(table).depth, \(table).root
                FROM \(dropped) JOIN \(table) ON \(isDropped(table)) AND size > 0
                """)
        }
        change(few, "DELETE FROM version USING \(dropped) WHERE \(isDropped("version"))")
        // An object whose current version is a removal and dropped is forgotten.
        change(
            drops,
            """
            INSERT INTO retired_name (vault, name, last_version) SELECT $1, name, version
            FROM \(dropped) JOIN entry ON \(isDropped("entry")) AND kind = 4 AND name IS NOT NULL
            \(PostgresRows.keepingLastVersion)
            """)
        change(
            drops,
            """
            DELETE FROM former_name USING \(dropped) JOIN entry ON \(isDropped("entry")) AND kind = 4
            WHERE former_name.vault = $1 AND former_name.object = dropped.number
            """)
        change(drops, "DELETE FROM entry USING \(dropped) WHERE \(isDropped("entry")) AND kind = 4")
        drops = []
        forget()
    }

    /// So many versions of one object that are dropped by a statement of their own.
    private static let dropsMin = 32

    private func queue(_ drops: [Drop], of object: UInt64) {
        let values: [PostgresValue] = [vault, .int(object), .ints(drops.map(\.version))]
        let isDropped = "vault = $1 AND object = $2 AND version = ANY ($3)"
        outgoing.append(
            PostgresQuery(
                """
                INSERT INTO dropped (vault, sequence, depth, root)
                SELECT $1, $4, depth, root FROM version WHERE \(isDropped) AND size > 0
                """, values + [.int(drops.map(\.sequence).max() ?? 0)]))
        outgoing.append(PostgresQuery("DELETE FROM version WHERE \(isDropped)", values))
    }

    /// Sends all that is left.
    func finish(
        _ stored: [ReceivedChunk], _ groups: [StoredGroup], settled: UInt64, recordBytes: UInt64, sequence: UInt64
    ) throws {
        queueChanges()
        outgoing += catalog.ending(ended)
        if !stored.isEmpty, found?.usage.pendingBytes ?? 0 > 0 { outgoing.append(catalog.settling(stored)) }
        outgoing += catalog.inserting(stored)
        if !groups.isEmpty { outgoing += catalog.inserting(groups) }
        if !records.isEmpty { outgoing.append(catalog.inserting(records)) }
        queueAnswers()
        let head = groups.last
        let times = groups.map(\.time)
        let setbacks = zip(times, times.dropFirst()).reduce(0) { $0 + ($1.1 < $1.0 ? 1 : 0) }
        outgoing.append(
            PostgresQuery(
                """
                UPDATE vault SET sequence = $2, stored_bytes = stored_bytes + $8,
                pending_bytes = greatest(0, pending_bytes - $8), catalog_bytes = catalog_bytes + $9, head_digest = coalesce($3, head_digest),
                head_time = coalesce($4, head_time), latest_time = greatest(latest_time, $5::bigint),
                setbacks = setbacks + $7 + CASE WHEN $6::bigint < latest_time THEN 1 ELSE 0 END WHERE number = $1
                """,
                [
                    vault, .int(sequence), .bytes(head?.digest.bytes), .int(head?.time), .int(times.max()),
                    .int(times.min()), .int(Int64(setbacks)), .int(settled), .int(recordBytes),
                ]))
        defer { outgoing = [] }
        try connection.run(outgoing)
    }

    /// Ends the transaction.
    func commit() throws { try connection.run([PostgresQuery("COMMIT")]) }

    func queueAnswers() {
        guard let time = kept.map(\.time).max() else { return }
        // Of one change answered twice in a commit, the last answer counts.
        let answers = Dictionary(kept.map { ($0.key, $0) }, uniquingKeysWith: { $1 }).values
        outgoing.append(
            PostgresQuery(
                """
                INSERT INTO answer (vault, id, owner, at, answer) SELECT $1, * FROM unnest($2, $3, $4, $5)
                ON CONFLICT (vault, id, owner) DO UPDATE SET at = excluded.at, answer = excluded.answer
                """,
                [
                    vault, .bytes(answers.map { Optional($0.key.change.bytes) }), .texts(answers.map(\.key.user)),
                    .ints(answers.map { Optional($0.time) }), .bytes(answers.map { Optional($0.answer.encoded) }),
                ]))
        outgoing.append(
            PostgresQuery(
                """
                DELETE FROM answer WHERE vault = $1 AND (id, owner) IN (
                  SELECT id, owner FROM answer WHERE vault = $1
                  AND (at < (SELECT max(at) FROM answer WHERE vault = $1 AND at <= $2) - $3 OR at > $4)
                  ORDER BY at LIMIT $5)
                """,
                [
                    vault, .int(time - StoreLimits.confirmedSeconds), .int(StoreLimits.answerSeconds),
                    .int(time + StoreLimits.answerSeconds), .int(Int64(StoreLimits.answersRemovedMax * answers.count)),
                ]))
        kept = []
    }
}
