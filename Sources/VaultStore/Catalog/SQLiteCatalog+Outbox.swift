import GRDB
package import VaultModel

/// The outbox is no part of the journal: a catalog that is rebuilt from the packs has an empty one.
extension SQLiteCatalog {
    static func insert(_ event: OutboxEvent, _ database: Database) throws {
        var insert = try Query(
            database,
            """
            INSERT INTO outbox (id, kind, name, former_name, version, user, peer, at, depth, failures, due, is_failed)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)
            """)
        insert.bind(blob: event.id.bytes)
        insert.bind(text: event.kind.rawValue)
        insert.bind(text: event.name.bytes)
        if let former = event.formerName { insert.bind(text: former.bytes) } else { insert.bindNull() }
        insert.bind(event.version)
        insert.bind(text: event.user)
        insert.bind(text: event.peer)
        insert.bind(event.time)
        insert.bind(Int64(event.depth))
        try insert.first()
    }

    package func tell(_ events: [OutboxEvent]) async throws(VaultError) {
        if events.isEmpty { return }
        try await write { database in
            for event in events { try SQLiteCatalog.insert(event, database) }
        }
    }

    package func outbox(
        failed: Bool, after number: UInt64, limit: Int
    ) async throws(VaultError) -> [OutboxRecord] {
        try read { database in
            var query = try Query(
                database,
                """
                SELECT number, id, kind, name, former_name, version, user, peer, at, depth, failures, due, error, traceback
                FROM outbox WHERE is_failed = ? AND number > ? ORDER BY number LIMIT ?
                """)
            query.bind(Int64(failed ? 1 : 0))
            query.bind(min(number, StoreLimits.numberMax))
            query.bind(Int64(limit))
            var records: [OutboxRecord] = []
            while try query.step() {
                let record = try SQLiteCatalog.outboxRecord(query)
                try query.checkOrder(record.number > number)
                records.append(record)
            }
            return records
        }
    }

    private static func outboxRecord(_ query: Query) throws -> OutboxRecord {
        guard let id = UniqueID(query.bytes(1)), let kind = OutboxEvent.Kind(rawValue: query.text(2)) else {
            throw query.damage("an event of the outbox")
        }
        let event = OutboxEvent(
            id: id, kind: kind, name: try query.name(3), formerName: query.isNull(4) ? nil : try query.name(4),
            version: try query.count(5), user: query.text(6), peer: query.text(7), time: try query.int(8),
            depth: Int(try query.count(9)))
        return OutboxRecord(
            number: try query.count(0), event: event, failures: Int(try query.count(10)), due: try query.int(11),
            error: query.isNull(12) ? nil : query.text(12), traceback: query.isNull(13) ? nil : query.text(13))
    }

    package func outboxCounts() async throws(VaultError) -> (waiting: Int, failed: Int) {
        try read { database in
            let query = try Query(database, "SELECT is_failed, count(*) FROM outbox GROUP BY is_failed")
            defer { query.finish() }
            var counts = (waiting: 0, failed: 0)
            while try query.step() {
                let count = Int(try query.count(1))
                if try query.flag(0) { counts.failed = count } else { counts.waiting = count }
            }
            return counts
        }
    }

    package func settle(_ outcomes: [OutboxOutcome]) async throws(VaultError) {
        if outcomes.isEmpty { return }
        try await write { database in
            for outcome in outcomes { try SQLiteCatalog.settle(outcome, database) }
        }
    }

    private static func settle(_ outcome: OutboxOutcome, _ database: Database) throws {
        switch outcome {
        case .told(let number):
            var delete = try Query(database, "DELETE FROM outbox WHERE number = ?")
            delete.bind(number)
            try delete.first()
        case .again(let number, let due, let error, let traceback):
            try note(number, due: due, isFailed: false, error, traceback, database)
        case .failed(let number, let error, let traceback):
            try note(number, due: 0, isFailed: true, error, traceback, database)
        case .later(let number, let due):
            var update = try Query(database, "UPDATE outbox SET due = ? WHERE number = ?")
            update.bind(due)
            update.bind(number)
            try update.first()
        }
    }

    private static func note(
        _ number: UInt64, due: Int64, isFailed: Bool, _ error: String, _ traceback: String?, _ database: Database
    ) throws {
        var update = try Query(
            database,
            "UPDATE outbox SET failures = failures + 1, due = ?, is_failed = ?, error = ?, traceback = ? WHERE number = ?"
        )
        update.bind(due)
        update.bind(Int64(isFailed ? 1 : 0))
        update.bind(text: error)
        if let traceback { update.bind(text: traceback) } else { update.bindNull() }
        update.bind(number)
        try update.first()
    }

    package func retryFailed(_ ids: [UniqueID]?) async throws(VaultError) -> Int {
        try await write { database in
            let again = "UPDATE outbox SET is_failed = 0, failures = 0, due = 0 WHERE is_failed = 1"
            guard let ids else {
                try Query(database, again).first()
                return database.changesCount
            }
            var count = 0
            for id in ids {
                var update = try Query(database, again + " AND id = ?")
                update.bind(blob: id.bytes)
                try update.first()
                count += database.changesCount
            }
            return count
        }
    }
}
