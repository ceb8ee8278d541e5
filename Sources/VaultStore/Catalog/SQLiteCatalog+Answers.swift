import GRDB
package import VaultModel

/// Answers to changes that had an id. They are no part of the journal: a catalog that is rebuilt from
/// the packs has none, and a change that is repeated then takes effect again.
extension SQLiteCatalog {
    package func answer(
        toCommit change: UniqueID, of user: String
    ) async throws(VaultError) -> Result<CommitResult, VaultError>? {
        try read { database in
            guard let results = try SQLiteCatalog.answer(to: change, of: user, database)?.answer.results else {
                return nil
            }
            switch results.first {
            case .failed(let error) where results.count == 1: return .failure(error)
            case .uploaded(let outcome) where results.count == 1: return .success(.saved(outcome))
            case .collected where results.count == 1: return .success(.collected)
            case .failed, .uploaded, .collected, .small, .changed, nil: return .failure(.usedTwice(change))
            }
        }
    }

    package func results(
        ofRepeated call: CommitCall
    ) async throws(VaultError) -> [Result<CommitResult, VaultError>]? {
        try read { try SQLiteCatalog.results(ofRepeated: call, $0) }
    }

    /// The results that a call had before; nil for one that is no repetition.
    static func results(
        ofRepeated call: CommitCall, _ database: Database
    ) throws -> [Result<CommitResult, VaultError>]? {
        guard let change = call.change,
            let (answer, time) = try answer(to: change, of: call.by.user, database)
        else { return nil }
        let again = StoredAnswer([], to: call)
        guard answer.fingerprint == again.fingerprint, answer.results.count == call.requests.count else {
            return call.requests.map { _ in .failure(.usedTwice(change)) }
        }
        // A save that must be tried again has not happened: the next try may have the same id.
        if case .collected? = answer.results.first { return nil }
        return try zip(call.requests, answer.results).map { request, result in
            switch result {
            case .failed(let error): return .failure(error)
            case .uploaded(let outcome): return .success(.saved(outcome))
            case .collected: return .success(.collected)
            case .changed(let outcome): return .success(.changed(outcome))
            case .small(let isCreated, let newBytes, let version, let sequence):
                guard case .save(let save) = request else { return .failure(.usedTwice(change)) }
                let entry =
                    try entry(version, of: save.intent.name, sequence, database)
                    ?? Entry(
                        name: save.intent.name, kind: save.intent.kind, content: save.content, version: version,
                        sequence: sequence, attributes: save.intent.attributes, savedAt: time,
                        savedBy: call.by.user, tags: save.intent.tags)
                return .success(.saved(SaveOutcome(entry: entry, isCreated: isCreated, newBytes: newBytes)))
            }
        }
    }

    /// A version that a save made or found; nil where it is no longer there, or has another name by now.
    private static func entry(
        _ version: UInt64, of name: Name, _ sequence: UInt64, _ database: Database
    ) throws -> Entry? {
        guard let current = try entryByName(database, name) else { return nil }
        let found = try self.version(version, of: current, database)
        return found?.sequence == sequence ? found : nil
    }

    private static func answer(
        to change: UniqueID, of user: String, _ database: Database
    ) throws -> (answer: StoredAnswer, time: Int64)? {
        var query = try Query(database, "SELECT answer, at FROM answer WHERE user = ? AND id = ?")
        query.bind(text: user)
        query.bind(blob: change.bytes)
        defer { query.finish() }
        return try query.step() ? (StoredAnswer(decoding: query.bytes(0)), query.int(1)) : nil
    }

    /// Keeps an answer, and forgets a few that are too old.
    static func keep(
        _ answer: StoredAnswer, to change: UniqueID, of user: String, at time: Int64, _ database: Database
    ) throws {
        var insert = try Query(database, "INSERT OR REPLACE INTO answer (user, id, at, answer) VALUES (?, ?, ?, ?)")
        insert.bind(text: user)
        insert.bind(blob: change.bytes)
        insert.bind(time)
        insert.bind(blob: answer.encoded)
        try insert.first()
        var delete = try Query(
            database,
            "DELETE FROM answer WHERE rowid IN (SELECT rowid FROM answer WHERE at < ? ORDER BY at LIMIT ?)")
        delete.bind(time - StoreLimits.answerSeconds)
        delete.bind(Int64(StoreLimits.answersRemovedMax))
        try delete.first()
    }
}
