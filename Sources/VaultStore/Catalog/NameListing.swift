import GRDB
import VaultModel

/// Walks the names of one snapshot in their order.
struct NameListing {
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
