import ArgumentParser
import VaultAccess
import VaultLua
import VaultModel

/// The options that push and pull share.
struct TreeArguments: ParsableArguments {
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Only what matches this pattern by gitignore's rules; may be repeated.", valueName: "glob"))
    var include: [String] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Nothing that matches this pattern; may be repeated.", valueName: "glob"))
    var exclude: [String] = []
    @Flag(help: "Remove what the other side does not have.")
    var delete = false
    @Flag(help: "Tell what would be done, and do nothing.")
    var dryRun = false
    @Option(help: ArgumentHelp("Remove nothing if more than this many would be.", valueName: "n"))
    var maxDelete: Int?
    @Flag(help: "Compare by content, not by size and times.")
    var checksum = false
    @Flag(help: "Print one JSON object a file.")
    var json = false
    @Option(help: ArgumentHelp("'continue' does not let failed files change the exit code.", valueName: "what"))
    var onError: String?

    func validate() throws {
        if let onError, onError != "continue" { throw ValidationError("--on-error takes 'continue' only.") }
        if let maxDelete, maxDelete < 0 { throw ValidationError("--max-delete cannot be negative.") }
    }

    func treeOptions() throws(VaultError) -> TreeOptions {
        var options = TreeOptions()
        options.filter = try TreeFilter(
            include: include.map { CommandText.bytes($0) }, exclude: exclude.map { CommandText.bytes($0) })
        options.deletes = delete
        options.deleteMax = maxDelete
        options.checksum = checksum
        options.isDryRun = dryRun
        return options
    }

    /// Tells what happens to each file: as JSON, or in a dry run.
    func tell(_ event: TreeEvent, isQuiet: Bool) {
        switch event {
        case .saved(_, let outcome):
            if json { Output.event(Format.json(outcome).text) }
        case .wrote(_, let entry):
            if json { Output.event(Format.json(entry).text) }
        case .wouldSave(let path, let name):
            let text = Format.text(path)
            tellDry(
                "save", json: [("path", text), ("name", name.text)],
                "would save \(printable(text)) as \(Format.name(name))")
        case .wouldWrite(let path, let entry):
            let text = Format.text(path)
            tellDry(
                "write", json: [("name", entry.name.text), ("path", text)],
                "would write \(printable(text)) from \(Format.name(entry.name))")
        case .removed(let name):
            if dryRun { tellDry("remove", json: [("name", name.text)], "would remove \(Format.name(name))") }
        case .removedLocal(let path):
            let text = Format.text(path)
            if dryRun { tellDry("remove", json: [("path", text)], "would remove \(printable(text))") }
        case .skipped(let path, let reason):
            if !isQuiet { Output.note("minivault: skipped '\(path)': it \(reason).") }
        case .failed(_, let error):
            Output.report(error)
        }
    }

    private func tellDry(_ action: String, json members: [(key: String, value: String)], _ text: String) {
        guard json else { return Output.line(text) }
        let object = [("would", JSON.string(action))] + members.map { ($0.key, JSON.string($0.value)) }
        Output.event(JSON.object(object).text)
    }

    /// Sums up, and ends with the status of the first failure.
    func finish(_ report: TreeReport, verb: String, isQuiet: Bool) throws {
        if !isQuiet {
            Output.note(
                "\(dryRun ? "would be: " : "")\(report.saved) \(verb), \(report.skipped) skipped, "
                    + "\(report.removed) removed, \(report.failed.count) failed; \(Format.bytes(report.bytes)), \(Format.bytes(report.newBytes)) new"
            )
        }
        if report.changed > 0 { Output.note("minivault: \(TreeReport.changedText(report.changed))") }
        if report.unset > 0 { Output.note("minivault: \(TreeReport.unsetText(report.unset))") }
        if !isQuiet {
            for pattern in report.unmatched {
                Output.note("minivault: the pattern '\(printable(pattern))' matched nothing.")
            }
        }
        if let first = report.failed.first, onError == nil {
            throw CommandFailure(status: ExitStatus(first.error))
        }
    }
}

