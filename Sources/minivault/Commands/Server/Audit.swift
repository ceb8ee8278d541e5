import ArgumentParser
import VaultLua
import VaultModel
import VaultServer
import VaultStore

struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell who has logged in to a server, who was refused, and who changed what.")

    @OptionGroup var data: DataOptions
    @Option(help: ArgumentHelp("Only this user's events.", valueName: "user"))
    var user: String?
    @Option(help: CommandText.timeHelp("Only from a time on"))
    var since: String?
    @Option(help: ArgumentHelp("The newest events only.", valueName: "n"))
    var limit = 1000
    @Flag(help: "Print one JSON object an event.")
    var json = false

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit is 1 at least.") }
        if let since { _ = try CommandText.time(since) }
    }

    func run() async throws {
        let since = try since.map { try CommandText.time($0) } ?? .min
        let accounts = try await data.open()
        let now = currentSeconds()
        var lines = Audit.dated(
            try accounts.audit(of: user, limit: limit).map { event in
                let times = event.count > 1 ? " (\(event.count) times within a minute)" : ""
                return AuditLine(
                    time: event.time, user: event.user, peer: event.peer, what: event.kind.rawValue,
                    detail: event.detail + times, count: event.count)
            }, now: now)
        var failures = Failures()
        for vault in try accounts.vaults() {
            // One vault that is lost keeps nobody from the trail of the others.
            do throws(VaultError) {
                lines += Audit.dated(try await changes(in: vault, accounts), now: now)
            } catch {
                failures.add(error)
            }
        }
        for trail in try accounts.trailsOfRemovedVaults() {
            let records = trail.records.filter { user == nil || $0.user == user }
            lines += Audit.dated(records.map { AuditLine($0, in: trail.vault.name) }, now: now)
        }
        // Lines of one source have their order from it, which equal times must not undo.
        let order = lines.indices.sorted { (lines[$0].order, $0) < (lines[$1].order, $1) }
        for index in order.filter({ lines[$0].date >= since }).suffix(limit) {
            Output.line(json ? lines[index].line.json.text : lines[index].line.text)
        }
        try failures.finish()
    }

    /// Lines in the order in which they were written, each with the latest time at which it can have been, and the one at
    /// which it stands among others: that is never later than the next line's.
    private static func dated(
        _ lines: [AuditLine], now: Int64
    ) -> [(line: AuditLine, date: Int64, order: Int64)] {
        var order = Int64.max
        return zip(lines, ClockTrust.corrected(lines.map(\.time), now: now)).reversed().map { line, date in
            order = min(order, date.time)
            return (line, date.time, order)
        }.reversed()
    }

    private func changes(
        in vault: Accounts.Vault, _ accounts: Accounts
    ) async throws(VaultError) -> [AuditLine] {
        let local = try await accounts.places.open(vault.id, access: .readOnly)
        var lines: [AuditLine] = []
        var after: UInt64 = 0
        let result: Result<Void, VaultError>
        do throws(VaultError) {
            while true {
                let page = try await local.audit(since: .min, after: after, limit: 4096)
                guard let last = page.last else { break }
                after = last.sequences.upperBound
                lines += page.filter { user == nil || $0.user == user }.map { AuditLine($0, in: vault.name) }
                if lines.count > limit { lines.removeFirst(lines.count - limit) }
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await local.close()
        try result.get()
        return lines
    }
}

/// One event of the audit trail, whichever database it is from.
private struct AuditLine {
    var time: Int64
    var user: String
    var peer: String
    var what: String
    var detail: String
    /// How often it happened, or how many names it was about.
    var count: Int

    init(time: Int64, user: String, peer: String, what: String, detail: String, count: Int) {
        (self.time, self.user, self.peer, self.what, self.detail) = (time, user, peer, what, detail)
        self.count = count
    }

    init(_ record: AuditRecord, in vault: String) {
        let others = record.count > 1 ? " and \(record.count - 1) more" : ""
        self.init(
            time: record.time, user: record.user, peer: record.peer, what: "\(record.action)",
            detail: "\(vault): \(record.name.map { "\($0)" } ?? "")\(others)", count: record.count)
    }

    var text: String {
        [Format.time(time), printable(user), peer.isEmpty ? "-" : printable(peer), what, printable(detail)].joined(
            separator: Output.isTerminal ? "  " : "\t")
    }

    var json: JSON {
        .object([
            ("time", .integer(Int(time))), ("event", .string(what)), ("user", .string(user)), ("peer", .string(peer)),
            ("detail", .string(detail)), ("count", .integer(count)),
        ])
    }
}
