import VaultModel
import VaultStore

/// The rows of one commit: what it will ask for is fetched at once, what it changes is sent at once.
///
/// Between the two, everything is decided in memory. What was not foreseen is asked for when it is needed, once what was
/// changed until then has been sent.
final class PostgresRows: CommitRows {
    struct AnswerKey: Hashable {
        var user: String
        var change: UniqueID
    }

    struct Drop {
        var object: UInt64
        var version: UInt64
        var sequence: UInt64
    }

    let connection: PostgresConnection
    let catalog: PostgresCatalog
    var found: CommitState?

    // What the database holds, with what this commit has changed of it.
    var entries: [Name: StoredVersion?] = [:]
    var retired: [Name: UInt64] = [:]
    var known: [Digest: Bool] = [:]
    /// The marks of uploads; nil for those that are not there.
    var marks: [UploadID: UInt64?] = [:]
    /// Of the known, the chunks that only unfinished uploads need.
    var pending: Set<Digest> = []
    var disowned: Set<PackID> = []
    var answers: [AnswerKey: (StoredAnswer, Int64)] = [:]
    /// Calls whose answers have been looked for.
    var askedAnswers: Set<AnswerKey> = []
    /// Whether names had names below them when they were asked for.
    var below: [Name: Bool] = [:]
    /// What has a name below it by what this commit has saved, or had one before it removed something.
    var filled: Set<Name> = []
    var thinned: Set<Name> = []

    // What the database has not been told.
    var changed: Set<Name> = []
    var superseded: [(version: StoredVersion, until: UInt64)] = []
    var drops: [Drop] = []
    var outgoing: [PostgresQuery] = []
    /// In the order in which they happened.
    var events: [OutboxEvent] = []
    var records: [AuditRecord] = []
    var kept: [(answer: StoredAnswer, key: AnswerKey, time: Int64)] = []
    var ended: [UploadID] = []

    /// Begins a transaction and takes the vault's lock, with all that the calls can be expected to ask for.
    init(_ connection: PostgresConnection, _ catalog: PostgresCatalog, for calls: [CommitCall]) throws {
        self.connection = connection
        self.catalog = catalog
        try fetch(CommitForesight(calls), beginning: "FOR UPDATE")
    }

    /// For an operation that only looks.
    init(looking connection: PostgresConnection, _ catalog: PostgresCatalog, for calls: [CommitCall] = []) throws {
        self.connection = connection
        self.catalog = catalog
        try fetch(CommitForesight(calls), beginning: nil)
    }

    var vault: PostgresValue { catalog.vaultValue }

    // MARK: Looking

    func fetch(_ foresight: CommitForesight, beginning lock: String?) throws {
        let names = Array(foresight.names)
        let tops = Array(foresight.tops)
        let keys = foresight.changes.map { AnswerKey(user: $0.user, change: $0.change) }
        var queries: [PostgresQuery] = lock == nil ? [] : [PostgresQuery(PostgresConnection.beginning)]
        queries += [
            PostgresQuery(
                """
                SELECT sequence, epoch, head_digest, head_time, \(PostgresCatalog.usageColumns) FROM vault
                WHERE number = $1 \(lock ?? "")
                """, [vault]),
            catalog.entries(names), belowQuery(tops), retiredQuery(names), knownQuery(foresight.digests),
            catalog.disowned(Array(foresight.packs)), catalog.marks(Array(foresight.uploads))[0],
            PostgresQuery(
                """
                SELECT found.* FROM unnest($2, $3) AS asked (change, who), LATERAL (
                  SELECT owner, id, at, answer FROM answer WHERE vault = $1 AND id = change AND owner = who
                  OFFSET 0) AS found
                """, [vault, .bytes(keys.map { Optional($0.change.bytes) }), .texts(keys.map(\.user))]),
        ]
        let results = try connection.run(queries).suffix(8).map { $0 }
        guard let row = results[0].first else { throw PostgresCatalog.removed }
        let head = JournalHead(
            sequence: row.unsigned(0), digest: row.isNull(2) ? nil : try row.digest(2), time: row.int(3))
        found = CommitState(
            sequence: row.unsigned(0), epoch: row.unsigned(1), usage: PostgresCatalog.usage(row, from: 4), head: head)
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
        for row in results[4].rows { try add(known: row) }
        askedAnswers.formUnion(keys)
        disowned = Set(results[5].rows.compactMap { UniqueID($0.bytes(0)).map { PackID($0) } })
        for upload in foresight.uploads { marks[upload] = .some(nil) }
        for row in results[6].rows {
            guard let id = UniqueID(row.bytes(0)) else { throw CatalogDamage(what: "an upload's id") }
            marks[UploadID(id)] = .some(row.unsigned(1))
        }
        for row in results[7].rows {
            guard let id = UniqueID(row.bytes(1)) else { throw CatalogDamage(what: "the id of a change") }
            answers[AnswerKey(user: row.text(0), change: id)] = (try StoredAnswer(decoding: row.bytes(3)), row.int(2))
        }
    }

