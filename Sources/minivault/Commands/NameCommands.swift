import ArgumentParser
import VaultAccess
import VaultLua
import VaultModel

struct Stat: VaultCommand {
    static let configuration = CommandConfiguration(abstract: "Tell what the vault holds under a name.")
    static let purpose = VaultLocation.Purpose.read

    @OptionGroup var common: VaultOptions
    @Argument(help: "The name.")
    var name: String
    @Option(help: ArgumentHelp("An earlier version.", valueName: "n"))
    var version: UInt64?
    @Option(help: CommandText.timeHelp("The state as of a time"))
    var at: String?
    @Flag(help: "Print a JSON object.")
    var json = false

    func run(on vault: any Vault) async throws {
        let name = try CommandText.name(name)
        let selector = try CommandText.selector(version: version, at: at)
        guard let entry = try await vault.stat(name, selector) else {
            throw await VaultError.absent(name, selector).explained(selector, by: vault)
        }
        if json { return Output.line(Format.json(entry).text) }
        let tags = entry.tags.sorted { $0.key < $1.key }.map { printable("\($0.key)=\($0.value)") }
        let lines = [
            ("name", Format.name(entry.name)), ("kind", entry.kind.description),
            ("size", Output.isTerminal ? "\(Format.bytes(entry.size)) (\(entry.size) bytes)" : "\(entry.size)"),
            ("version", "\(entry.version)"), ("digest", entry.content.digest.description), ("mode", Format.mode(entry)),
            ("modified", Format.time(entry.modifiedSeconds)),
            ("saved", "\(Format.time(entry.savedAt)) by \(printable(entry.savedBy))"),
            ("tags", tags.joined(separator: " ")),
        ]
        for (label, value) in lines where !value.isEmpty {
            Output.line(Output.isTerminal ? "\(Format.padded(label, 8))  \(value)" : "\(label)\t\(value)")
        }
    }
}

struct History: VaultCommand {
    static let configuration = CommandConfiguration(abstract: "List all versions of a name, oldest first.")
    static let purpose = VaultLocation.Purpose.read

    @OptionGroup var common: VaultOptions
    @Argument(help: "The name.")
    var name: String
    @Flag(help: "Print one JSON object a version.")
    var json = false

    func run(on vault: any Vault) async throws {
        let name = try CommandText.name(name)
        let versions: [Entry]
        do throws(VaultError) {
            versions = try await vault.history(name)
        } catch {
            throw await error.about(name).explained(.current, by: vault)
        }
        for entry in versions { Output.line(json ? Format.json(entry).text : Format.version(entry)) }
    }
}

struct Remove: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove names, each with all below it. Their versions stay in the history.",
        discussion: """
            To have the space back, let 'keep' forget the versions, then run 'gc': 'minivault keep NAME --within 1s' \
            leaves nothing of a name that was removed before.
            """)
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions
    @Argument(help: "The names.")
    var names: [String]
    @Option(help: ArgumentHelp("The version that must be current.", valueName: "n"))
    var ifVersion: UInt64?
    @Flag(help: "Tell what would be removed, and remove nothing.")
    var dryRun = false

    func run(on vault: any Vault) async throws {
        var failures = Failures()
        for name in names {
            do throws(VaultError) {
                let prefix = NamePrefix(try CommandText.name(name))
                if dryRun {
                    try await tell(prefix, in: vault)
                    continue
                }
                let outcome = try await vault.changing(.remove(prefix, ifVersion: ifVersion))
                let count = outcome.count == 1 ? "" : " with what is below it: \(outcome.count) names"
                if !common.quiet { Output.note("removed \(prefix.top?.description ?? "")\(count)") }
            } catch {
                failures.add(error)
            }
        }
        try failures.finish()
    }

    /// Tells each name that a removal would take.
    private func tell(_ prefix: NamePrefix, in vault: any Vault) async throws(VaultError) {
        if let ifVersion, let top = prefix.top {
            let current = try await vault.stat(top, .current)?.version ?? 0
            guard current == ifVersion else {
                throw VaultError(.conflict, "'\(top)' is at version \(current), not \(ifVersion).", name: top)
            }
        }
        if let absence = try await vault.absence(of: prefix) { throw absence }
        var entries = EntryStream(vault, ListQuery(prefix: prefix))
        while let entry = try await entries.next() {
            if Task.isCancelled { throw .cancelled }
            Output.line("would remove \(Format.name(entry.name))")
        }
    }
}

struct Rename: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move a name, or a prefix and all below it, with its history.")
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions
    @Argument var from: String
    @Argument var to: String

    func run(on vault: any Vault) async throws {
        let outcome = try await vault.changing(.rename(from: CommandText.name(from), to: CommandText.name(to)))
        if !common.quiet { Output.note("\(outcome.count) renamed") }
    }
}

struct Copy: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give a name, or a prefix and all below it, a second name. No bytes move.")
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions
    @Argument var from: String
    @Argument var to: String

    func run(on vault: any Vault) async throws {
        let outcome = try await vault.changing(.copy(from: CommandText.name(from), to: CommandText.name(to)))
        if !common.quiet { Output.note("\(outcome.count) copied") }
    }
}

struct Revert: VaultCommand {
    static let configuration = CommandConfiguration(abstract: "Add a version that equals an earlier one.")
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions
    @Argument(help: "The name.")
    var name: String
    @Argument(help: "The version to go back to.")
    var version: UInt64

    func run(on vault: any Vault) async throws {
        let outcome = try await vault.changing(.revert(CommandText.name(name), version: version))
        if let entry = outcome.entry, !common.quiet { Output.note("\(entry.name) is at version \(entry.version)") }
    }
}

struct Tag: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "Set tags by KEY=VALUE and take tags away by KEY=; tell the tags without any.")
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions
    @Argument(help: "The name.")
    var name: String
    @Argument(help: ArgumentHelp("Tags to set or take away.", valueName: "key=value"))
    var tags: [String] = []

    func run(on vault: any Vault) async throws {
        let name = try CommandText.name(name)
        let changes = try CommandText.tags(tags).mapValues { $0.isEmpty ? nil : $0 }
        let outcome = try await vault.changing(.tag(name, changes))
        for (key, value) in (outcome.entry?.tags ?? [:]).sorted(by: { $0.key < $1.key }) {
            Output.line(printable("\(key)=\(value)"))
        }
    }
}
