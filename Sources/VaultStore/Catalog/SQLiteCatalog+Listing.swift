import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func stat(_ names: [(Name, Selector)]) async throws(VaultError) -> [Entry?] {
        try read { database in
            try names.map { name, selector in
                let found: Entry?
                switch selector {
                case .current:
                    found = try SQLiteCatalog.entryByName(database, name)?.entry
                case .version(let number):
                    found = try SQLiteCatalog.entryByName(database, name).flatMap {
                        try SQLiteCatalog.version(number, of: $0, database)
                    }
                case .time, .sequence:
                    let sequence = try SQLiteCatalog.sequence(of: selector, database)
                    found = try SQLiteCatalog.entry(of: name, at: sequence, database)
                }
                return found?.kind == .removed ? nil : found
            }
        }
    }

    package func history(_ name: Name) async throws(VaultError) -> [Entry] {
        try read { database in
            guard let current = try SQLiteCatalog.entryByName(database, name) else {
                throw VaultError(.notFound, "The vault has no version of '\(name)'.", name: name)
            }
            return try SQLiteCatalog.versions(of: current, until: .max, database)
        }
    }

    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        try read { database in
            var listing = NameListing(
                database, query, sequence: try SQLiteCatalog.sequence(of: query.selector, database))
            return try listing.page()
        }
    }

    package func objects(
        _ prefix: NamePrefix, afterObject: UInt64, limit: Int
    ) async throws(VaultError) -> [ObjectHistory] {
        try read { database in
            var query = try Query(
                database,
                """
                SELECT object, since, name, \(SQLiteCatalog.versionColumns)
                FROM entry WHERE object > ? ORDER BY object LIMIT ?
                """)
            query.bind(min(afterObject, StoreLimits.numberMax))
            query.bind(Int64(limit))
            var stored: [(StoredVersion, isUnnamed: Bool)] = []
            while try query.step() {
                let isUnnamed = query.isNull(2)
                stored.append(
                    (try SQLiteCatalog.storedVersion(query, name: isUnnamed ? SQLiteCatalog.unnamed : nil), isUnnamed))
            }
            return try stored.map { stored, isUnnamed in
                let isCovered = isUnnamed ? prefix.top == nil : prefix.contains(stored.entry.name)
                return ObjectHistory(
                    object: stored.object, name: isUnnamed ? nil : stored.entry.name,
                    versions: isCovered
                        ? try SQLiteCatalog.versions(of: stored, until: .max, database).map {
                            KeepPolicy.Candidate(
                                version: $0.version, sequence: $0.sequence, savedAt: $0.savedAt,
                                isRemoval: $0.kind == .removed)
                        } : [])
            }
        }
    }

    /// Stands for the name of an object that has lost its own.
    private static let unnamed = Name(validated: [UInt8(ascii: "-")])

    // MARK: Parts of queries

    /// The last sequence of the state that a selector means.
    static func sequence(of selector: Selector, _ database: Database) throws -> UInt64 {
        switch selector {
        case .sequence(let sequence): return min(sequence, StoreLimits.numberMax)
        case .current, .version:
            let state = try Query(database, "SELECT sequence FROM vault")
            defer { state.finish() }
            guard try state.step() else { throw CatalogDamage(what: "the vault's row is missing") }
            return try state.count(0)
        case .time(let time): return try lastSequence(at: time, now: .max, database)
        }
    }

    package func lastSequence(at time: Int64, now: Int64) async throws(VaultError) -> UInt64 {
        try read { try SQLiteCatalog.lastSequence(at: time, now: now, $0) }
    }

    package func journalTimes(now: Int64) async throws(VaultError) -> JournalTimes? {
        try read { try SQLiteCatalog.journalTimes(now: now, $0) }
    }

    private static func journalTimes(now: Int64, _ database: Database) throws -> JournalTimes? {
        let times = try Query(
            database, "SELECT setbacks, coalesce((SELECT max(time) FROM journal_group), 0) FROM vault")
        let isOrdered = try times.step() && times.int(0) == 0 && times.int(1) <= now
        times.finish()
        if isOrdered { return nil }
        let groups = try Query(database, "SELECT last_sequence, time FROM journal_group ORDER BY last_sequence")
        var journal = JournalTimes()
        while try groups.step() { journal.append(try groups.count(0), try groups.int(1)) }
        return journal
    }

    private static func lastSequence(at time: Int64, now: Int64, _ database: Database) throws -> UInt64 {
        if let journal = try journalTimes(now: now, database) { return journal.lastSequence(at: time, now: now) }
        var query = try Query(
            database,
            "SELECT last_sequence FROM journal_group WHERE time <= ? ORDER BY time DESC, last_sequence DESC LIMIT 1")
        query.bind(time)
        defer { query.finish() }
        return try query.step() ? query.count(0) : 0
    }

    /// What is current under the names of a prefix, in the order of names.
    static func live(_ database: Database, _ prefix: NamePrefix) throws -> [StoredVersion] {
        var entries: [StoredVersion] = []
        if let top = prefix.top, let entry = try entryByName(database, top) { entries.append(entry) }
        var query = try Query(
            database,
            prefix.top == nil
                ? "SELECT object, since, name, \(versionColumns) FROM entry WHERE name IS NOT NULL ORDER BY name"
                : """
                SELECT object, since, name, \(versionColumns) FROM entry WHERE name > ? AND name < ? ORDER BY name
                """)
        if let top = prefix.top { bindRange(below: top, to: &query) }
        while try query.step() { entries.append(try storedVersion(query)) }
        return entries.filter { $0.entry.kind != .removed }
    }

    static func version(_ number: UInt64, of current: StoredVersion, _ database: Database) throws -> Entry? {
        if current.entry.version == number { return current.entry }
        var query = try Query(
            database,
            "SELECT object, until, NULL, \(versionColumns) FROM version WHERE object = ? AND version = ?")
        query.bind(current.object)
        query.bind(number)
        defer { query.finish() }
        return try query.step() ? storedVersion(query, name: current.entry.name).entry : nil
    }

    /// All versions of an object up to a sequence, oldest first.
    static func versions(
        of current: StoredVersion, until sequence: UInt64, _ database: Database
    ) throws -> [Entry] {
        var query = try Query(
            database,
            "SELECT object, until, NULL, \(versionColumns) FROM version WHERE object = ? ORDER BY sequence")
        query.bind(current.object)
        var entries: [Entry] = []
        while try query.step() { entries.append(try storedVersion(query, name: current.entry.name).entry) }
        return (entries + [current.entry]).filter { $0.sequence <= sequence }
    }

    /// What `name` held at a sequence, a removal included.
    static func entry(of name: Name, at sequence: UInt64, _ database: Database) throws -> Entry? {
        guard let object = try object(of: name, at: sequence, database),
            let current = try row(of: object, as: name, database)
        else { return nil }
        return try entry(of: current, at: sequence, database)
    }

    /// The object that had `name` at a sequence.
    static func object(of name: Name, at sequence: UInt64, _ database: Database) throws -> UInt64? {
        var query = try Query(
            database,
            """
            SELECT object FROM entry WHERE name = ? AND since <= ?
            UNION ALL SELECT object FROM former_name WHERE name = ? AND since <= ? AND until > ?
            """)
        for _ in 0..<2 {
            query.bind(text: name.bytes)
            query.bind(sequence)
        }
        query.bind(sequence)
        defer { query.finish() }
        return try query.step() ? query.count(0) : nil
    }

    /// The current version of an object, under the name it has or had.
    static func row(of object: UInt64, as name: Name, _ database: Database) throws -> StoredVersion? {
        var query = try Query(
            database, "SELECT object, since, NULL, \(versionColumns) FROM entry WHERE object = ?")
        query.bind(object)
        defer { query.finish() }
        return try query.step() ? storedVersion(query, name: name) : nil
    }

    /// The version of an object that was current at a sequence; nil where it is no longer kept.
    static func entry(of current: StoredVersion, at sequence: UInt64, _ database: Database) throws -> Entry? {
        if current.entry.sequence <= sequence { return current.entry }
        var query = try Query(
            database,
            """
            SELECT object, until, NULL, \(versionColumns) FROM version
            WHERE object = ? AND sequence <= ? AND until > ?
            """)
        query.bind(current.object)
        query.bind(sequence)
        query.bind(sequence)
        defer { query.finish() }
        return try query.step() ? storedVersion(query, name: current.entry.name).entry : nil
    }
}

