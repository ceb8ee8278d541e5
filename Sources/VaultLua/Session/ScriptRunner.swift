import Glibc
import LuaEngine
package import VaultModel

/// Runs a script as `lua` runs it, with the global `vault`.
package struct ScriptRunner: Sendable {
    /// What a script is run with: words of any bytes.
    package struct Script: Sendable {
        /// `-` is standard input.
        package var file: [UInt8]
        package var arguments: [[UInt8]]
        /// The program's whole command line, for the negative indices of `arg`.
        package var commandLine: [[UInt8]]
        /// The position of the script in it.
        package var position: Int

        package init(file: [UInt8], arguments: [[UInt8]], commandLine: [[UInt8]], position: Int) {
            self.file = file
            self.arguments = arguments
            self.commandLine = commandLine
            self.position = position
        }
    }

    private let host: ScriptSession.Host
    private let stop: ScriptStop
    private let memoryLimitBytes: Int?

    /// - Parameters:
    ///   - stop: asks the script to end.
    ///   - memoryLimitBytes: what Lua may allocate; nil for no limit.
    package init(_ host: ScriptSession.Host, stop: ScriptStop, memoryLimitBytes: Int? = nil) {
        self.host = host
        self.stop = stop
        self.memoryLimitBytes = memoryLimitBytes
    }

    /// Runs a script on a thread of its own.
    ///
    /// - Returns: how the script ended: nil for well.
    package func run(_ script: Script) async -> ScriptFailure? {
        do {
            return try await LuaThread.run(interrupt: stop.interrupt) { () throws -> ScriptFailure? in
                try runOnThread(script)
            }
        } catch {
            return ScriptFailure(error)
        }
    }

    private func runOnThread(_ script: Script) throws -> ScriptFailure? {
        var options = LuaOptions()
        options.interrupt = stop.interrupt
        options.memoryLimitBytes = memoryLimitBytes
        options.memoryReserveBytes = (memoryLimitBytes ?? 0) / 2
        return try ScriptRunner.withSession(options, host, stop) { session in
            let state = session.state
            var failure: ScriptFailure?
            do {
                let reason = VaultError(.cancelled, "The script was asked to end.")
                try state.setInterruptValue(ErrorValue.luaError(reason, operation: "run", session).raised)
                try state.setArguments(script.commandLine, script: script.position)
                try state.runEnvironmentChunk()
                try state.runScript(script.file, arguments: script.arguments)
            } catch {
                failure = ScriptFailure((error as? LuaError).map { session.withOrigin($0) } ?? error, in: state)
                // Ending many tasks takes memory, of which there may be none left.
                state.releaseMemoryReserve()
            }
            session.scheduler.finish(isFailed: failure != nil)
            session.tellFailures()
            if failure == nil, session.hasToldFailures { failure = ScriptFailure(text: nil) }
            if failure == nil, let problem = LuaState.flushOutput() {
                let lost = VaultError(system: problem, "write", LocalPath("the standard output"))
                failure = ScriptFailure(lost)
            }
            return failure
        }
    }

    /// Runs `body` with a state that has the module, and closes that and the vault behind it.
    static func withSession<Result>(
        _ options: LuaOptions, _ host: ScriptSession.Host, _ stop: ScriptStop? = nil,
        _ body: (ScriptSession) throws -> Result
    ) throws -> Result {
        let state = try LuaState(options)
        let session = ScriptSession(state, host, stop: stop)
        let ended = SendableSession(session: session)
        state.onExit = { _ in
            ended.session.tellFailures()
            blockingWait { await ended.session.close() }
        }
        defer {
            session.scheduler.finish(isFailed: true)
            session.tellFailures()
            state.close()
            blockingWait { await ended.session.close() }
        }
        try VaultLibrary.install(session)
        return try body(session)
    }
}

/// `@unchecked Sendable`: handed to the one task that closes the session, while its thread waits for it.
private struct SendableSession: @unchecked Sendable {
    var session: ScriptSession
}

/// How a script failed.
package struct ScriptFailure: Sendable {
    /// What `lua` would print; nil where it has been told already.
    package var text: String?
    /// The code of the vault's error that the script let pass, if it was one.
    package var code: VaultError.Code?

    init(text: String?) {
        self.text = text
    }

    /// - Parameter state: the state that raised the error, if it is still open.
    init(_ error: any Error, in state: LuaState? = nil) {
        switch error {
        case let error as LuaError:
            text = [error.message, error.traceback].compactMap { $0 }.joined(separator: "\n")
            code = state.flatMap { ErrorValue.code(of: error, in: $0) }
        case let error as VaultError:
            text = error.description
            code = error.code
        default:
            text = "\(error)"
        }
    }
}

/// Waits on this thread, which no task runs on, for a task to end.
private func blockingWait(_ body: @escaping @Sendable () async -> Void) {
    let semaphore = Semaphore()
    Task(executorPreference: BlockingExecutor.shared) {
        await body()
        semaphore.signal()
    }
    semaphore.wait()
}

/// `@unchecked Sendable`: POSIX semaphores may be used from any thread.
private final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() {
        sem_post(semaphore)
    }

    func wait() {
        while sem_wait(semaphore) != 0, errno == EINTR {}
    }
}
