import FoundationEssentials
package import VaultModel
import VaultWire

extension RemoteVault {
    package func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        let answer = try await ask { $0.list = WireList(query) }
        return try reading { () throws(WireViolation) in try answer.page.model }
    }

    package func stat(_ name: Name, _ selector: Selector) async throws(VaultError) -> Entry? {
        let answer = try await ask { message in
            message.stat.name = Data(name.bytes)
            message.stat.selector = WireSelector(selector)
        }
        guard answer.found.hasEntry else { return nil }
        return try reading { () throws(WireViolation) in try answer.found.entry.model }
    }

    package func history(_ name: Name) async throws(VaultError) -> [Entry] {
        let answer = try await ask { $0.history.name = Data(name.bytes) }
        return try reading { () throws(WireViolation) in
            var entries: [Entry] = []
            for entry in answer.versions.entries { entries.append(try entry.model) }
            return entries
        }
    }

    package func change(_ changes: [Change]) async throws(VaultError) -> [Result<ChangeOutcome, VaultError>] {
        var results: [Result<ChangeOutcome, VaultError>] = []
        for start in stride(from: 0, to: changes.count, by: RemoteVault.changesMax) {
            let batch = changes[start..<min(start + RemoteVault.changesMax, changes.count)]
            let change = UniqueID()
            let answer = try await ask { message in
                message.change.changes = batch.map { WireOneChange($0) }
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

    /// So that the longest names fit one message.
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
