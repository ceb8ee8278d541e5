import ArgumentParser
@preconcurrency import Glibc
import LineEditor
import LuaEngine
import Synchronization
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
        let presses = Presses()
        Interruption.whenAsked(isLasting: true) {
            if presses.count(isUnheard: interrupt.isInterrupted) {
                LineEditor.restoreTerminal()
                _exit(ExitStatus.interrupted.rawValue)
            }
            interrupt.interrupt()
        }
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
            // A terminal that moves no cursor gets a prompt and no more.
            let isPlain = [[], Array("dumb".utf8)].contains(EnvironmentVariable.bytes("TERM") ?? [])
            guard isTerminal, !isPlain else { return StandardInput(isTerminal: isTerminal) }
            return LineEditor(history: LineHistory(file: Repl.historyFile)) ?? StandardInput(isTerminal: true)
        }
        if !settings.isInteractive || !settings.readsLines, !isWell { throw CommandFailure(status: .failed) }
    }

    /// Nil for a user without a home directory.
    private static var historyFile: LocalPath? {
        (try? UserDirectories.current.stateHome)?.appending("minivault/lua-history")
    }
}

/// Presses of Ctrl-C that have nothing come of them, as while a C function runs: the third within 2 s ends the program.
private final class Presses: Sendable {
    private let unheard = Mutex<[ContinuousClock.Instant]>([])

    /// Counts one more.
    ///
    /// - Parameter isUnheard: whether the one before is still to have an effect.
    /// - Returns: whether that is enough.
    func count(isUnheard: Bool) -> Bool {
        unheard.withLock { unheard in
            let now = ContinuousClock.now
            unheard = isUnheard ? unheard.filter { now - $0 < .seconds(2) } : []
            unheard.append(now)
            return unheard.count >= 3
        }
    }
}

/// Lines of a standard input at which nobody types, or that nobody edits.
private final class StandardInput: LineSource {
    private let isTerminal: Bool

    init(isTerminal: Bool) {
        self.isTerminal = isTerminal
    }

    func read(_ prompt: LinePrompt, for client: any LineClient) -> LineInput {
        if isTerminal { print(String(decoding: prompt.first, as: UTF8.self), terminator: "") }
        fflush(nil)
        var (line, capacity): (UnsafeMutablePointer<CChar>?, Int) = (nil, 0)
        defer { free(line) }
        guard !client.isInterrupted, case let count = getline(&line, &capacity, stdin), count >= 0 else { return .end }
        let bytes = UnsafeRawBufferPointer(start: line, count: count)
        return .line(Array(bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...]))
    }

    func remember(_ entry: [UInt8]) {}
}
