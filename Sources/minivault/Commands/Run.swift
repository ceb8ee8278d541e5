import ArgumentParser
import Glibc
import LuaEngine
import Synchronization
import VaultLua
import VaultModel

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a Lua script with the global 'vault'; '-' is standard input.")

    @OptionGroup
    var options: ScriptOptions
    @Option(help: ArgumentHelp("Let Lua allocate no more than this, such as 200M.", valueName: "size"))
    var memory: ByteSize?
    @Option(help: ArgumentHelp("Stop the script after this time, such as 90s or 2h.", valueName: "duration"))
    var timeout: TimeLimit?
    @Argument(help: "The script.")
    var script: String
    @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("What the script finds in 'arg'.", valueName: "arg"))
    var arguments: [String] = []

    func run() async throws {
        let interrupt = LuaInterrupt()
        Interruption.whenAsked { interrupt.interrupt() }
        let runner = ScriptRunner(
            options.host(), interrupt: interrupt, memoryLimitBytes: memory.map { Int(clamping: $0.bytes) })
        let commandLine = CommandText.arguments
        let position = commandLine.count - arguments.count - 1
        let deadline = timeout.map { Deadline($0, interrupt) }
        let failure = await runner.run(
            ScriptRunner.Script(
                file: CommandText.bytes(script), arguments: arguments.map { CommandText.bytes($0) },
                commandLine: commandLine.map { CommandText.bytes($0) }, position: position))
        deadline?.cancel()
        guard let failure else { return }
        deadline?.endIfOverdue()
        if let text = failure.text { Output.note("minivault: \(text)") }
        throw CommandFailure(status: interrupt.isInterrupted ? .interrupted : .failed)
    }
}

/// Stops a script that runs too long.
private final class Deadline: Sendable {
    private static let graceSeconds = 5

    private let limit: TimeLimit
    private let isOverdue = Atomic<Bool>(false)
    private let timer = Mutex<Task<Void, any Error>?>(nil)

    init(_ limit: TimeLimit, _ interrupt: LuaInterrupt) {
        self.limit = limit
        let task = Task { [self] in
            try await Task.sleep(for: .seconds(limit.seconds))
            isOverdue.store(true, ordering: .relaxed)
            interrupt.interrupt()
            // What is deaf to that, such as a function of C that waits for a program, ends with the process.
            try await Task.sleep(for: .seconds(Deadline.graceSeconds))
            endIfOverdue()
        }
        timer.withLock { $0 = task }
    }

    func cancel() {
        timer.withLock { $0 }?.cancel()
    }

    /// Ends the process if the time is over.
    func endIfOverdue() {
        guard isOverdue.load(ordering: .relaxed) else { return }
        Output.note("minivault: The script was stopped: it ran for more than \(limit.text).")
        Output.finish(.unavailable)
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