/// Walks the names of one snapshot in their order.
private struct NameListing {
    private let database: Database
    private let query: ListQuery
    private let sequence: UInt64

    init(_ database: Database, _ query: ListQuery, sequence: UInt64) {
        self.database = database
        self.query = query
        self.sequence = sequence
    }

    mutating func page() throws -> ListPage {
        var entries: [Entry] = []
        var after = query.after
        if let top = query.prefix.top, after == nil {
            let object = try SQLiteCatalog.object(of: top, at: sequence, database)
            if let object { try add(Candidate(name: top, object: object), to: &entries) }
        }
        while entries.count < query.limit {
            let wanted = query.limit - entries.count
            let names = try candidates(after: after, limit: wanted)
            for candidate in names {
                after = candidate.name
                try add(candidate, to: &entries)
            }
            if names.count < wanted { return ListPage(entries: entries, next: nil) }
        }
        var next = query
        next.selector = .sequence(sequence)
        next.after = after ?? query.prefix.top
        return ListPage(entries: entries, next: next)
    }

    /// A name with what was under it.
    private struct Candidate {
        var name: Name
        var object: UInt64
        /// What is under the name now, where that is the same object.
        var current: StoredVersion?
    }

    /// The next names that are or were bound, present and former bindings merged.
    private func candidates(after: Name?, limit: Int) throws -> [Candidate] {
        let present = try rows(
            "SELECT object, since, name, \(SQLiteCatalog.versionColumns) FROM entry WHERE name > ? AND name < ? ORDER BY name LIMIT ?",
            after, limit
        ) { query in
            let current = try SQLiteCatalog.storedVersion(query)
            return Candidate(name: current.entry.name, object: current.object, current: current)
        }
        let former = try rows(
            "SELECT name, object FROM former_name WHERE name > ? AND name < ? AND since <= ? AND until > ? ORDER BY name LIMIT ?",
            after, limit, atSequence: true
        ) { query in
            Candidate(name: try query.name(0), object: try query.count(1))
        }
        if former.isEmpty { return present }
        var merged: [Candidate] = []
        for candidate in (present + former).sorted(by: { $0.name < $1.name }) {
            if merged.last?.name == candidate.name {
                // A name that was bound to another object at the time: the former binding counts.
                if candidate.current == nil { merged[merged.count - 1] = candidate }
            } else {
                merged.append(candidate)
            }
        }
        return Array(merged.prefix(limit))
    }

