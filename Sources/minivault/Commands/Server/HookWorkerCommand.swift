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
    @Argument(help: "Bytes that Lua may allocate; 0 for no limit of the process.") var memoryBytes: Int

    private static let filesMax: rlim_t = 512
    static let memoryBytesMax = 1 << 40
    /// What the process needs besides Lua, in bytes.
    private static let baseBytes = 512 << 20

    /// Privileges are each thread's own, and threads inherit them: they are dropped while this one is the only one.
    func validate() throws {
        guard HookProcesses.isWorker, memoryBytes >= 0, memoryBytes <= HookWorkerCommand.memoryBytesMax else {
            throw ValidationError("'hook-worker' is started by 'minivault serve' only.")
        }
        limit()
    }

    func run() async throws {
        let path = CommandText.path(directory)
        guard path.withCString({ chdir($0) }) == 0 else { throw VaultError(system: errno, "enter", path) }
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
            try await HookRunner(link, HookRunner.Host(directory: path, connect: HookConnections.open)).run()
        } catch {
            if error.code != .cancelled { Output.report(error) }
        }
        HookWorkerCommand.end()
    }

    /// Gives up what hooks do not need. Where the kernel does not allow it, the sandbox of the code is what is left.
    private func limit() {
        // Not all that a server has open closes with a new program.
        cprocess_close_from(HookProcesses.events + 1)
        _ = cprocess_drop_privileges()
        func set(_ resource: __rlimit_resource, _ value: rlim_t) {
            var limit = rlimit(rlim_cur: value, rlim_max: value)
            setrlimit(__rlimit_resource_t(resource.rawValue), &limit)
        }
        set(RLIMIT_CORE, 0)
        set(RLIMIT_NOFILE, HookWorkerCommand.filesMax)
        if memoryBytes > 0 { set(RLIMIT_DATA, rlim_t(2 * memoryBytes + HookWorkerCommand.baseBytes)) }
    }

    /// Ends the process, and the programs that it has started.
    private static func end() -> Never {
        if getpgrp() == getpid() { kill(0, SIGKILL) }
        _exit(0)
    }
}
