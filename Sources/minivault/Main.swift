import ArgumentParser
import Glibc
import VaultModel

@main
struct Main {
    static func main() async {
        let arguments = CommandText.arguments
        do {
            var command = try Minivault.parseAsRoot(Array(arguments.dropFirst()))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            Output.finish(.done)
        } catch let failure as CommandFailure {
            Output.finish(failure.status)
        } catch let error as VaultError {
            Output.report(error)
            Output.finish(ExitStatus(error))
        } catch {
            finish(error)
        }
    }

    /// Ends with what the argument parser says: help on standard output, wrong usage on standard error.
    private static func finish(_ error: any Error) -> Never {
        let isHelp = Minivault.exitCode(for: error).isSuccess
        let text = Minivault.fullMessage(for: error)
        if isHelp { Output.line(text) } else { Output.note(text) }
        Output.finish(isHelp ? .done : .usage)
    }
}

struct Minivault: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "minivault",
        abstract: "A vault for files: durable, deduplicated, with every version kept, and scripted in Lua.",
        discussion: """
            The vault is a directory, named by --vault or MINIVAULT_VAULT; without either it is the one in \
            $XDG_DATA_HOME/minivault/default.
            """,
        subcommands: [
            Save.self, Read.self, List.self, PushCommand.self, PullCommand.self, Stat.self, History.self, Remove.self,
            Rename.self, Copy.self, Revert.self, Tag.self, CompareCommand.self, Keep.self, Collect.self, Verify.self,
            Run.self,
        ]
    )
}
