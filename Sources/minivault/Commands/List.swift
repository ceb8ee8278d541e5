import ArgumentParser
import VaultAccess
import VaultLua
import VaultModel

struct List: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the names under a prefix, in their order.")
    static let purpose = VaultLocation.Purpose.read

    @OptionGroup var common: VaultOptions
    @Argument(help: "The prefix; everything without one.")
    var prefix: String?
    @Flag(name: .shortAndLong, help: "Mode, size, time and version too.")
    var long = false
    @Flag(help: "Print one JSON object an entry.")
    var json = false
    @Flag(help: "All versions, removals included.")
    var versions = false
    @Option(help: CommandText.timeHelp("The state as of a time"))
    var at: String?

    func run(on vault: any Vault) async throws {
        let query = ListQuery(
            prefix: try CommandText.prefix(prefix), selector: try CommandText.selector(version: nil, at: at),
            includesVersions: versions)
        var entries = EntryStream(vault, query)
        var isEmpty = true
        while let entry = try await entries.next() {
            isEmpty = false
            if Task.isCancelled { throw VaultError.cancelled }
            if json {
                Output.line(Format.json(entry).text)
            } else if long || versions {
                Output.line(Format.long(entry))
            } else {
                Output.line(Format.name(entry.name))
            }
        }
        guard isEmpty else { return }
        let absence = try await vault.absence(of: query.prefix, at: query.selector, includesVersions: versions)
        if let absence { throw absence }
    }
}
