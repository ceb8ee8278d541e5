import ArgumentParser
import VaultModel
import VaultServer

/// The options of a server that say which hooks it has, and what those may use.
struct ServeHookOptions: ParsableArguments {
    @Option(
        name: .customLong("hooks"),
        help: ArgumentHelp("The file of hooks, instead of hooks.lua in the data directory.", valueName: "file"))
    var file: String?
    @Flag(help: "Run no hooks, whatever there is.")
    var noHooks = false
    @OptionGroup var use: HookUseOptions
    @Option(help: ArgumentHelp("Processes for hooks that are quick, and as many for others (2).", valueName: "n"))
    var hookWorkers: Int?

    func validate() throws {
        if noHooks, file != nil { throw ValidationError("--hooks and --no-hooks exclude each other.") }
        if let hookWorkers, !(1...64).contains(hookWorkers) {
            throw ValidationError("--hook-workers takes a number from 1 to 64.")
        }
    }

    /// Nil for no hooks.
    func settings(data: LocalPath) -> HookSettings? {
        if noHooks { return nil }
        var settings = HookSettings(file: file.map { CommandText.path($0) } ?? data.appending("hooks.lua"))
        settings.isFileOptional = file == nil
        use.apply(to: &settings)
        if let hookWorkers { settings.workers = hookWorkers }
        return settings
    }
}

/// What hooks may use besides their vault.
struct HookUseOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Let hooks start this program; may be repeated.", valueName: "program"))
    var hooksExec: [String] = []
    @Option(help: ArgumentHelp("Let hooks connect to vaults on this host; may be repeated.", valueName: "host"))
    var hooksConnect: [String] = []
    @Option(help: ArgumentHelp("Let Lua allocate no more than this in a process (64M).", valueName: "size"))
    var hookMemory: ByteSize?

    func apply(to settings: inout HookSettings) {
        // As they were typed.
        settings.programs = hooksExec.map { CommandText.bytes($0) }
        settings.hosts = hooksConnect.map { String(decoding: CommandText.bytes($0), as: UTF8.self) }
        if let hookMemory {
            settings.memoryBytes = min(Int(clamping: hookMemory.bytes), HookWorkerCommand.memoryBytesMax)
        }
    }

    func validate() throws {
        if let hookMemory, hookMemory.bytes < 4 << 20 { throw ValidationError("Hooks need 4M of memory at least.") }
    }
}
