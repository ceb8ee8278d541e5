import ArgumentParser
import VaultLua
import VaultModel

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a Lua script with the global 'vault'; '-' is standard input.")

    @OptionGroup
    var common: VaultOptions
    @Option(help: ArgumentHelp("Let Lua allocate no more than this, such as 200M.", valueName: "size"))
    var memory: ByteSize?
    @Option(help: ArgumentHelp("Stop the script after this time, such as 90s or 2h.", valueName: "duration"))
    var timeout: TimeLimit?
    @Argument(help: "The script.")
    var script: String
    @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("What the script finds in 'arg'.", valueName: "arg"))
    var arguments: [String] = []

    func run() async throws {
        let stop = ScriptStop()
        Run.watchOutput(stop)
        Interruption.whenAsked { stop.stop(VaultError(.cancelled, "The script was interrupted.")) }
        let runner = ScriptRunner(
            common.host(whenOpened: { Run.watchOutput(stop) }), stop: stop,
            memoryLimitBytes: memory.map { Int(clamping: $0.bytes) }
        )
        let commandLine = CommandText.arguments
        let position = commandLine.count - arguments.count - 1
        let deadline = timeout.map { Deadline($0, stop) }
        let failure = await runner.run(
            ScriptRunner.Script(
                file: CommandText.bytes(script), arguments: arguments.map { CommandText.bytes($0) },
                commandLine: commandLine.map { CommandText.bytes($0) }, position: position))
        deadline?.cancel()
        if let reason = stop.reason {
            Output.report(reason)
            throw CommandFailure(status: ExitStatus(reason))
        }
        guard let failure else { return }
        if let text = failure.text { Output.note("minivault: \(text)") }
        throw CommandFailure(status: .failed)
    }

    /// Has a script end that prints to nobody. Where one writes to another program that has ended, it is told by the
    /// failure of the call, as without this.
    private static func watchOutput(_ stop: ScriptStop) {
        Interruption.whenPipeBreaks {
            guard Output.isBroken else { return }
            stop.stop(VaultError(.invalid, "The script was stopped: nobody reads its output any more."))
        }
    }
}

/// Stops a script that runs too long.
private final class Deadline: Sendable {
    /// Twice the time in which a script can clean up.
    private static let graceSeconds = 10

    private let timer: Task<Void, any Error>

    init(_ limit: TimeLimit, _ stop: ScriptStop) {
        timer = Task {
            try await Task.sleep(for: .seconds(limit.seconds))
            let reason = VaultError(.timeout, "The script was stopped: it ran for more than \(limit.text).")
            stop.stop(reason)
            // What is deaf to that, such as a function of C that waits for a program, ends with the process.
            try await Task.sleep(for: .seconds(Deadline.graceSeconds))
            Output.report(reason)
            Output.finish(ExitStatus(reason))
        }
    }

    func cancel() {
        timer.cancel()
    }
}

/// A duration as people type it, of one second at least.
struct TimeLimit: ExpressibleByArgument {
    let text: String
    let seconds: Int64

    init?(argument text: String) {
        guard let seconds = try? CivilDuration.seconds(text), seconds > 0 else { return nil }
        self.text = text
        self.seconds = seconds
    }
}
