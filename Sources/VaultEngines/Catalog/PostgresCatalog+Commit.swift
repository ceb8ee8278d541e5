package import VaultModel
package import VaultStore

extension PostgresCatalog {
    package func commit(
        _ calls: [CommitCall], at time: Int64, into packs: any PackStore
    ) async throws(VaultError) -> [[Result<CommitResult, VaultError>]] {
        for _ in 0..<EngineLimits.commitTriesMax {
            let outcome = try await lock.withLock { () async throws(VaultError) in
                try await pool.with { connection in try await commit(calls, at: time, into: packs, on: connection) }
            }
            var isDone = outcome.isKnown
            if !isDone { isDone = try await hasHappened(outcome) }
            if isDone {
                reservations.end(outcome.endedBytes)
                return outcome.results
            }
        }
        throw VaultError(.unavailable, "The catalog was lost again and again during a commit.", isRetryable: true)
    }

    /// What a commit came to, as far as it is known.
    private struct CommitOutcome {
        var results: [[Result<CommitResult, VaultError>]]
        /// The last journal group that it wrote; nil for none.
        var group: Digest?
        var endedBytes: UInt64 = 0
        /// Whether it is known that it took effect.
        var isKnown = true
    }

    private func commit(
        _ calls: [CommitCall], at time: Int64, into packs: any PackStore, on connection: PostgresConnection
    ) async throws -> CommitOutcome {
        let storage = CommitStorage(packs)
        do {
            let rows = try PostgresRows(connection, self, for: calls)
            var transaction = try CommitTransaction(
                rows, at: time, reservedBytes: reservations.bytes, spill: { try storage.spill($0) })
            var outcome = CommitOutcome(results: try transaction.apply(calls, rows, within: EngineLimits.commitWork))
            guard transaction.hasEffect else {
                connection.rollBack()
                return outcome
            }
            let records = transaction.records()
            // The database works while the records are on their way.
            var noted = Result<Void, any Error>.failure(VaultError.unplaced)
            let appended = try await storage.store(records) { locations in
                noted = Result { try transaction.finish(rows, locations) }
            }
            try noted.get()
            outcome.group = records.last.flatMap { $0.kind == .journalGroup ? $0.digest : nil }
            outcome.endedBytes = transaction.endedBytes
            do {
                try rows.commit()
            } catch let error as PostgresError where error.isLost {
                // The commit itself may be what was lost, or its answer.
                outcome.isKnown = false
            }
            withExtendedLifetime(appended.hold) {}
            return outcome
        } catch {
            connection.rollBack()
            await storage.discard()
            throw error
        }
    }

    /// Whether a commit whose answer was lost has taken effect. What is left of it in the database ends before this
    /// is answered, since it holds the vault's lock.
    private func hasHappened(_ commit: CommitOutcome) async throws(VaultError) -> Bool {
        guard let group = commit.group else { return false }
        do throws(VaultError) {
            return try await write { connection in
                try connection.run(
                    "SELECT 1 FROM journal_group WHERE vault = $1 AND digest = $2", [vaultValue, .bytes(group)]
                ).count > 0
            }
        } catch {
            var error = error
            error.isUncertain = true
            throw error
        }
    }

    package func answer(
        toCommit change: UniqueID, of user: String
    ) async throws(VaultError) -> Result<CommitResult, VaultError>? {
        try await read { try PostgresRows(looking: $0, self).result(ofCommit: change, of: user) }
    }

    package func results(
        ofRepeated call: CommitCall
    ) async throws(VaultError) -> [Result<CommitResult, VaultError>]? {
        try await read { try PostgresRows(looking: $0, self, for: [call]).results(ofRepeated: call) }
    }

    package func replay(_ groups: [(group: JournalGroup, stored: StoredGroup)]) async throws(VaultError) {
        if groups.isEmpty { return }
        try await lock.withLock { () async throws(VaultError) in
            try await pool.with(isRepeatable: false) { connection in
                do {
                    let rows = try PostgresRows(connection, self, for: [])
                    try rows.replay(groups)
                    try rows.commit()
                } catch {
                    connection.rollBack()
                    throw error
                }
            }
        }
    }

    package func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UInt64 {
        try await read { connection in
            let call = CommitCall(
                requests: [.save(CommitSave(intent: intent, content: .empty))], by: Caller(user: ""), change: nil)
            let rows = try PostgresRows(looking: connection, self, for: [call])
            let transaction = try CommitTransaction(rows, at: 0, reservedBytes: 0)
            try transaction.check(intent, rows)
            return transaction.epoch
        }
    }

