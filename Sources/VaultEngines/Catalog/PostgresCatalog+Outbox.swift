package import VaultModel
package import VaultStore

/// What hooks are to be told, what they keep, and the audit.
extension PostgresCatalog {
    func inserting(_ events: [OutboxEvent]) -> PostgresQuery {
        PostgresQuery(
            """
            INSERT INTO outbox (vault, id, kind, name, former_name, version, owner, peer, at, depth)
            SELECT $1, id, kind, name, former, version, owner, peer, at, depth
            FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10) WITH ORDINALITY
            AS added (id, kind, name, former, version, owner, peer, at, depth, place) ORDER BY place
            ON CONFLICT (vault, id) DO NOTHING
            """,
            [
                vaultValue, .bytes(events.map { Optional($0.id.bytes) }), .texts(events.map(\.kind.rawValue)),
                .bytes(events.map { Optional($0.name.bytes) }), .bytes(events.map { $0.formerName?.bytes }),
                .ints(events.map(\.version)), .texts(events.map(\.user)), .texts(events.map(\.peer)),
                .ints(events.map { Optional($0.time) }), .ints(events.map { Optional(Int64($0.depth)) }),
            ])
    }

    package func tell(_ events: [OutboxEvent]) async throws(VaultError) {
        if events.isEmpty { return }
        // The lock of the vault keeps the numbers in the order in which they become visible.
        try await write { connection in
            try connection.run([inserting(events)])
            return
        }
    }

    package func outbox(
        failed: Bool, after number: UInt64, limit: Int
    ) async throws(VaultError) -> [OutboxRecord] {
        try await ask(
            """
            SELECT number, id, kind, name, former_name, version, owner, peer, at, depth, failures, due, error, traceback
            FROM outbox WHERE vault = $1 AND is_failed = $2 AND number > $3 ORDER BY number LIMIT $4
            """, [vaultValue, .bool(failed), .int(min(number, UInt64(Int64.max))), .int(Int64(limit))]
        ) { result in try result.rows.map { try PostgresCatalog.outboxRecord($0) } }
    }

    private static func outboxRecord(_ row: PostgresRow) throws -> OutboxRecord {
        guard let id = UniqueID(row.bytes(1)), let kind = OutboxEvent.Kind(rawValue: row.text(2)) else {
            throw CatalogDamage(what: "an event of the outbox")
        }
        let event = OutboxEvent(
            id: id, kind: kind, name: Name(validated: row.bytes(3)),
            formerName: row.isNull(4) ? nil : Name(validated: row.bytes(4)), version: row.unsigned(5),
            user: row.text(6), peer: row.text(7), time: row.int(8), depth: Int(row.int(9)))
        return OutboxRecord(
            number: row.unsigned(0), event: event, failures: Int(row.int(10)), due: row.int(11),
            error: row.isNull(12) ? nil : row.text(12), traceback: row.isNull(13) ? nil : row.text(13))
    }

    package func outboxCounts() async throws(VaultError) -> (waiting: Int, failed: Int) {
        try await ask(
            "SELECT count(*) FILTER (WHERE NOT is_failed), count(*) FILTER (WHERE is_failed) FROM outbox WHERE vault = $1",
            [vaultValue]
        ) { result in (waiting: Int(result.first?.int(0) ?? 0), failed: Int(result.first?.int(1) ?? 0)) }
    }

    package func settle(_ outcomes: [OutboxOutcome]) async throws(VaultError) {
        var queries: [PostgresQuery] = []
        var told: [UInt64] = []
        func note(_ number: UInt64, due: Int64, isFailed: Bool, _ error: String, _ traceback: String?) {
            queries.append(
                PostgresQuery(
                    """
                    UPDATE outbox SET failures = failures + 1, due = $3, is_failed = $4, error = $5, traceback = $6
                    WHERE vault = $1 AND number = $2
                    """, [vaultValue, .int(number), .int(due), .bool(isFailed), .text(error), .text(traceback)]))
        }
        for outcome in outcomes {
            switch outcome {
            case .told(let number): told.append(number)
            case .again(let number, let due, let error, let traceback):
                note(number, due: due, isFailed: false, error, traceback)
            case .failed(let number, let error, let traceback):
                note(number, due: 0, isFailed: true, error, traceback)
            case .later(let number, let due):
                queries.append(
                    PostgresQuery(
                        "UPDATE outbox SET due = $3 WHERE vault = $1 AND number = $2",
                        [vaultValue, .int(number), .int(due)]))
            }
        }
        if !told.isEmpty {
            queries.append(
                PostgresQuery("DELETE FROM outbox WHERE vault = $1 AND number = ANY ($2)", [vaultValue, .ints(told)]))
        }
        if queries.isEmpty { return }
        let changes = queries
        try await pool.with { connection in
            try connection.run(changes)
            return
        }
    }

    package func retryFailed(_ ids: [UniqueID]?) async throws(VaultError) -> Int {
        let isMeant = ids == nil ? "" : "AND id = ANY ($2)"
        return try await ask(
            "UPDATE outbox SET is_failed = false, failures = 0, due = 0 WHERE vault = $1 AND is_failed \(isMeant)",
            [vaultValue] + (ids.map { [.bytes($0.map { Optional($0.bytes) })] } ?? [])
        ) { $0.changed }
    }