    func belowQuery(_ names: [Name]) -> PostgresQuery {
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

    func retiredQuery(_ names: [Name]) -> PostgresQuery {
        PostgresQuery(
            """
            SELECT found.* FROM unnest($2) AS asked (wanted), LATERAL (
              SELECT name, last_version FROM retired_name
              WHERE vault = $1 AND sha256(name) = sha256(wanted) AND name = wanted OFFSET 0) AS found
            """, [vault, .bytes(names.map { Optional($0.bytes) })])
    }

    func knownQuery(_ digests: [Digest]) -> PostgresQuery {
        PostgresQuery(
            "SELECT digest, pending FROM chunk WHERE vault = $1 AND digest = ANY ($2) AND NOT damaged",
            [vault, .bytes(digests)])
    }

    private func add(known row: PostgresRow) throws {
        let digest = try row.digest(0)
        known[digest] = true
        if row.bool(1) { pending.insert(digest) }
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

    func live(_ prefix: NamePrefix, after: Name?, limit: Int) throws -> [Entry] {
        var live: [StoredVersion] = []
        if after != nil {
            // The names that were passed need not be remembered.
            try send()
            forget()
        } else if let top = prefix.top {
            if let entry = try entry(top), entry.entry.kind != .removed { live.append(entry) }
            guard try hasNames(below: top) else { return live.map(\.entry) }
        }
        try send()
        let range = PostgresRows.range(of: prefix, after: after)
        let rows = try connection.run(
            """
            SELECT \(PostgresCatalog.entryColumns) FROM entry WHERE vault = $1 AND \(PostgresRows.isBelow) AND kind <> 4
            ORDER BY \(PostgresSchema.head("name")), name LIMIT $4
            """, [vault, .bytes(range.start), .bytes(range.end), .int(Int64(limit - live.count))]
        ).rows
        for row in rows {
            let version = try PostgresCatalog.storedVersion(row)
            entries[version.entry.name] = .some(version)
            live.append(version)
        }
        return live.map(\.entry)
    }

    func hasMoved(_ prefix: NamePrefix, since sequence: UInt64) throws -> Bool {
        if let top = prefix.top {
            if let found = try entry(top), found.entry.kind != .removed,
                found.since > sequence || found.entry.sequence > sequence
            {
                return true
            }
            guard try hasNames(below: top) else { return false }
        }
        try send()
        let range = PostgresRows.range(of: prefix, after: nil)
        return try connection.run(
            """
            SELECT 1 FROM entry WHERE vault = $1 AND \(PostgresRows.isBelow) AND kind <> 4
            AND (since > $4 OR sequence > $4) LIMIT 1
            """, [vault, .bytes(range.start), .bytes(range.end), .int(sequence)]
        ).count > 0
    }

    /// The values of `$2` and `$3` of ``isBelow`` for the names strictly below a prefix and behind a name.
    static func range(of prefix: NamePrefix, after: Name?) -> (start: [UInt8], end: [UInt8]) {
        let floor = prefix.top?.firstBelow ?? []
        let start = after.map { $0.bytes.lexicographicallyPrecedes(floor) ? floor : $0.bytes } ?? floor
        // No UTF-8 text has the byte FF, so that it is behind all names.
        return (start, prefix.top?.behindBelow ?? [0xFF])
    }

    /// Of a name: to be between `$2` and `$3`.
    static let isBelow = """
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
        known[digest] = false
        for row in try connection.run([knownQuery([digest])])[0].rows { try add(known: row) }
        return known[digest] ?? false
    }

    func settle(_ digest: Digest) throws -> UInt64 {
        guard try isKnown(digest), pending.remove(digest) != nil else { return 0 }
        let rows = try connection.run(
            "UPDATE chunk SET pending = false WHERE vault = $1 AND digest = $2 AND pending RETURNING length",
            [vault, .bytes(digest.bytes)]
        ).rows
        return rows.reduce(0) { $0 + $1.unsigned(0) + UInt64(RecordHeader.byteCount) }
    }

    func mark(of upload: UploadID) throws -> UInt64? {
        if let mark = marks[upload] { return mark }
        let mark = try connection.run(catalog.marks([upload]))[0].first?.unsigned(1)
        marks[upload] = .some(mark)
        return mark
    }

    func forgetUploads(freeing bytes: UInt64) throws -> FreedRoom {
        let freed = try catalog.forgetUploads(freeing: bytes, connection)
        if freed.bytes > 0 { (known, pending, marks) = ([:], [], [:]) }
        return freed
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
}

extension Name {
    /// All names below this one are behind the first and before the second.
    var firstBelow: [UInt8] { bytes + [UInt8(ascii: "/")] }
    var behindBelow: [UInt8] { bytes + [UInt8(ascii: "0")] }
}
