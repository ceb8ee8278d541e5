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
