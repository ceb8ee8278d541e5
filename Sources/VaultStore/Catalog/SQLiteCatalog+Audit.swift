import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func audit(
        since time: Int64, after sequence: UInt64, limit: Int
    ) async throws(VaultError) -> [AuditRecord] {
        try read { database in
            var query = try Query(
                database,
                """
                SELECT first_sequence, last_sequence, at, user, peer, action, name, count FROM audit
                WHERE first_sequence > ? AND at >= ? ORDER BY first_sequence LIMIT ?
                """)
            query.bind(min(sequence, StoreLimits.numberMax))
            query.bind(time)
            query.bind(Int64(limit))
            var records: [AuditRecord] = []
            while try query.step() {
                let record = try SQLiteCatalog.auditRecord(query)
                try query.checkOrder(record.sequences.lowerBound > sequence)
                records.append(record)
            }
            return records
        }
    }

    private static func auditRecord(_ query: Query) throws -> AuditRecord {
        let (first, last) = (try query.count(0), try query.count(1))
        guard first <= last, let action = AuditRecord.Action(rawValue: query.text(5)) else {
            throw query.damage("the audit at sequence \(first)")
        }
        return AuditRecord(
            sequences: first...last, time: try query.int(2), user: query.text(3), peer: query.text(4), action: action,
            name: query.isNull(6) ? nil : try query.name(6), count: Int(try query.count(7)))
    }

    static func insert(_ record: AuditRecord, _ database: Database) throws {
        var insert = try Query(
            database,
            """
            INSERT INTO audit (first_sequence, last_sequence, at, user, peer, action, name, count)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """)
        insert.bind(record.sequences.lowerBound)
        insert.bind(record.sequences.upperBound)
        insert.bind(record.time)
        insert.bind(text: record.user)
        insert.bind(text: record.peer)
        insert.bind(text: record.action.rawValue)
        if let name = record.name { insert.bind(text: name.bytes) } else { insert.bindNull() }
        insert.bind(Int64(record.count))
        try insert.first()
    }

    static func pruneAudit(at time: Int64, _ database: Database) throws {
        var delete = try Query(
            database,
            """
            DELETE FROM audit WHERE at < (SELECT max(at) FROM audit WHERE at <= ?1) - ?2
            AND first_sequence < (
              SELECT first_sequence FROM audit WHERE +at BETWEEN (SELECT max(at) FROM audit WHERE at <= ?1) - ?2 AND ?1
              ORDER BY first_sequence LIMIT 1)
            """)
        delete.bind(time - StoreLimits.confirmedSeconds)
        delete.bind(StoreLimits.auditSeconds)
        try delete.first()
    }
}

/// Sums up the requests of a call for the audit: one record a call, or one for each stretch of the same
/// action where a call has several.
struct AuditTrail {
    private(set) var records: [AuditRecord] = []
    private let caller: Caller
    private let time: Int64

    init(of caller: Caller, at time: Int64) {
        self.caller = caller
        self.time = time
    }

    mutating func add(_ request: CommitRequest, _ result: CommitResult, _ sequences: ClosedRange<UInt64>) {
        let (action, name) = request.audited
        guard let last = records.indices.last, records[last].action == action else {
            records.append(
                AuditRecord(
                    sequences: sequences, time: time, user: caller.user, peer: caller.peer, action: action,
                    name: name, count: result.changedNames))
            return
        }
        records[last].sequences = records[last].sequences.lowerBound...sequences.upperBound
        records[last].count += result.changedNames
    }
}
