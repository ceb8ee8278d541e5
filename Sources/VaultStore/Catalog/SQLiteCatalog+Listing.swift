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

    package func isAny(of prefixes: [NamePrefix], widerThan count: Int) async throws(VaultError) -> Bool {
        try read { database in
            try prefixes.contains { prefix in
                var query = try Query(
                    database, "SELECT 1 FROM entry WHERE name > ? AND name < ? AND kind <> 4 LIMIT 1 OFFSET ?")
                SQLiteCatalog.bindRange(of: prefix, after: nil, to: &query)
                query.bind(Int64(count))
                defer { query.finish() }
                return try query.step()
            }
        }
    }

    package func objects(
        _ prefix: NamePrefix, afterObject: UInt64, limit: Int
    ) async throws(VaultError) -> [ObjectHistory] {
        try read { database in
            var query = try Query(
                database,
                "SELECT object, name, version, sequence, saved_at, kind FROM entry WHERE object > ? ORDER BY object LIMIT ?"
            )
            query.bind(min(afterObject, StoreLimits.numberMax))
            query.bind(Int64(limit))
            defer { query.finish() }
            var histories: [ObjectHistory] = []
            var count = 0
            while count < StoreLimits.consideredVersionsMax, try query.step() {
                let name = query.isNull(1) ? nil : try query.name(1)
                var history = ObjectHistory(object: try query.count(0), name: name, versions: [])
                try query.checkOrder(history.object > afterObject)
                if name.map({ prefix.contains($0) }) ?? (prefix.top == nil) {
                    history.versions = try SQLiteCatalog.candidates(of: history.object, database)
                    history.versions.append(try SQLiteCatalog.candidate(query, from: 2))
                }
                count += history.versions.count
                histories.append(history)
            }
            return histories
        }
    }

    /// The earlier versions of an object, oldest first.
    private static func candidates(of object: UInt64, _ database: Database) throws -> [KeepPolicy.Candidate] {
        var query = try Query(
            database, "SELECT version, sequence, saved_at, kind FROM version WHERE object = ? ORDER BY sequence")
        query.bind(object)
        var candidates: [KeepPolicy.Candidate] = []
        while try query.step() { candidates.append(try candidate(query, from: 0)) }
        return candidates
    }

    /// Reads the columns version, sequence, saved_at and kind.
    private static func candidate(_ query: Query, from column: Int32) throws -> KeepPolicy.Candidate {
        KeepPolicy.Candidate(
            version: try query.count(column), sequence: try query.count(column + 1), savedAt: try query.int(column + 2),
            isRemoval: try kind(query, column + 3) == .removed)
    }

    package func thinnedNames(of objects: [UInt64]) async throws(VaultError) -> [UInt64: ThinnedName] {
        guard let first = objects.min(), let last = objects.max() else { return [:] }
        let wanted = Set(objects)
        return try read { database in
            var former: [UInt64: (until: UInt64, name: Name)] = [:]
            // No index leads from objects to their names: one look at the table is for all of them.
            var names = try Query(database, "SELECT object, until, name FROM former_name WHERE object BETWEEN ? AND ?")
            names.bind(first)
            names.bind(last)
            while try names.step() {
                let (object, until) = (try names.count(0), try names.count(1))
                if wanted.contains(object), until > former[object]?.until ?? 0 {
                    former[object] = (until, try names.name(2))
                }
            }
            var found: [UInt64: ThinnedName] = [:]
            for object in objects {
                found[object] = try SQLiteCatalog.thinnedName(of: object, formerly: former[object]?.name, database)
            }
            return found
        }
    }

    private static func thinnedName(
        of object: UInt64, formerly: Name?, _ database: Database
    ) throws -> ThinnedName? {
        var current = try Query(
            database, "SELECT object, since, name, \(SQLiteCatalog.versionColumns) FROM entry WHERE object = ?")
        current.bind(object)
        defer { current.finish() }
        guard try current.step() else { return nil }
        let isTaken = current.isNull(2)
        guard let name = isTaken ? formerly : try current.name(2) else { return nil }
        let newest = try storedVersion(current, name: name).entry
        if newest.kind != .removed { return ThinnedName(newest: newest, isTaken: isTaken) }
        var earlier = try Query(
            database,
            """
            SELECT object, until, NULL, \(SQLiteCatalog.versionColumns) FROM version
            WHERE object = ? AND kind <> 4 ORDER BY sequence DESC LIMIT 1
            """)
        earlier.bind(object)
        defer { earlier.finish() }
        let content = try earlier.step() ? try storedVersion(earlier, name: name).entry : newest
        return ThinnedName(newest: content, isTaken: isTaken)
    }

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

    /// See ``CommitRows/live(_:after:limit:)``.
    static func live(_ database: Database, _ prefix: NamePrefix, after: Name?, limit: Int) throws -> [Entry] {
        var entries: [Entry] = []
        if let top = prefix.top, after == nil, let entry = try entryByName(database, top)?.entry, entry.kind != .removed
        {
            entries.append(entry)
        }
        var query = try Query(
            database,
            """
            SELECT object, since, name, \(versionColumns) FROM entry WHERE name > ? AND name < ? AND kind <> 4
            ORDER BY name LIMIT ?
            """)
        bindRange(of: prefix, after: after, to: &query)
        query.bind(Int64(limit - entries.count))
        while try query.step() { entries.append(try storedVersion(query).entry) }
        return entries
    }

    /// See ``CommitRows/hasMoved(_:since:)``.
    static func hasMoved(_ database: Database, _ prefix: NamePrefix, since sequence: UInt64) throws -> Bool {
        if let top = prefix.top, let found = try entryByName(database, top), found.entry.kind != .removed,
            found.since > sequence || found.entry.sequence > sequence
        {
            return true
        }
        var query = try Query(
            database,
            """
            SELECT 1 FROM entry WHERE name > ? AND name < ? AND kind <> 4 AND (since > ? OR sequence > ?) LIMIT 1
            """)
        bindRange(of: prefix, after: nil, to: &query)
        query.bind(sequence)
        query.bind(sequence)
        defer { query.finish() }
        return try query.step()
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
