import ArgumentParser
import VaultLua
import VaultModel
import VaultServer
import VaultStore

struct HookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hook", abstract: "Try a server's hooks, and look after events that they could not be told of.",
        subcommands: [HookCheck.self, HookTest.self, HookFailed.self, HookRetry.self])
}

struct HookCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Load a file of hooks as a server would, and tell what it asks for.")

    @OptionGroup var use: HookUseOptions
    @Argument(help: "The file of hooks.") var file: String

    func run() async throws {
        let hooks = try await HookTrial(CommandText.path(file), use).run().hooks
        for hook in hooks { Output.line(hook.line) }
        Output.note(hooks.count == 1 ? "1 hook, and nothing is wrong." : "\(hooks.count) hooks, and nothing is wrong.")
    }
}

struct HookTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run hooks on local files as if they were saved, read or removed, without a server.",
        discussion: """
            The hooks act on a vault that is made for the test and goes with it. What they print is printed, then what they \
            decide. Exit codes: 7 where something is rejected, 1 where a hook fails.
            """)

    @OptionGroup var use: HookUseOptions
    @Option(help: ArgumentHelp("The event, such as before_save or save.", valueName: "event"))
    var event: String
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("The name, or with a '/' at its end the prefix, of the files.", valueName: "name"))
    var name: String?
    @Option(help: ArgumentHelp("Who saves, reads, removes or logs in.", valueName: "user"))
    var user = "anna"
    @Argument(help: "The file of hooks.") var file: String
    @Argument(help: ArgumentHelp("Files for the events to be about; none for 'login' and 'every'.", valueName: "local"))
    var files: [String] = []

    func validate() throws {
        guard let kind = HookKind(rawValue: event) else {
            throw ValidationError(
                "'\(printable(event))' is no event: \(HookKind.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        let isAlone = kind == .login || kind == .schedule
        if isAlone, !files.isEmpty { throw ValidationError("'\(event)' is about no file.") }
        if !isAlone, files.isEmpty { throw ValidationError("'\(event)' is about a file: name one.") }
        if files.count > 1, let name, !CommandText.isPrefix(name) {
            throw ValidationError("--as with several files must end in '/'.")
        }
    }

    func run() async throws {
        guard let kind = HookKind(rawValue: event) else { return }
        let subjects = try files.map { CommandText.path($0) }.map { path in
            HookTrial.Subject(path: path, name: try CommandText.name(of: path, as: name))
        }
        let events = HookTrial.Events(kind: kind, user: try CommandText.text(user), subjects: subjects)
        let report = try await HookTrial(CommandText.path(file), use, events).run()
        if let worst = report.statuses.first(where: { $0 != .done }) { throw CommandFailure(status: worst) }
    }
}

struct HookFailed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "failed", abstract: "List events that hooks have failed on for good, with their errors.")

    @OptionGroup var data: DataOptions
    @Option(help: ArgumentHelp("Only those of this vault.", valueName: "vault")) var vault: String?
    @Flag(help: "Print one JSON object an event.") var json = false

    func run() async throws {
        try await OutboxVaults(data, vault).visit { (name, local) throws(VaultError) in
            var after: UInt64 = 0
            while true {
                let page = try await local.outbox(failed: true, after: after, limit: OutboxVaults.pageMax)
                guard let last = page.last else { return }
                after = last.number
                for record in page { Output.line(json ? record.json(in: name).text : record.text(in: name)) }
            }
        }
    }
}

struct HookRetry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Have hooks told again of events that they have failed on.")

    @OptionGroup var data: DataOptions
    @Option(help: ArgumentHelp("Only those of this vault.", valueName: "vault")) var vault: String?
    @Argument(help: ArgumentHelp("The ids of events; none for all.", valueName: "id")) var ids: [String] = []

    func validate() throws { _ = try events() }

    func run() async throws {
        let events = try events()
        var count = 0
        try await OutboxVaults(data, vault).visit { (_, local) throws(VaultError) in
            count += try await local.retryFailed(events)
        }
        if let events, count < events.count {
            throw VaultError(.notFound, "\(count) of \(events.count) events were found among those that have failed.")
        }
        // A server on this data looks at once; those on engines look by themselves.
        if !data.isShared { try Server.askForRetry(in: data.directory) }
        Output.line(count == 1 ? "1 event is told again." : "\(count) events are told again.")
    }

    private func events() throws -> [UniqueID]? {
        if ids.isEmpty { return nil }
        return try ids.map { text in
            guard let id = UniqueID(text) else { throw ValidationError("'\(printable(text))' is no event's id.") }
            return id
        }
    }
}

/// The vaults of a server, or one of them, for who looks at their outboxes.
private struct OutboxVaults {
    static let pageMax = 256

    private let data: DataOptions
    private let vault: String?

    init(_ data: DataOptions, _ vault: String?) {
        self.data = data
        self.vault = vault
    }

    func visit(
        _ body: (String, StoredVault) async throws(VaultError) -> Void
    ) async throws(VaultError) {
        let accounts = try await data.open()
        var isFound = false
        for known in try accounts.vaults() where vault == nil || known.name == vault {
            isFound = true
            let local = try await accounts.places.open(known.id, access: .readWrite)
            do throws(VaultError) {
                try await body(known.name, local)
            } catch {
                await local.close()
                throw error
            }
            await local.close()
        }
        if let vault, !isFound { throw VaultError(.notFound, "There is no vault '\(printable(vault))'.") }
    }
}

extension OutboxRecord {
    fileprivate func text(in vault: String) -> String {
        let fields = [
            "\(event.id)", vault, event.kind.rawValue, "\(event.name)", "\(failures) attempts",
            Format.time(event.time),
        ]
        let trace = (traceback ?? "").split(separator: "\n").map { "\n    " + printable(String($0)) }.joined()
        return fields.joined(separator: Output.isTerminal ? "  " : "\t") + "\n    \(printable(error ?? ""))" + trace
    }

    fileprivate func json(in vault: String) -> JSON {
        .object([
            ("id", .string("\(event.id)")), ("vault", .string(vault)), ("event", .string(event.kind.rawValue)),
            ("name", .string(event.name.text)), ("user", .string(event.user)), ("time", .integer(Int(event.time))),
            ("attempts", .integer(failures)), ("error", .string(error ?? "")), ("traceback", .string(traceback ?? "")),
        ])
    }
}

extension HookDeclaration {
    /// What `hook check` tells of it.
    fileprivate var line: String {
        var fields = [place, kind.rawValue]
        if let pattern { fields.append("match=\(printable(pattern))") }
        switch schedule {
        case nil: break
        case .interval(let seconds): fields.append("interval=\(seconds)s")
        case .daily(let seconds): fields.append("at=\(HookDeclaration.clock(seconds))")
        }
        if priority != 0 { fields.append("priority=\(HookDeclaration.text(priority))") }
        fields.append("timeout=\(HookDeclaration.text(timeout / .seconds(1)))s")
        if acceptsErrors { fields.append("on_error=accept") }
        if hearsHooks { fields.append("from_hooks") }
        return fields.joined(separator: Output.isTerminal ? "  " : "\t")
    }

    private static func text(_ number: Double) -> String { Int(exactly: number).map { "\($0)" } ?? "\(number)" }

    /// `03:00`.
    private static func clock(_ seconds: Int) -> String {
        [seconds / 3600, seconds / 60 % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
    }
}
