import ArgumentParser
import CProcess
import Glibc
import VaultClient
import VaultLua
import VaultModel

/// What a server starts to run hooks in; no command for people.
struct HookWorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hook-worker", abstract: "Run hooks for the server that has started this process.",
        shouldDisplay: false)

    @Argument(help: "Where events have their files.") var directory: String
    @Argument(help: "Bytes that Lua may allocate.") var memoryBytes: Int
    @Argument(help: "The number of the server's process.") var server: Int32
    @Argument(help: "The number of the user to become; 0 for the one who starts it.") var user: UInt32
    @Argument(help: "Whether it can give up files: 1 or 0.") var confinesFiles: Int

    static let memoryBytesMax = 1 << 40

    /// Privileges are each thread's own, and threads inherit them: they are dropped while this one is the only one.
    func validate() throws {
        guard HookProcesses.isWorker, memoryBytes >= 0, memoryBytes <= HookWorkerCommand.memoryBytesMax else {
            throw ValidationError("'hook-worker' is started by 'minivault serve' only.")
        }
        do throws(VaultError) {
            // Before the user changes, who may not look into the directories above.
            try retrying("enter", path) { path.withCString { chdir($0) } }
            try WorkerConfinement(
                memoryBytes: memoryBytes, server: server, user: user == 0 ? nil : user,
                confinesFiles: confinesFiles == 1
            ).begin()
        } catch {
            Output.report(error)
            _exit(ExitStatus.failed.rawValue)
        }
    }

    private var path: LocalPath { CommandText.path(directory) }

    func run() async throws {
        let link: HookLink
        do throws(VaultError) {
            // Whatever it is at: the server has gone, or wants it gone.
            link = try await HookLink.open(
                socket: HookProcesses.requests, events: HookProcesses.events
            ) { HookWorkerCommand.end() }
        } catch {
            throw ValidationError("'hook-worker' is started by 'minivault serve' only.")
        }
        do throws(VaultError) {
            let broker = HookBrokerClient(HookProcesses.broker)
            try await HookRunner(
                link, HookRunner.Host(directory: path, programs: broker, connect: broker.open)
            ).run()
        } catch {
            if error.code != .cancelled { Output.report(error) }
        }
        HookWorkerCommand.end()
    }

    /// Ends the process, and the programs that were started for it, as far as they are its own user's; the server ends the
    /// others.
    private static func end() -> Never {
        if getpgrp() == getpid() { kill(0, SIGKILL) }
        _exit(0)
    }
}