    // MARK: What hooks keep

    package func hookValue(_ key: String) async throws(VaultError) -> HookValue {
        try await pool.with { try self.hookValue(key, $0) }
    }

    private func hookValue(_ key: String, _ connection: PostgresConnection) throws -> HookValue {
        let row = try connection.run(
            "SELECT value, version FROM hook_value WHERE vault = $1 AND key = $2", [vaultValue, .text(key)]
        ).first
        return row.map { HookValue(value: $0.bytes(0), version: $0.unsigned(1)) } ?? HookValue(value: [], version: 0)
    }

    package func hookValues(
        after key: String, limit: Int
    ) async throws(VaultError) -> [(key: String, value: HookValue)] {
        try await ask(
            "SELECT key, value, version FROM hook_value WHERE vault = $1 AND key > $2 ORDER BY key LIMIT $3",
            [vaultValue, .text(key), .int(Int64(limit))]
        ) { result in
            result.rows.map { ($0.text(0), HookValue(value: $0.bytes(1), version: $0.unsigned(2))) }
        }
    }

    package func store(
        _ value: [UInt8], as key: String, ifVersion: UInt64
    ) async throws(VaultError) -> HookValue? {
        try await write(isRepeatable: false) { connection in
            let current = try hookValue(key, connection)
            guard current.version == ifVersion else { return nil }
            return try store(value, as: key, after: current, connection)
        }
    }

    private func store(
        _ value: [UInt8], as key: String, after current: HookValue, _ connection: PostgresConnection
    ) throws -> HookValue {
        if current.version == 0 {
            let count = try connection.run("SELECT count(*) FROM hook_value WHERE vault = $1", [vaultValue])
            guard count.first?.int(0) ?? 0 < StoreLimits.hookValuesMax else {
                throw VaultError(.quota, "Hooks keep \(StoreLimits.hookValuesMax) values, which is all they may.")
            }
        }
        // A version is never used again, so that who saw the one before is not fooled.
        try connection.run(
            """
            INSERT INTO hook_value (vault, key, value, version) VALUES ($1, $2, $3, $4)
            ON CONFLICT (vault, key) DO UPDATE SET value = excluded.value, version = excluded.version
            """, [vaultValue, .text(key), .bytes(value), .int(current.version + 1)])
        return HookValue(value: value, version: current.version + 1)
    }

    package func add(
        _ amount: Double, to key: String, once id: String?, at time: Int64
    ) async throws(VaultError) -> HookValue {
        try await write(isRepeatable: id != nil) { connection in
            let current = try hookValue(key, connection)
            if let id {
                let added = try connection.run(
                    "INSERT INTO hook_count (vault, key, id, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                    [vaultValue, .text(key), .text(id), .int(time)])
                if added.changed == 0 { return current }
                try connection.run(
                    """
                    DELETE FROM hook_count WHERE vault = $1 AND (key, id) IN (
                      SELECT key, id FROM hook_count WHERE vault = $1 AND at < $2 LIMIT 10)
                    """, [vaultValue, .int(time - StoreLimits.answerSeconds)])
            }
            return try store(current.adding(amount, to: key), as: key, after: current, connection)
        }
    }

    // MARK: Audit

    func inserting(_ records: [AuditRecord]) -> PostgresQuery {
        PostgresQuery(
            """
            INSERT INTO audit (vault, first_sequence, last_sequence, at, owner, peer, action, name, names)
            SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9)
            """,
            [
                vaultValue, .ints(records.map(\.sequences.lowerBound)), .ints(records.map(\.sequences.upperBound)),
                .ints(records.map { Optional($0.time) }), .texts(records.map(\.user)), .texts(records.map(\.peer)),
                .texts(records.map(\.action.rawValue)), .bytes(records.map { $0.name?.bytes }),
                .ints(records.map { Optional(Int64($0.count)) }),
            ])
    }

    package func restore(_ records: [AuditRecord]) async throws(VaultError) {
        if records.isEmpty { return }
        let query = inserting(records)
        try await pool.with { connection in
            try connection.run([PostgresQuery(query.sql + " ON CONFLICT DO NOTHING", query.values)])
            return
        }
    }

    package func audit(
        since time: Int64, after sequence: UInt64, limit: Int
    ) async throws(VaultError) -> [AuditRecord] {
        try await ask(
            """
            SELECT first_sequence, last_sequence, at, owner, peer, action, name, names FROM audit
            WHERE vault = $1 AND at >= $2 AND first_sequence > $3 ORDER BY first_sequence LIMIT $4
            """, [vaultValue, .int(time), .int(min(sequence, UInt64(Int64.max))), .int(Int64(limit))]
        ) { result in
            try result.rows.map { row in
                guard row.unsigned(0) <= row.unsigned(1), let action = AuditRecord.Action(rawValue: row.text(5)) else {
                    throw CatalogDamage(what: "the audit at sequence \(row.unsigned(0))")
                }
                return AuditRecord(
                    sequences: row.unsigned(0)...row.unsigned(1), time: row.int(2), user: row.text(3),
                    peer: row.text(4), action: action, name: row.isNull(6) ? nil : Name(validated: row.bytes(6)),
                    count: Int(row.int(7)))
            }
        }
    }
}
