import ArgumentParser
import Glibc
import VaultAccess
import VaultLua
import VaultModel

struct Save: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "Save files, each under its last part or the name given by --as.")
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions
    @Argument(help: ArgumentHelp("Files to save; '-' is standard input.", valueName: "file"))
    var files: [String]
    @Option(name: .customLong("as"), help: "The name, or with a '/' at its end the prefix, to save under.")
    var name: String?
    @Option(name: .customLong("tag"), parsing: .singleValue, help: ArgumentHelp("A tag.", valueName: "key=value"))
    var tags: [String] = []
    @Option(help: ArgumentHelp("The version that must be current; 0 for none.", valueName: "n"))
    var ifVersion: UInt64?
    @Flag(help: "Print one JSON object a file.")
    var json = false
    @Flag(help: "Refuse a file that keeps changing while it is read, rather than save it as it was read.")
    var strict = false

    func validate() throws {
        let isPrefix = name.map { CommandText.isPrefix($0) } ?? true
        if files.count > 1, !isPrefix { throw ValidationError("--as with several files must end in '/'.") }
        if files.contains("-"), isPrefix { throw ValidationError("Standard input has no name: give one by --as.") }
    }

    func run(on vault: any Vault) async throws {
        let tags = try CommandText.tags(tags)
        for file in files where (try? FileStatus(of: CommandText.path(file)))?.kind == .directory {
            throw ValidationError("'\(CommandText.path(file))' is a directory: use push to save a tree.")
        }
        try checkNames()
        var failures = Failures()
        for file in files {
            if Task.isCancelled { throw VaultError.cancelled }
            do throws(VaultError) {
                let outcome = try await drawing { (meter) throws(VaultError) in
                    try await save(file, tags: tags, in: vault, meter)
                }
                tell(outcome)
            } catch {
                if error.code == .cancelled { throw error }
                failures.add(error)
            }
        }
        try failures.finish()
    }

    /// Refuses two files that would go under one name: the second would take the place of the first.
    private func checkNames() throws {
        var paths: [Name: LocalPath] = [:]
        for file in files where file != "-" {
            let path = CommandText.path(file)
            let name = try CommandText.name(of: path, as: name)
            if let other = paths.updateValue(path, forKey: name), !path.isSameFile(as: other) {
                throw ValidationError(
                    "'\(other)' and '\(path)' would both go under '\(name)': save them one by one, each --as a name.")
            }
        }
    }

    private func save(
        _ file: String, tags: [TagText: TagText], in vault: any Vault, _ meter: TransferMeter
    ) async throws(VaultError) -> SaveOutcome {
        if file == "-" {
            let intent = SaveIntent(
                name: try CommandText.name(name ?? ""),
                attributes: Attributes(mode: 0o644, modified: currentNanoseconds()), tags: tags, ifVersion: ifVersion)
            meter.begin(intent.name)
            let input = OpenFile(descriptor: dup(STDIN_FILENO), path: LocalPath("standard input"))
            return try await FileSave(to: vault, meter: meter).saveStream(input, intent)
        }
        let path = CommandText.path(file)
        return try await FileSave(to: vault, meter: meter, isStrict: strict)
            .save(path, as: try CommandText.name(of: path, as: name), tags: tags, ifVersion: ifVersion)
    }

    private func tell(_ outcome: SaveOutcome) {
        if outcome.entry.isChangedWhileRead { Output.note("minivault: \(TreeReport.changedText(1))") }
        if json {
            Output.event(Format.json(outcome).text)
        } else if !common.quiet {
            Output.event(Summary.saved(outcome))
        }
    }
}

extension LocalPath {
    /// Whether both paths lead to one file now.
    fileprivate func isSameFile(as other: LocalPath) -> Bool {
        if self == other { return true }
        guard let identity = try? FileStatus(of: self).identity else { return false }
        return identity == (try? FileStatus(of: other).identity)
    }
}

/// What became of a save, in a line.
enum Summary {
    static func saved(_ outcome: SaveOutcome) -> String {
        let entry = outcome.entry
        guard outcome.isTold else { return "\(Format.name(entry.name))  saved  \(Format.bytes(entry.size))" }
        let what = outcome.isCreated ? "version \(entry.version)" : "version \(entry.version), unchanged"
        return "\(Format.name(entry.name))  \(what)  \(Format.bytes(entry.size))  \(Format.bytes(outcome.newBytes)) new"
    }
}
