import CProcess
import Glibc
import Synchronization
import VaultModel

/// The processes of a worker: itself, and the programs that were started for it. They end together.
final class HookProcessGroup: Sendable {
    private struct State {
        /// Of the worker, once its end has been waited for.
        var status: Int32?
        /// Ends the group when this process is gone; nil before the first program.
        var guardian: Guardian?
    }

    /// A process that waits for its input to end. Nobody has the other end but this process.
    private struct Guardian {
        let process: pid_t
        let input: SocketPair
    }

    private let worker: pid_t
    private let state = Mutex(State())

    /// - Parameter worker: leads the group.
    init(of worker: pid_t) {
        self.worker = worker
    }

    /// Ends all of them at once, and waits for the worker's end.
    func kill() {
        state.withLock { state in
            guard state.status == nil else { return }
            _ = Glibc.kill(-worker, SIGKILL)
            _ = Glibc.kill(worker, SIGKILL)
            var ended: Int32 = 0
            while waitpid(worker, &ended, 0) < 0, errno == EINTR {}
            if let guardian = state.guardian { while waitpid(guardian.process, nil, 0) < 0, errno == EINTR {} }
            (state.status, state.guardian) = (ended, nil)
        }
    }

    /// Starts a program in the group, which ends with the calling thread at the latest.
    ///
    /// - Throws: `cancelled` where the worker has ended.
    func start(_ words: [[UInt8]], _ place: ProgramPlace, _ streams: [Int32]) throws(VaultError) -> pid_t {
        try state.withLock { (state) throws(VaultError) in
            // Its number may be another process's by now.
            guard state.status == nil else { throw .cancelled }
            if state.guardian == nil { state.guardian = startGuardian(place) }
            return try spawn(words, place, streams)
        }
    }

    /// Starts what waits for the end of this process, and then ends the group: what programs have started has another parent.
    ///
    /// - Returns: nil where it cannot be started; then only the programs themselves end with this process.
    private func startGuardian(_ place: ProgramPlace) -> Guardian? {
        guard let sockets = try? SocketPair() else { return nil }
        let words = ["/bin/sh", "-c", "read -r end; kill -KILL 0"].map { Array($0.utf8) }
        let streams = [sockets.theirs, STDERR_FILENO, STDERR_FILENO]
        return (try? spawn(words, place, streams, outlives: true)).map { Guardian(process: $0, input: sockets) }
    }

    private func spawn(
        _ words: [[UInt8]], _ place: ProgramPlace, _ streams: [Int32], outlives: Bool = false
    ) throws(VaultError) -> pid_t {
        let name = LocalPath(words.first ?? [])
        func copies(_ texts: [[UInt8]]) -> [UnsafeMutablePointer<CChar>?] {
            texts.map { text in LocalPath(text).withCString { strdup($0) } } + [nil]
        }
        let (paths, arguments, environment) = (copies(place.paths(of: name)), copies(words), copies(place.environment))
        defer { for text in paths + arguments + environment { free(text) } }
        var process = pid_t()
        let failure = paths.withUnsafeBufferPointer { paths in
            arguments.withUnsafeBufferPointer { arguments in
                environment.withUnsafeBufferPointer { environment in
                    var program = cprocess_program()
                    (program.paths, program.words) = (paths.baseAddress, arguments.baseAddress)
                    program.environment = environment.baseAddress
                    program.streams = (streams[0], streams[1], streams[2])
                    (program.group, program.directory) = (worker, place.directory.descriptor)
                    program.files = OpenFileLimit.original ?? 0
                    program.outlives = outlives ? 1 : 0
                    return cprocess_start(&program, &process)
                }
            }
        }
        guard failure == 0 else { throw VaultError(system: failure, "run", name) }
        return process
    }

    /// The way in which the worker ended, for the log; nil where nobody has waited for that.
    func ending() -> String? {
        guard let status = state.withLock({ $0.status }) else { return nil }
        let signal = status & 0x7F
        if signal == 0 { return "it ended with the exit code \((status >> 8) & 0xFF)" }
        return "it was ended by the signal \(signal) (\(String(cString: strsignal(signal))))"
    }
}

/// The surroundings of a worker's programs.
struct ProgramPlace: Sendable {
    let directory: OpenFile
    /// Variables, as `name=value`.
    let environment: [[UInt8]]

    /// The paths at which a program may be: those in the directories of `PATH`, if its name has no slash.
    func paths(of name: LocalPath) -> [[UInt8]] {
        if name.bytes.contains(UInt8(ascii: "/")) { return [name.bytes] }
        let path = EnvironmentVariable.bytes("PATH") ?? Array("/bin:/usr/bin".utf8)
        return path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map { directory in
            // An empty one is the working directory.
            directory.isEmpty ? name.bytes : directory + [UInt8(ascii: "/")] + name.bytes
        }
    }
}
