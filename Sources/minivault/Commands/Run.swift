import ArgumentParser
import LuaEngine
import VaultLua
import VaultModel

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a Lua script with the global 'vault'; '-' is standard input.")

    @Option(
        name: .long,
        help: ArgumentHelp("The vault: a directory, or minivault://[user@]host[:port][/vault].", valueName: "vault"))
    var vault: String?
    @Option(help: ArgumentHelp("Send and receive no more than this a second, such as 2M.", valueName: "size"))
    var bandwidth: ByteSize?
    @Argument(help: "The script.")
    var script: String
    @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("What the script finds in 'arg'.", valueName: "arg"))
    var arguments: [String] = []

    func run() async throws {
        let interrupt = LuaInterrupt()
        Interruption.whenAsked { interrupt.interrupt() }
        let (vault, remote) = (vault, RemoteLocation.Choices(bandwidth: bandwidth?.bytes))
        let runner = ScriptRunner(
            opening: { () async throws(VaultError) in try await VaultLocation.open(vault, for: .fill, remote: remote) },
            connecting: { (url) async throws(VaultError) in
                try await VaultLocation.open(url, for: .fill, remote: remote)
            },
            interrupt: interrupt)
        let commandLine = CommandText.arguments
        let position = commandLine.count - arguments.count - 1
        let failure = await runner.run(
            ScriptRunner.Script(
                file: CommandText.bytes(script), arguments: arguments.map { CommandText.bytes($0) },
                commandLine: commandLine.map { CommandText.bytes($0) }, position: position))
        guard let failure else { return }
        if let text = failure.text { Output.note("minivault: \(text)") }
        throw CommandFailure(status: interrupt.isInterrupted ? .interrupted : .failed)
    }
}