    private func rows(
        _ sql: String, _ after: Name?, _ limit: Int, atSequence: Bool = false, _ make: (Query) throws -> Candidate
    ) throws -> [Candidate] {
        var rows = try Query(database, sql)
        if let top = query.prefix.top {
            let floor = top.bytes + [UInt8(ascii: "/")]
            rows.bind(text: after.map { $0.bytes.lexicographicallyPrecedes(floor) ? floor : $0.bytes } ?? floor)
            rows.bind(text: top.bytes + [UInt8(ascii: "0")])
        } else {
            rows.bind(text: after?.bytes ?? [])
            // No UTF-8 text has this byte, so it is behind all names.
            rows.bind(text: [0xFF])
        }
        if atSequence {
            rows.bind(sequence)
            rows.bind(sequence)
        }
        rows.bind(Int64(limit))
        var result: [Candidate] = []
        while try rows.step() { result.append(try make(rows)) }
        return result
    }

    private func add(_ candidate: Candidate, to entries: inout [Entry]) throws {
        if let current = candidate.current, current.since > sequence { return }
        let row = try candidate.current ?? SQLiteCatalog.row(of: candidate.object, as: candidate.name, database)
        guard let row else { return }
        var found: [Entry] = []
        if query.includesVersions {
            found = try SQLiteCatalog.versions(of: row, until: sequence, database)
        } else if let entry = try SQLiteCatalog.entry(of: row, at: sequence, database), entry.kind != .removed {
            found = [entry]
        }
        entries += found.filter { entry in query.tags.allSatisfy { entry.tags[$0.key] == $0.value } }
    }
}
