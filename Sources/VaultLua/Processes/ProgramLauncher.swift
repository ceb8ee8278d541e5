import CProcess
import Glibc
package import VaultModel

/// Starts programs for scripts.
package protocol ProgramLauncher: Sendable {
    /// Starts a program, named by the first word, which is looked for in `PATH` where it has no slash.
    ///
    /// - Parameter streams: stay the caller's.
    /// - Throws: `notFound` or `denied` where it cannot be started, `invalid` for surroundings that it cannot be given.
    func start(
        _ words: [[UInt8]], _ streams: ProgramStreams, in surroundings: ProgramSurroundings
    ) throws(VaultError) -> any StartedProgram
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

/// The working directory and the variables of a program, where they are others than those of whoever starts it.
package struct ProgramSurroundings: Sendable {
    /// The working directory; nil for the same one. A program whose name has a slash is looked for from there.
    package var directory: LocalPath?
    /// Variables by name; nil takes one away.
    package var variables: [[UInt8]: [UInt8]?] = [:]

    package init() {}

    package var areOthers: Bool { directory != nil || !variables.isEmpty }
}

/// A program that runs, or has ended.
package protocol StartedProgram: Sendable {
    /// Can be read once it has ended; negative where nothing tells of that.
    var descriptor: Int32 { get }

    /// Looks whether it has ended.
    ///
    /// - Returns: the exit status, 128 and the signal's number after a signal, as shells have it; nil while it runs.
    /// - Throws: `internal` where its status cannot be known.
    func ending() throws(VaultError) -> Int32?

    /// Asks it to end, and what it has started.
    func terminate()

    /// Whether nothing of it and of what it has started runs any more.
    func isGone() -> Bool

    /// Ends it at once, and what it has started.
    func kill()
}

/// Starts programs as children of this process, each in a group of its own.
struct LocalPrograms: ProgramLauncher {
    func start(
        _ words: [[UInt8]], _ streams: ProgramStreams, in surroundings: ProgramSurroundings
    ) throws(VaultError) -> any StartedProgram {
        let name = LocalPath(words.first ?? [])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (stream, number) in zip([streams.input, streams.output, streams.errors], Int32(0)...) {
            posix_spawn_file_actions_adddup2(&actions, stream, number)
        }
        // A connection to a server would not end while the program runs.
        cprocess_start_without(&actions, STDERR_FILENO + 1)
        if let directory = surroundings.directory {
            guard try FileStatus(of: directory, followsLinks: true).kind == .directory else {
                throw VaultError(system: ENOTDIR, "run a program in", directory)
            }
            _ = directory.withCString { cprocess_start_in(&actions, $0) }
        }
        var copies: [UnsafeMutablePointer<CChar>?] = words.map { word in LocalPath(word).withCString { strdup($0) } }
        var variables: [UnsafeMutablePointer<CChar>?] = environment(surroundings.variables).map { variable in
            LocalPath(variable).withCString { strdup($0) }
        }
        defer { for copy in copies + variables { free(copy) } }
        copies.append(nil)
        variables.append(nil)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // It is to hear every signal, whatever this thread does and whatever this process was started to ignore.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGCHLD)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var process = pid_t()
        guard let program = copies[0] else { throw VaultError(system: ENOMEM, "run", name) }
        let status = posix_spawnp(&process, program, &actions, &attributes, copies, variables)
        guard status == 0 else { throw VaultError(system: status, "run", name) }
        if let limit = OpenFileLimit.original { cprocess_limit_open_files(process, limit) }
        return ChildProgram(process, leadsGroup: true)
    }

    /// The variables of this process, as `name=value`, with some others.
    private func environment(_ changes: [[UInt8]: [UInt8]?]) -> [[UInt8]] {
        var variables: [[UInt8]] = []
        var place = environ
        while let variable = place.pointee {
            let bytes = Array(UnsafeRawBufferPointer(start: variable, count: strlen(variable)))
            if changes[Array(bytes.prefix { $0 != UInt8(ascii: "=") })] == nil { variables.append(bytes) }
            place += 1
        }
        for (name, value) in changes { if let value { variables.append(name + [UInt8(ascii: "=")] + value) } }
        return variables
    }
}

/// A child of this process.
package final class ChildProgram: StartedProgram {
    private let process: pid_t
    private let leadsGroup: Bool
    package let descriptor: Int32

    /// - Parameters:
    ///   - process: nobody else waits for it.
    ///   - leadsGroup: whether what it starts is in a group with it and with nobody else.
    package init(_ process: Int32, leadsGroup: Bool = false) {
        self.process = process
        self.leadsGroup = leadsGroup
        descriptor = cprocess_open_process(process)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    package func ending() throws(VaultError) -> Int32? {
        var status: Int32 = 0
        let ended = waitpid(process, &status, WNOHANG)
        if ended == 0 || (ended < 0 && errno == EINTR) { return nil }
        if ended < 0 {
            // This program may have been started so that it ignores SIGCHLD, or a library waits for all children.
            throw VaultError(
                .internal, "How a program ended cannot be known: something else in this process has waited for it.",
                cause: "Signals that a child has ended are ignored, or taken by another part of the program.")
        }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    private var target: pid_t { leadsGroup ? -process : process }

    package func terminate() { _ = Glibc.kill(target, SIGTERM) }

    package func isGone() -> Bool {
        while waitpid(process, nil, WNOHANG) < 0, errno == EINTR {}
        return Glibc.kill(target, 0) != 0 && errno == ESRCH
    }

    package func kill() {
        _ = Glibc.kill(target, SIGKILL)
        while waitpid(process, nil, 0) < 0, errno == EINTR {}
    }
}
