import GRDB
package import VaultModel

extension Accounts {
    /// Days after which the audit trail of logins is forgotten.
    private static let auditDays: Int64 = 400

    /// Writes an event down, durably.
    package func record(_ event: AuditEvent) throws(VaultError) {
        try write { try Accounts.record(event, $0) }
    }

    static func record(_ event: AuditEvent, _ database: Database) throws {
        // Strangers choose some of the text.
        func cut(_ text: String) -> String { text.cut(toBytes: ServerLimits.auditTextBytesMax) }
        try database.execute(
            sql: "INSERT INTO audit (at, event, user, peer, detail) VALUES (?, ?, ?, ?, ?)",
            arguments: [event.time, event.kind.rawValue, cut(event.user), cut(event.peer), cut(event.detail)])
        if database.lastInsertedRowID.isMultiple(of: 1000) {
            try prune(database, eventsMax: ServerLimits.auditEventsMax, failuresMax: ServerLimits.auditFailuresMax)
        }
        // Cheap by the index, and a little with every event.
        try database.execute(
            sql: "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? LIMIT 64)",
            arguments: [event.time - auditDays * 86_400])
    }

    /// Forgets the oldest events beyond the bounds, failed logins and denied requests apart from all others: who may
    /// do nothing can cause as many of those as he likes.
    static func prune(_ database: Database, eventsMax: Int, failuresMax: Int) throws {
        for (comparison, max) in [("IN", failuresMax), ("NOT IN", eventsMax)] {
            try database.execute(
                sql: """
                    DELETE FROM audit WHERE event \(comparison) ('login_failed', 'denied') AND id <= (
                      SELECT id FROM audit WHERE event \(comparison) ('login_failed', 'denied')
                      ORDER BY id DESC LIMIT 1 OFFSET ?)
                    """, arguments: [max])
        }
    }

    /// The newest events, oldest first.
    ///
    /// - Parameters:
    ///   - user: whose events; everybody's where nil.
    ///   - since: seconds since 1970 UTC.
    package func audit(of user: String? = nil, since: Int64 = .min, limit: Int) throws(VaultError) -> [AuditEvent] {
        try read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT event, user, peer, detail, at FROM audit WHERE at >= ? AND (? IS NULL OR user = ?)
                    ORDER BY id DESC LIMIT ?
                    """, arguments: [since, user, user, limit])
            return rows.reversed().compactMap { row in
                AuditEvent.Kind(rawValue: row[0]).map {
                    AuditEvent($0, user: row[1], peer: row[2], detail: row[3], time: row[4])
                }
            }
        }
    }
}
