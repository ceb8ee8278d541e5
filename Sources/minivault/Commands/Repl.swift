import ArgumentParser
import Glibc
import LineEditor
import LuaEngine
import VaultLua
import VaultModel

struct Repl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "An interactive Lua prompt with the global 'vault'; also what minivault alone does on a terminal.")

    @OptionGroup
    var common: VaultOptions
    @Option(
        name: .short, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Run this chunk and print its value; then end, unless -i is given.", valueName: "chunk"))
    var execute: [String] = []
    @Option(
        name: .short, help: ArgumentHelp("Run this script first, then prompt; '-' for none.", valueName: "script"))
    var interactive: String?

    func run() async throws {
        let interrupt = LuaInterrupt()
        Interruption.whenAsked(isLasting: true) { interrupt.interrupt() }
        let isTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
        var settings = Prompt.Settings()
        settings.isInteractive = isTerminal
        settings.hasColors = Output.hasColors
        settings.chunks = try execute.map { try CommandText.text($0) }
        settings.readsLines = execute.isEmpty || interactive != nil
        if let interactive, interactive != "-" {
            settings.script = ScriptRunner.Script(
                file: CommandText.bytes(interactive), arguments: [],
                commandLine: [Array("minivault".utf8), CommandText.bytes(interactive)], position: 1)
        }
        var draw: (@Sendable (TransferMeter?) -> Void)?
        if isTerminal, Output.showsProgress, !common.quiet {
            let progress = PromptProgress()
            draw = { progress.draw($0) }
        }
        let prompt = Prompt(common.host(prefix: "", draw: draw), interrupt: interrupt, settings)
        let isWell = try await prompt.run {
            guard isTerminal else { return StandardInput() }
            return LineEditor(program: "minivault", history: LineHistory(file: Repl.historyFile))
        }
        if !settings.isInteractive || !settings.readsLines, !isWell { throw CommandFailure(status: .failed) }
    }

    /// Nil for a user without a home directory.
    private static var historyFile: LocalPath? {
        (try? UserDirectories.current.stateHome)?.appending("minivault/lua-history")
    }
}

/// Lines of a standard input at which nobody types.
private final class StandardInput: LineSource {
    func read(_ prompt: String, for client: any LineClient) -> LineInput {
        guard !client.isInterrupted, let line = readLine() else { return .end }
        return .line(line)
    }

    func makeRoom() {}
    func remember(_ entry: String) {}
}