struct PushCommand: VaultCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Mirror a local tree into the vault.")
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions
    @OptionGroup var tree: TreeArguments
    @Argument(help: "The tree.")
    var directory: String
    @Argument(help: "The prefix to save below; the directory's last part without one.")
    var prefix: String?
    @Flag(help: "Fail for files that keep changing while they are read, rather than save them as they were read.")
    var strict = false

    func run(on vault: any Vault) async throws {
        let root = CommandText.path(directory)
        let prefix = try prefix.map { try CommandText.prefix($0) } ?? NamePrefix.ofDirectory(root)
        var chosen = try tree.treeOptions()
        chosen.isStrict = strict
        let (tree, isQuiet, options) = (tree, common.quiet, chosen)
        FillHistory.note(vault, prefix, root, isDryRun: tree.dryRun) { Output.note("minivault: \($0)") }
        let report = try await drawing(isTree: true) { (meter) throws(VaultError) in
            try await Push(to: vault, options: options, meter: meter) { tree.tell($0, isQuiet: isQuiet) }
                .run(root, prefix)
        }
        try tree.finish(report, verb: "saved", isQuiet: isQuiet)
    }
}

struct PullCommand: VaultCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Mirror a prefix of the vault into a local directory.")
    static let purpose = VaultLocation.Purpose.read

    @OptionGroup var common: VaultOptions
    @OptionGroup var tree: TreeArguments
    @Argument(help: "The prefix; '/' for everything.")
    var prefix: String
    @Argument(help: "The directory, which is made where it is missing.")
    var directory: String
    @Option(help: CommandText.timeHelp("The state as of a time"))
    var at: String?

    func run(on vault: any Vault) async throws {
        var options = try tree.treeOptions()
        options.selector = try CommandText.selector(version: nil, at: at)
        let (tree, isQuiet, chosen) = (tree, common.quiet, options)
        let (prefix, root) = (try CommandText.prefix(prefix), CommandText.path(directory))
        let report = try await drawing(isTree: true) { (meter) throws(VaultError) in
            try await Pull(from: vault, options: chosen, meter: meter) { tree.tell($0, isQuiet: isQuiet) }
                .run(prefix, root)
        }
        try tree.finish(report, verb: "written", isQuiet: isQuiet)
    }
}

struct CompareCommand: VaultCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Tell how a local tree differs from a prefix of the vault.",
        discussion: "Exit codes: 0 where nothing differs, 8 where something does, others where not all could be read.")
    static let purpose = VaultLocation.Purpose.read

    @OptionGroup var common: VaultOptions
    @Argument(help: "The tree.")
    var directory: String
    @Argument(help: "The prefix; the directory's last part without one.")
    var prefix: String?
    @Option(help: CommandText.timeHelp("The state as of a time"))
    var at: String?
    @Flag(help: "Read all content, also of files that look unchanged.")
    var checksum = false
    @Flag(help: "Print one JSON object a difference.")
    var json = false

    func run(on vault: any Vault) async throws {
        let root = CommandText.path(directory)
        var options = TreeOptions()
        options.checksum = checksum
        options.selector = try CommandText.selector(version: nil, at: at)
        let prefix = try prefix.map { try CommandText.prefix($0) } ?? NamePrefix.ofDirectory(root)
        var compare = try Compare(vault, root, prefix, options)
        // Against a mistyped prefix all of the tree is new.
        let absence = try await vault.absence(of: prefix, at: options.selector)
        if let absence, !common.quiet { Output.report(absence) }
        var failures = Failures()
        var isEqual = true
        while true {
            if Task.isCancelled { throw VaultError.cancelled }
            do throws(VaultError) {
                guard let difference = try await compare.next() else { break }
                isEqual = false
                Output.line(
                    json
                        ? Format.json(difference).text
                        : "\(Format.padded(difference.change.rawValue, 7))  \(Format.name(difference.name))")
            } catch {
                failures.add(error)
            }
        }
        try failures.finish()
        if !isEqual { throw CommandFailure(status: .different) }
    }
}
