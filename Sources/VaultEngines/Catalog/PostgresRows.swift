import VaultModel
import VaultStore

/// The rows of one commit: what it will ask for is fetched at once, what it changes is sent at once.
///
/// Between the two, everything is decided in memory. What was not foreseen is asked for when it is needed, once what was
/// changed until then has been sent.
final class PostgresRows: CommitRows {
    private struct AnswerKey: Hashable {
        var user: String
        var change: UniqueID
    }

    private struct Drop {
        var object: UInt64
        var version: UInt64
        var sequence: UInt64
    }

    let connection: PostgresConnection
    let catalog: PostgresCatalog
    private var found: CommitState?

    // What the database holds, with what this commit has changed of it.
    private var entries: [Name: StoredVersion?] = [:]
    private var retired: [Name: UInt64] = [:]
    private var known: [Digest: Bool] = [:]
    private var disowned: Set<PackID> = []
    private var answers: [AnswerKey: (StoredAnswer, Int64)] = [:]
    /// Calls whose answers have been looked for.
    private var askedAnswers: Set<AnswerKey> = []
    /// Whether names had names below them when they were asked for.
    private var below: [Name: Bool] = [:]
    /// What has a name below it by what this commit has saved, or had one before it removed something.
    private var filled: Set<Name> = []
    private var thinned: Set<Name> = []

    // What the database has not been told.
    private var changed: Set<Name> = []
    private var superseded: [(version: StoredVersion, until: UInt64)] = []
    private var drops: [Drop] = []
    private var outgoing: [PostgresQuery] = []
    private var events: [OutboxEvent] = []
    private var records: [AuditRecord] = []
    private var kept: [(answer: StoredAnswer, key: AnswerKey, time: Int64)] = []
    private var ended: [UploadID] = []

    /// Begins a transaction and takes the vault's lock, with all that the calls can be expected to ask for.
    init(_ connection: PostgresConnection, _ catalog: PostgresCatalog, for calls: [CommitCall]) throws {
        self.connection = connection
        self.catalog = catalog
        try fetch(Foresight(calls), beginning: "FOR UPDATE")
    }

    /// For an operation that only looks.
    init(looking connection: PostgresConnection, _ catalog: PostgresCatalog, for calls: [CommitCall] = []) throws {
        self.connection = connection
        self.catalog = catalog
        try fetch(Foresight(calls), beginning: nil)
    }

    private var vault: PostgresValue { catalog.vaultValue }

    // MARK: Looking

    private func fetch(_ foresight: Foresight, beginning lock: String?) throws {
        let names = Array(foresight.names)
        let tops = Array(foresight.tops)
        let keys = foresight.changes.map { AnswerKey(user: $0.user, change: $0.change) }
        var queries: [PostgresQuery] = lock == nil ? [] : [PostgresQuery(PostgresConnection.beginning)]
        queries += [
            PostgresQuery(
                """
                SELECT sequence, stored_bytes, epoch, quota, head_digest, head_time FROM vault WHERE number = $1
                \(lock ?? "")
                """, [vault]),
            catalog.entries(names), belowQuery(tops), retiredQuery(names), knownQuery(foresight.digests),
            catalog.disowned(Array(foresight.packs)),
            PostgresQuery(
                """
                SELECT found.* FROM unnest($2, $3) AS asked (change, who), LATERAL (
                  SELECT owner, id, at, answer FROM answer WHERE vault = $1 AND id = change AND owner = who
                  OFFSET 0) AS found
                """, [vault, .bytes(keys.map { Optional($0.change.bytes) }), .texts(keys.map(\.user))]),
        ]
        let results = try connection.run(queries).suffix(7).map { $0 }
        guard let row = results[0].first else { throw PostgresCatalog.removed }
        let head = JournalHead(
            sequence: row.unsigned(0), digest: row.isNull(4) ? nil : try row.digest(4), time: row.int(5))
        found = CommitState(
            sequence: row.unsigned(0), storedBytes: row.unsigned(1), epoch: row.unsigned(2),
            quota: row.isNull(3) ? nil : row.unsigned(3), head: head)
        for name in names { entries[name] = .some(nil) }
        for row in results[1].rows {
            let version = try PostgresCatalog.storedVersion(row)
            entries[version.entry.name] = .some(version)
        }
        for name in tops { below[name] = false }
        for row in results[2].rows { below[Name(validated: row.bytes(0))] = true }
        for name in names { retired[name] = 0 }
        for row in results[3].rows { retired[Name(validated: row.bytes(0))] = row.unsigned(1) }
        for digest in foresight.digests { known[digest] = false }
        for row in results[4].rows { known[try row.digest(0)] = true }
        askedAnswers.formUnion(keys)
        disowned = Set(results[5].rows.compactMap { UniqueID($0.bytes(0)).map { PackID($0) } })
        for row in results[6].rows {
            guard let id = UniqueID(row.bytes(1)) else { throw CatalogDamage(what: "the id of a change") }
            answers[AnswerKey(user: row.text(0), change: id)] = (try StoredAnswer(decoding: row.bytes(3)), row.int(2))
        }
    }