    // MARK: What a commit inserts

    func inserting(_ groups: [StoredGroup]) -> [PostgresQuery] {
        [
            packing(groups.map(\.location)),
            PostgresQuery(
                "UPDATE vault SET journal_bytes = journal_bytes + $2 WHERE number = $1",
                [vaultValue, .int(groups.reduce(0) { $0 + $1.location.storedBytes })]),
            PostgresQuery(
                """
                INSERT INTO journal_group (vault, last_sequence, time, digest, pack, start, length)
                SELECT $1, last_sequence, time, digest, pack.number, start, bytes
                FROM unnest($2, $3, $4, $5, $6, $7) AS added (last_sequence, time, digest, place, start, bytes)
                JOIN pack ON vault = $1 AND id = place
                """,
                [
                    vaultValue, .ints(groups.map(\.lastSequence)), .ints(groups.map { Optional($0.time) }),
                    .bytes(groups.map(\.digest)),
                ] + PostgresCatalog.columns(groups.map(\.location))),
        ]
    }

    /// Makes chunks known that versions need, unless they are known undamaged, and counts their bytes.
    func inserting(_ stored: [ReceivedChunk]) -> [PostgresQuery] {
        if stored.isEmpty { return [] }
        return [packing(stored.map(\.location))]
            + [false, true].compactMap { isCharged in
                let stored = stored.filter { $0.isCharged == isCharged }
                if stored.isEmpty { return nil }
                return PostgresQuery(
                    """
                    WITH \(PostgresCatalog.added(isPending: false, isCharged: isCharged))
                    UPDATE vault SET stored_bytes = stored_bytes +
                      (SELECT coalesce(sum(length + \(RecordHeader.byteCount)), 0)::bigint FROM added)
                    WHERE number = $1
                    """, [vaultValue, .bytes(stored.map(\.digest))] + PostgresCatalog.columns(stored.map(\.location)))
            }
    }

    /// The rows of chunks that are written: their digests are `$2`, their places `$3` to `$5`.
    ///
    /// - Parameters:
    ///   - isPending: whether only an unfinished upload needs them.
    ///   - isCharged: whether the row of one that is known is written too, which costs as much as a new one.
    static func added(isPending: Bool, isCharged: Bool) -> String {
        let change =
            isCharged
            ? """
            SET pack = CASE WHEN chunk.damaged THEN excluded.pack ELSE chunk.pack END,
              start = CASE WHEN chunk.damaged THEN excluded.start ELSE chunk.start END,
              length = CASE WHEN chunk.damaged THEN excluded.length ELSE chunk.length END, damaged = false,
              pending = chunk.pending AND excluded.pending
            """
            : """
            SET pack = excluded.pack, start = excluded.start, length = excluded.length, damaged = false,
              pending = chunk.pending AND excluded.pending
            WHERE chunk.damaged
            """
        return """
            added AS (
              INSERT INTO chunk (vault, digest, pack, start, length, pending)
              SELECT DISTINCT ON (added.digest) $1, added.digest, pack.number, added.start, added.bytes, \(isPending)
              FROM unnest($2, $3, $4, $5) AS added (digest, place, start, bytes) JOIN pack ON vault = $1 AND id = place
              ON CONFLICT (vault, digest) DO UPDATE \(change)
              RETURNING digest, length, xmax = 0 AS is_new)
            """
    }

    /// Makes packs known up to the ends of records.
    func packing(_ locations: [PackLocation]) -> PostgresQuery {
        let lengths = Dictionary(locations.map { ($0.pack, $0.end) }, uniquingKeysWith: max)
        let packs = Array(lengths.keys)
        return PostgresQuery(
            """
            INSERT INTO pack (vault, id, length) SELECT $1, * FROM unnest($2, $3)
            ON CONFLICT (vault, id) DO UPDATE SET length = greatest(pack.length, excluded.length)
            """,
            [
                vaultValue, .bytes(packs.map { Optional($0.value.bytes) }),
                .ints(packs.map { lengths[$0, default: 0] }),
            ])
    }

    /// Packs, starts and lengths of records.
    static func columns(_ locations: [PackLocation]) -> [PostgresValue] {
        [
            .bytes(locations.map { Optional($0.pack.value.bytes) }), .ints(locations.map(\.offset)),
            .ints(locations.map { UInt64($0.length) }),
        ]
    }
}
