import FoundationEssentials
package import VaultModel
import VaultWire

extension RemoteVault {
    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        let answer = try await ask { $0.list = WireList(query) }
        return try reading { () throws(WireViolation) in try answer.page.model }
    }

    package func stat(_ name: Name, _ selector: Selector) async throws(VaultError) -> Entry? {
        let entry = try await stat(name, WireSelector(selector))
        guard entry?.name ?? name == name else { throw VaultError(WireViolation("an entry that was not asked for")) }
        return entry
    }

    /// What the event of a hook's vault is about.
    func statEvent(_ name: Name) async throws(VaultError) -> Entry? {
        var selector = WireSelector()
        selector.ofEvent = true
        return try await stat(name, selector)
    }

    private func stat(_ name: Name, _ selector: WireSelector) async throws(VaultError) -> Entry? {
        let answer = try await ask { message in
            message.stat.name = Data(name.bytes)
            message.stat.selector = selector
        }
        guard answer.found.hasEntry else { return nil }
        return try reading { () throws(WireViolation) in try answer.found.entry.model }
    }

    package func history(_ name: Name) async throws(VaultError) -> [Entry] {
        var entries: [Entry] = []
        while true {
            let answer = try await ask { message in
                message.history.name = Data(name.bytes)
                message.history.after = entries.last?.sequence ?? 0
            }
            let last = entries.last?.sequence ?? 0
            entries += try reading { () throws(WireViolation) in
                var page: [Entry] = []
                for entry in answer.versions.entries {
                    let entry = try entry.model
                    guard entry.name == name else { throw WireViolation("a version of another name") }
                    page.append(entry)
                }
                return page
            }
            guard answer.versions.more else { return entries }
            // A server that turned back would keep its client for ever.
            guard let reached = entries.last?.sequence, reached > last else {
                throw VaultError(WireViolation("versions that were not asked for"))
            }
        }
    }

    package func change(_ changes: [Change]) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        var results: [Result<ChangeOutcome, VaultError>] = []
        let messages = changes.map { WireOneChange($0) }
        let batches = messages.batches(
            bytesMax: WireLimits.clientMessageBytesMax / 2, countMax: RemoteVault.changesMax, \.byteCount)
        for batch in batches {
            let change = UniqueID()
            let answer = try await ask { message in
                message.change.changes = Array(batch)
                message.change.change = change.wire
            }
            let outcomes = try reading { () throws(WireViolation) in try answer.changed.model }
            guard outcomes.count == batch.count else {
                throw VaultError(WireViolation("an answer to other changes than were asked for"))
            }
            results += outcomes
        }
        return results
    }

    /// So that the answer, which may have an entry for each, comes soon.
    private static let changesMax = 96

    package func keep(
        _ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool
    ) async throws(VaultError) -> KeepReport {
        try await ask { $0.keep = WireKeep(prefix, policy, calendar: calendar, isDryRun: isDryRun) }.kept.model
    }

    package func collect() async throws(VaultError) -> CollectionReport {
        try await ask { $0.collect = WireCollect() }.collected.model
    }

    package func verify(_ request: VerifyRequest) async throws(VaultError) -> VerifyReport {
        let answer = try await ask { message in
            message.verify.prefix = request.prefix.wire
            message.verify.sample = request.sample
        }
        return try reading { () throws(WireViolation) in try answer.verified.model }
    }
}