    private func belowQuery(_ names: [Name]) -> PostgresQuery {
        PostgresQuery(
            """
            SELECT top FROM unnest($2, $3, $4) AS asked (top, first, last), LATERAL (
              SELECT 1 FROM entry WHERE vault = $1 AND \(PostgresSchema.head("name")) >= \(PostgresSchema.head("first"))
              AND \(PostgresSchema.head("name")) <= \(PostgresSchema.head("last"))
              AND name > first AND name < last AND kind <> 4 LIMIT 1) AS found
            """,
            [
                vault, .bytes(names.map { Optional($0.bytes) }), .bytes(names.map { $0.firstBelow }),
                .bytes(names.map { $0.behindBelow }),
            ])
    }

    private func retiredQuery(_ names: [Name]) -> PostgresQuery {
        PostgresQuery(
            """
            SELECT found.* FROM unnest($2) AS asked (wanted), LATERAL (
              SELECT name, last_version FROM retired_name
              WHERE vault = $1 AND sha256(name) = sha256(wanted) AND name = wanted OFFSET 0) AS found
            """, [vault, .bytes(names.map { Optional($0.bytes) })])
    }

    private func knownQuery(_ digests: [Digest]) -> PostgresQuery {
        PostgresQuery(
            "SELECT digest FROM chunk WHERE vault = $1 AND digest = ANY ($2) AND NOT damaged", [vault, .bytes(digests)])
    }

    func state() throws -> CommitState {
        guard let found else { throw CatalogDamage(what: "the vault's row is missing") }
        return found
    }

    func answer(to change: UniqueID, of user: String) throws -> (answer: StoredAnswer, time: Int64)? {
        let key = AnswerKey(user: user, change: change)
        if let answer = answers[key] { return answer }
        guard askedAnswers.insert(key).inserted else { return nil }
        let row = try connection.run(
            "SELECT answer, at FROM answer WHERE vault = $1 AND id = $2 AND owner = $3",
            [vault, .bytes(change.bytes), .text(user)]
        ).first
        guard let row else { return nil }
        answers[key] = (try StoredAnswer(decoding: row.bytes(0)), row.int(1))
        return answers[key]
    }

    func entry(_ name: Name) throws -> StoredVersion? {
        if let entry = entries[name] { return entry }
        try send()
        let row = try connection.run([catalog.entries([name])])[0].first
        let entry = try row.map { try PostgresCatalog.storedVersion($0) }
        entries[name] = .some(entry)
        return entry
    }

    func hasNames(below name: Name) throws -> Bool {
        let isFilled = filled.contains(name)
        if let was = below[name] {
            if !was, !isFilled { return false }
            if !thinned.contains(name) { return true }
        } else if isFilled, !thinned.contains(name) {
            return true
        }
        try send()
        let has = try connection.run([belowQuery([name])])[0].count > 0
        below[name] = has
        filled.remove(name)
        thinned.remove(name)
        return has
    }

    func live(_ prefix: NamePrefix) throws -> [Entry] {
        var live: [Entry] = []
        if let top = prefix.top {
            if let entry = try entry(top)?.entry { live.append(entry) }
            guard try hasNames(below: top) else { return live.filter { $0.kind != .removed } }
        }
        try send()
        let condition = prefix.top == nil ? "name IS NOT NULL" : PostgresRows.isBelow
        let rows = try connection.run(
            """
            SELECT \(PostgresCatalog.entryColumns) FROM entry WHERE vault = $1 AND \(condition) AND kind <> 4
            ORDER BY \(PostgresSchema.head("name")), name
            """, [vault] + (prefix.top.map { [.bytes($0.firstBelow), .bytes($0.behindBelow)] } ?? [])
        ).rows
        for row in rows {
            let version = try PostgresCatalog.storedVersion(row)
            entries[version.entry.name] = .some(version)
            live.append(version.entry)
        }
        // They are about to be removed, copied or renamed, one by one.
        try foresee(live.map(\.name))
        return live.filter { $0.kind != .removed }
    }

