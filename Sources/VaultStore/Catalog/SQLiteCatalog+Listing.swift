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

    package func history(_ name: Name, after sequence: UInt64) async throws(VaultError) -> VersionPage {
        try read { database in
            guard let current = try SQLiteCatalog.entryByName(database, name) else {
                throw VaultError(.notFound, "The vault has no version of '\(name)'.", name: name)
            }
            return try SQLiteCatalog.page(of: current, after: sequence, until: .max, database)
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
                let version = try SQLiteCatalog.storedVersion(query, name: isUnnamed ? SQLiteCatalog.unnamed : nil)
                try query.checkOrder(version.object > afterObject)
                stored.append((version, isUnnamed))
            }
            return try stored.map { stored, isUnnamed in
                let isCovered = isUnnamed ? prefix.top == nil : prefix.contains(stored.entry.name)
                return ObjectHistory(
                    object: stored.object, name: isUnnamed ? nil : stored.entry.name,
                    entries: isCovered ? try SQLiteCatalog.versions(of: stored, until: .max, database) : [])
            }
        }
    }

    package func formerNames(of objects: [UInt64]) async throws(VaultError) -> [UInt64: Name] {
        guard let first = objects.min(), let last = objects.max() else { return [:] }
        let wanted = Set(objects)
        return try read { database in
            // No index leads from objects to their names: one look at the table is for all of them.
            var query = try Query(database, "SELECT object, until, name FROM former_name WHERE object BETWEEN ? AND ?")
            query.bind(first)
            query.bind(last)
            var found: [UInt64: (until: UInt64, name: Name)] = [:]
            while try query.step() {
                let (object, until) = (try query.count(0), try query.count(1))
                if wanted.contains(object), until > found[object]?.until ?? 0 {
                    found[object] = (until, try query.name(2))
                }
            }
            return found.mapValues(\.name)
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

    /// Versions of an object up to a sequence, the oldest first, as many as a page has.
    ///
    /// - Parameter after: only those with greater sequence numbers.
    static func page(
        of current: StoredVersion, after: UInt64, until sequence: UInt64, bytesMax: Int = Limits.pageBytesMax,
        _ database: Database
    ) throws -> VersionPage {
        var query = try Query(
            database,
            """
            SELECT object, until, NULL, \(versionColumns) FROM version
            WHERE object = ? AND sequence > ? AND sequence <= ? ORDER BY sequence
            """)
        query.bind(current.object)
        query.bind(min(after, StoreLimits.numberMax))
        query.bind(min(sequence, StoreLimits.numberMax))
        defer { query.finish() }
        var page = VersionPage(entries: [], isLast: true)
        var bytes = 0
        while try query.step() {
            if bytes >= bytesMax, !page.entries.isEmpty {
                page.isLast = false
                return page
            }
            let entry = try storedVersion(query, name: current.entry.name).entry
            page.entries.append(entry)
            bytes += entry.memoryBytes
        }
        if current.entry.sequence > after, current.entry.sequence <= sequence { page.entries.append(current.entry) }
        return page
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
    private var entries: [Entry] = []
    /// Bytes of the entries, those included that the query's tags leave out, and the number of names that they are of.
    private var seen = (bytes: 0, names: 0)

    init(_ database: Database, _ query: ListQuery, sequence: UInt64) {
        self.database = database
        self.query = query
        self.sequence = sequence
    }

    private var isFull: Bool { entries.count >= query.limit || seen.bytes >= Limits.pageBytesMax }

    /// So many names that what is read of them at once is about as long as a page.
    private var step: Int {
        let bytes = max(seen.bytes / max(seen.names, 1), 1)
        let names = seen.names == 0 ? StoreLimits.listStepMin : Limits.pageBytesMax / bytes
        return min(max(names, StoreLimits.listStepMin), query.limit)
    }

    mutating func page() throws -> ListPage {
        var after = query.after
        if let name = query.after ?? query.prefix.top, query.after == nil || query.afterSequence != nil {
            // The top of the prefix, or the rest of the versions of the name at which the last page ended.
            if let object = try SQLiteCatalog.object(of: name, at: sequence, database) {
                let rest = try add(Candidate(name: name, object: object), behind: query.afterSequence ?? 0)
                if let rest { return ListPage(entries: entries, next: next(after: name, rest)) }
            }
        }
        while !isFull {
            let wanted = step
            let names = try candidates(after: after, limit: wanted)
            for candidate in names {
                if isFull { break }
                let rest = try add(candidate)
                after = candidate.name
                if let rest { return ListPage(entries: entries, next: next(after: candidate.name, rest)) }
            }
            if names.count < wanted, after == names.last?.name ?? after {
                return ListPage(entries: entries, next: nil)
            }
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
        while try rows.step() {
            let candidate = try make(rows)
            if let after { try rows.checkOrder(after < candidate.name) }
            result.append(candidate)
        }
        return result
    }

    /// Adds what a name held at the snapshot, or its versions up to it.
    ///
    /// - Parameter after: only versions with greater sequence numbers.
    /// - Returns: the sequence number behind which versions are left for the next page; nil for none.
    private mutating func add(_ candidate: Candidate, behind after: UInt64 = 0) throws -> UInt64? {
        seen.names += 1
        if let current = candidate.current, current.since > sequence { return nil }
        let row = try candidate.current ?? SQLiteCatalog.row(of: candidate.object, as: candidate.name, database)
        guard let row else { return nil }
        var found = VersionPage(entries: [], isLast: true)
        if query.includesVersions {
            found = try SQLiteCatalog.page(
                of: row, after: after, until: sequence, bytesMax: Limits.pageBytesMax - seen.bytes, database)
        } else if let entry = try SQLiteCatalog.entry(of: row, at: sequence, database), entry.kind != .removed {
            found.entries = [entry]
        }
        seen.bytes += found.entries.reduce(0) { $0 + $1.memoryBytes }
        entries += found.entries.filter { entry in query.tags.allSatisfy { entry.tags[$0.key] == $0.value } }
        return found.isLast ? nil : found.entries.last?.sequence
    }
}
