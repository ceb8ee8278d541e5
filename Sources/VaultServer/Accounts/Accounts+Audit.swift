package import VaultModel
import VaultStore

extension Accounts {
    /// Days after which the audit trail of logins is forgotten.
    private static let auditDays: Int64 = 400

    /// Writes an event down, durably.
    package func record(_ event: AuditEvent) throws(VaultError) {
        try write(isNoticed: false) { try Accounts.record(event, $0) }
    }

    /// Writes a refusal down, durably.
    ///
    /// - Returns: by what its line is known, to count more of them there.
    func recordRefusal(_ event: AuditEvent) throws(VaultError) -> Int64 {
        try write(isNoticed: false) { try Accounts.record(event, $0) }
    }

    /// Counts more refusals in lines that are there.
    func addToRefusals(_ added: [(id: Int64, more: Int)]) throws(VaultError) {
        if added.isEmpty { return }
        try write(isNoticed: false) { session in
            for line in added {
                try session.execute(
                    "UPDATE audit SET count = count + ? WHERE id = ?", [.int(line.more), .int(line.id)])
            }
        }
    }

    @discardableResult
    static func record(_ event: AuditEvent, _ session: any TableSession) throws -> Int64 {
        // Strangers choose some of the text.
        func cut(_ text: String) -> String { text.cut(toBytes: ServerLimits.auditTextBytesMax) }
        let row = try session.first(
            "INSERT INTO audit (at, event, \"user\", peer, detail, count) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            [
                .int(event.time), .text(event.kind.rawValue), .text(cut(event.user)), .text(cut(event.peer)),
                .text(cut(event.detail)), .int(event.count),
            ])
        let last = row?.int(0) ?? 0
        if last.isMultiple(of: 1000) {
            try prune(session, eventsMax: ServerLimits.auditEventsMax, failuresMax: ServerLimits.auditFailuresMax)
        }
        try forget(session, confirmed: event.time - StoreLimits.confirmedSeconds)
        return last
    }

    /// Forgets the oldest events, a few each time: those before the first one that is young enough, so that an event whose
    /// clock was behind goes with its neighbours.
    private static func forget(_ session: any TableSession, confirmed: Int64) throws {
        let newest = try session.first(
            "SELECT at FROM audit WHERE at <= ? ORDER BY at DESC LIMIT 1", [.int(confirmed)])
        guard let newest else { return }
        let since = newest.int(0) - auditDays * 86_400
        // In the order of ids, which ends soon, and not of times.
        let first = try session.first(
            "SELECT id FROM audit WHERE +at BETWEEN ? AND ? ORDER BY id LIMIT 1", [.int(since), .int(confirmed)])
        guard let first else { return }
        try session.execute(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? AND id < ? LIMIT 64)",
            [.int(since), .int(first.int(0))])
    }

    /// Forgets the oldest events beyond the bounds, failed logins and denied requests apart from all others: who may
    /// do nothing can cause as many of those as he likes.
    static func prune(_ session: any TableSession, eventsMax: Int, failuresMax: Int) throws {
        for (comparison, max) in [("IN", failuresMax), ("NOT IN", eventsMax)] {
            try session.execute(
                """
                DELETE FROM audit WHERE event \(comparison) ('login_failed', 'denied') AND id <= (
                  SELECT id FROM audit WHERE event \(comparison) ('login_failed', 'denied')
                  ORDER BY id DESC LIMIT 1 OFFSET ?)
                """, [.int(max)])
        }
    }

    /// The newest events, oldest first.
    ///
    /// - Parameters:
    ///   - user: whose events; everybody's where nil.
    ///   - since: seconds since 1970 UTC.
    package func audit(of user: String? = nil, since: Int64 = .min, limit: Int) throws(VaultError) -> [AuditEvent] {
        try read { session in
            let rows = try session.rows(
                """
                SELECT event, "user", peer, detail, at, count FROM audit WHERE at >= ? \(user == nil ? "" : "AND \"user\" = ?")
                ORDER BY id DESC LIMIT ?
                """, [.int(since)] + (user.map { [.text($0)] } ?? []) + [.int(limit)])
            return rows.reversed().compactMap { row in
                AuditEvent.Kind(rawValue: row.text(0)).map {
                    AuditEvent(
                        $0, user: row.text(1), peer: row.text(2), detail: row.text(3), time: row.int(4),
                        count: Int(row.int(5)))
                }
            }
        }
    }
}