    /// Of a name: to be between `$2` and `$3`.
    private static let isBelow = """
        \(PostgresSchema.head("name")) >= \(PostgresSchema.head("$2")) \
        AND \(PostgresSchema.head("name")) <= \(PostgresSchema.head("$3")) AND name > $2 AND name < $3
        """

    func version(_ number: UInt64, of current: StoredVersion) throws -> Entry? {
        if current.entry.version == number { return current.entry }
        try send()
        return try catalog.versions(of: [current.object], where: "version = $3", [.int(number)], on: connection)
            .first?.entry(current.entry.name)
    }

    func lastRetiredVersion(of name: Name) throws -> UInt64 {
        if let version = retired[name] { return version }
        try send()
        let version = try connection.run([retiredQuery([name])])[0].first?.unsigned(1) ?? 0
        retired[name] = version
        return version
    }

    func isKnown(_ digest: Digest) throws -> Bool {
        if let isKnown = known[digest] { return isKnown }
        let isKnown = try connection.run([knownQuery([digest])])[0].count > 0
        known[digest] = isKnown
        return isKnown
    }

    func isDisowned(_ pack: PackID) -> Bool { disowned.contains(pack) }

    func foresee(_ names: [Name]) throws {
        for start in stride(from: 0, to: names.count, by: EngineLimits.rowsSentMax) {
            let part = names[start..<min(start + EngineLimits.rowsSentMax, names.count)].filter {
                entries[$0] == nil || retired[$0] == nil
            }
            if part.isEmpty { continue }
            try send()
            let results = try connection.run([catalog.entries(part), retiredQuery(part)])
            for name in part {
                if entries[name] == nil { entries[name] = .some(nil) }
                if retired[name] == nil { retired[name] = 0 }
            }
            for row in results[0].rows {
                let version = try PostgresCatalog.storedVersion(row)
                entries[version.entry.name] = .some(version)
            }
            for row in results[1].rows { retired[Name(validated: row.bytes(0))] = row.unsigned(1) }
        }
    }

    // MARK: Changing

    func apply(_ change: JournalChange, sequence: UInt64, time: Int64) throws {
        switch change {
        case .save(let saved):
            if !drops.isEmpty { try send() }
            try apply(saved, sequence: sequence, time: time)
        case .rename(let from, let to, let isPrefix):
            try rename(from, to, isPrefix: isPrefix, sequence: sequence)
        case .drop(let object, let versions):
            if !changed.isEmpty { try send() }
            drops += versions.map { Drop(object: object, version: $0, sequence: sequence) }
        }
    }

