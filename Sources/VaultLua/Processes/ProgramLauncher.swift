import CProcess
import Glibc
package import VaultModel

/// Starts programs for scripts.
package protocol ProgramLauncher: Sendable {
    /// Starts a program, named by the first word, which is looked for in `PATH` where it has no slash.
    ///
    /// - Parameter streams: stay the caller's.
    /// - Throws: `notFound` or `denied` where it cannot be started.
    func start(_ words: [[UInt8]], _ streams: ProgramStreams) throws(VaultError) -> any StartedProgram
}

/// The descriptors that a program has as its standard streams.
package struct ProgramStreams: Sendable {
    package var input: Int32
    package var output: Int32
    package var errors: Int32

    package init(input: Int32, output: Int32, errors: Int32) {
        self.input = input
        self.output = output
        self.errors = errors
    }
}

/// A program that runs, or has ended.
package protocol StartedProgram: Sendable {
    /// Looks whether it has ended.
    ///
    /// - Returns: the exit status, 128 and the signal's number after a signal, as shells have it; nil while it runs.
    func ending() throws(VaultError) -> Int32?

    /// Ends it at once, if it runs.
    func kill()
}

/// Starts programs as children of this process.
struct LocalPrograms: ProgramLauncher {
    func start(_ words: [[UInt8]], _ streams: ProgramStreams) throws(VaultError) -> any StartedProgram {
        let name = LocalPath(words.first ?? [])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (stream, number) in zip([streams.input, streams.output, streams.errors], Int32(0)...) {
            posix_spawn_file_actions_adddup2(&actions, stream, number)
        }
        // A connection to a server would not end while the program runs.
        cprocess_start_without(&actions, STDERR_FILENO + 1)
        var copies: [UnsafeMutablePointer<CChar>?] = words.map { word in LocalPath(word).withCString { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        copies.append(nil)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // It is to hear every signal, whatever this thread does.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var process = pid_t()
        guard let program = copies[0] else { throw VaultError(system: ENOMEM, "run", name) }
        let status = posix_spawnp(&process, program, &actions, &attributes, copies, environ)
        guard status == 0 else { throw VaultError(system: status, "run", name) }
        if let limit = OpenFileLimit.original { cprocess_limit_open_files(process, limit) }
        return ChildProgram(process)
    }
}

/// A child of this process.
package final class ChildProgram: StartedProgram {
    private let process: pid_t

    /// - Parameter process: nobody else waits for it.
    package init(_ process: Int32) {
        self.process = process
    }

    package func ending() -> Int32? {
        var status: Int32 = 0
        let ended = waitpid(process, &status, WNOHANG)
        if ended == 0 || (ended < 0 && errno == EINTR) { return nil }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    package func kill() {
        Glibc.kill(process, SIGKILL)
        while waitpid(process, nil, 0) < 0, errno == EINTR {}
    }
}
