import ArgumentParser
import Glibc
import VaultLua
import VaultModel

@main
struct Main {
    static func main() async {
        occupyStandardStreams()
        OpenFileLimit.raise()
        do {
            var command = try Minivault.parseAsRoot(words(CommandText.arguments.dropFirst()))
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

    /// Opens the standard streams that the caller has closed, so that no file of the vault gets their numbers and the
    /// results with them. They are opened the wrong way round: using them fails as if they were closed.
    private static func occupyStandardStreams() {
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) < 0 {
            _ = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// The command line with a vault that is named before the command moved behind it, where the commands' own
    /// options are. Nothing else at a terminal means the prompt.
    private static func words(_ arguments: ArraySlice<String>) -> [String] {
        let isAtTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
        guard let first = arguments.first else { return isAtTerminal ? ["repl"] : [] }
        let count = first == "--vault" ? 2 : first.hasPrefix("--vault=") ? 1 : 0
        if arguments.elementsEqual(["help", "lua"]) { return ["help-lua"] }
        if isAtTerminal, count > 0, arguments.count == count { return ["repl"] + arguments }
        guard count > 0, arguments.count > count else { return Array(arguments) }
        let rest = arguments.dropFirst(count)
        return Array(rest.prefix(1) + arguments.prefix(count) + rest.dropFirst())
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
            The vault is a directory or minivault://[user@]host[:port][/vault], named by --vault or MINIVAULT_VAULT; \
            without either it is the one in $XDG_DATA_HOME/minivault/default. 'minivault help lua' is the tutorial and \
            the reference of scripts.

            Times are shown by the local clocks on a terminal, and in UTC with a 'Z' elsewhere; JSON has seconds since \
            1970 UTC. They are typed as they are shown: '2026-11-29 16:39:05' or '2026-11-29 16:39' is local, '...Z' is \
            UTC, and '...+09:00' has that offset. '2026-11-29' is its first second, '16:39' the last one that has been, \
            '12h' so long ago, '@1795952460' seconds since 1970; there are also 'now' and 'yesterday'. TZ names another \
            zone.
            """,
        version: VaultLibrary.version,
        subcommands: [
            Init.self, Save.self, Read.self, List.self, PushCommand.self, PullCommand.self, Stat.self, History.self,
            Remove.self,
            Rename.self, Copy.self, Revert.self, Tag.self, CompareCommand.self, Keep.self, Collect.self, Verify.self,
            Run.self, Repl.self, LuaDefinitions.self, LuaHandbook.self, Login.self, Serve.self, UserCommand.self,
            Audit.self, HookCommand.self, Status.self, HookWorkerCommand.self,
        ] + engineCommands
    )

    #if Engines
        private static let engineCommands: [any ParsableCommand.Type] = [Migrate.self]
    #else
        private static let engineCommands: [any ParsableCommand.Type] = []
    #endif
}