    private func apply(_ saved: SavedVersion, sequence: UInt64, time: Int64) throws {
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

    private func rename(_ from: Name, _ to: Name, isPrefix: Bool, sequence: UInt64) throws {
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

    private static let keepingLastVersion = """
        ON CONFLICT (vault, sha256(name))
        DO UPDATE SET last_version = greatest(retired_name.last_version, excluded.last_version)
        """

    /// Forgets what was looked up, since much has changed.
    private func forget() {
        (entries, retired, below, filled, thinned) = ([:], [:], [:], [], [])
    }

    // MARK: Sending

    /// Tells the database what has been changed.
    private func send() throws {
        queueChanges()
        if outgoing.isEmpty { return }
        defer { outgoing = [] }
        try connection.run(outgoing)
    }

    private func queueChanges() {
        queueVersions()
        queueEntries()
        queueDrops()
    }

    private func queueVersions() {
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

    private func queueEntries() {
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

    private func queueDrops() {
        if drops.isEmpty { return }
        let values: [PostgresValue] = [
            vault, .ints(drops.map(\.object)), .ints(drops.map(\.version)), .ints(drops.map(\.sequence)),
        ]
        let dropped = "unnest($2, $3, $4) AS dropped (number, which, at)"
        let isDropped = { (table: String) in
            "\(table).vault = $1 AND \(table).object = dropped.number AND \(table).version = dropped.which"
        }
        for table in ["version", "entry"] {
            outgoing.append(
                PostgresQuery(
                    """
                    INSERT INTO dropped (vault, sequence, depth, root)
                    SELECT $1, dropped.at, \(table).depth, \(table).root
                    FROM \(dropped) JOIN \(table) ON \(isDropped(table)) AND size > 0
                    """, values))
        }
        outgoing.append(
            PostgresQuery("DELETE FROM version USING \(dropped) WHERE \(isDropped("version"))", values))
        // An object whose current version is a removal and dropped is forgotten.
        outgoing.append(
            PostgresQuery(
                """
                INSERT INTO retired_name (vault, name, last_version) SELECT $1, name, version
                FROM \(dropped) JOIN entry ON \(isDropped("entry")) AND kind = 4 AND name IS NOT NULL
                \(PostgresRows.keepingLastVersion)
                """, values))
        outgoing.append(
            PostgresQuery(
                """
                DELETE FROM former_name USING \(dropped) JOIN entry ON \(isDropped("entry")) AND kind = 4
                WHERE former_name.vault = $1 AND former_name.object = dropped.number
                """, values))
        outgoing.append(
            PostgresQuery("DELETE FROM entry USING \(dropped) WHERE \(isDropped("entry")) AND kind = 4", values))
        drops = []
        forget()
    }

    /// Sends all that is left, and ends the transaction.
    func finish(_ stored: [ReceivedChunk], _ groups: [StoredGroup], sequence: UInt64) throws {
        queueChanges()
        outgoing += catalog.inserting(stored)
        if !groups.isEmpty { outgoing += catalog.inserting(groups) }
        if !ended.isEmpty {
            let ids = PostgresValue.bytes(ended.map { Optional($0.value.bytes) })
            outgoing.append(
                PostgresQuery("DELETE FROM upload_chunk WHERE vault = $1 AND upload = ANY ($2)", [vault, ids]))
            outgoing.append(PostgresQuery("DELETE FROM upload WHERE vault = $1 AND id = ANY ($2)", [vault, ids]))
        }
        if !events.isEmpty { outgoing.append(catalog.inserting(events)) }
        if !records.isEmpty { outgoing.append(catalog.inserting(records)) }
        queueAnswers()
        let head = groups.last
        outgoing.append(
            PostgresQuery(
                """
                UPDATE vault SET sequence = $2, head_digest = coalesce($3, head_digest),
                head_time = coalesce($4, head_time) WHERE number = $1
                """, [vault, .int(sequence), .bytes(head?.digest.bytes), .int(head?.time)]))
        outgoing.append(PostgresQuery("COMMIT"))
        defer { outgoing = [] }
        try connection.run(outgoing)
    }

    private func queueAnswers() {
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
                  SELECT id, owner FROM answer WHERE vault = $1 AND at < $2 ORDER BY at LIMIT $3)
                """,
                [
                    vault, .int(time - StoreLimits.answerSeconds),
                    .int(Int64(StoreLimits.answersRemovedMax * answers.count)),
                ]))
        kept = []
    }
}

/// What calls can be expected to ask for.
private struct Foresight {
    var names: Set<Name> = []
    /// Names below which nothing may be, or all is meant.
    var tops: Set<Name> = []
    var digests: [Digest] = []
    var packs: Set<PackID> = []
    var changes: [(user: String, change: UniqueID)] = []

    init(_ calls: [CommitCall]) {
        for call in calls {
            if let change = call.change { changes.append((call.by.user, change)) }
            for request in call.requests { add(request) }
        }
    }

    private mutating func add(_ request: CommitRequest) {
        switch request {
        case .save(let save):
            add(save.intent.name)
            if let chunk = save.chunk { digests.append(chunk.digest) }
            packs.formUnion(save.chunks.received.map(\.location.pack))
            if let staged = save.staged { packs.insert(staged.location.pack) }
        case .change(.remove(let prefix, _)):
            if let top = prefix.top { add(top) }
        case .change(.rename(let from, let to)), .change(.copy(let from, let to)):
            add(from)
            add(to)
        case .change(.revert(let name, _)), .change(.tag(let name, _)): add(name)
        case .drop: break
        }
    }

    private mutating func add(_ name: Name) {
        names.insert(name)
        tops.insert(name)
        for ancestor in name.ancestors.reversed() where !names.insert(ancestor).inserted { break }
    }
}

extension Name {
    /// All names below this one are behind the first and before the second.
    var firstBelow: [UInt8] { bytes + [UInt8(ascii: "/")] }
    var behindBelow: [UInt8] { bytes + [UInt8(ascii: "0")] }
}
