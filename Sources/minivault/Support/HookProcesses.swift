import CProcess
import Glibc
import Synchronization
import VaultModel
import VaultServer
import VaultStore

/// Starts workers of hooks: this program again, each in a group of processes and a directory of its own.
struct HookProcesses: HookLauncher {
    /// The worker's ends of the socket pairs for requests and for events.
    static let requests: Int32 = 3
    static let events: Int32 = 4

    /// Whether this process has what a worker is started with.
    static var isWorker: Bool {
        [requests, events].allSatisfy { socket in
            var type: Int32 = 0
            var length = socklen_t(MemoryLayout.size(ofValue: type))
            return getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == Int32(SOCK_STREAM.rawValue)
        }
    }

    private let directory: LocalPath
    private let memoryBytes: Int

    /// - Parameters:
    ///   - directory: below which workers have their files. What a server that was killed has left there goes.
    ///   - settings: what hooks may use.
    init(_ directory: LocalPath, _ settings: HookSettings) throws(VaultError) {
        self.directory = directory
        // Programs may need more memory than Lua code.
        memoryBytes = settings.programs.isEmpty ? settings.memoryBytes : 0
        // A server that has no hooks has no workers.
        if (try? FileStatus(of: directory)) != nil { try HookDirectory.removeLeftovers(in: directory) }
    }

    /// What of the environment workers see, and the programs that they start: no secrets.
    private static let variables = [
        "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TZ", "USER", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
    ]

    func launch() throws(VaultError) -> HookLaunch {
        try SmallFile.makeDirectory(directory)
        DataOwner.inherit(directory)
        let own = try HookDirectory(in: directory)
        let (requests, events) = (try SocketPair(), try SocketPair())
        let process = HookProcess(try spawn(own.path, requests.theirs, events.theirs), own)
        return HookLaunch(process: process, requests: requests.takeOurs(), events: events.takeOurs())
    }

    private func spawn(
        _ directory: LocalPath, _ requests: Int32, _ events: Int32
    ) throws(VaultError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        // Their numbers may be each other's: the copies are made where neither is.
        let spare = max(requests, events, HookProcesses.events) + 1
        posix_spawn_file_actions_adddup2(&actions, requests, spare)
        posix_spawn_file_actions_adddup2(&actions, events, spare + 1)
        posix_spawn_file_actions_adddup2(&actions, spare, HookProcesses.requests)
        posix_spawn_file_actions_adddup2(&actions, spare + 1, HookProcesses.events)
        for copy in [spare, spare + 1] { posix_spawn_file_actions_addclose(&actions, copy) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))
        // Bytes, as paths and variables have them.
        func word(_ parts: [UInt8]...) -> UnsafeMutablePointer<CChar>? {
            LocalPath(parts.joined()).withCString { strdup($0) }
        }
        let words = [
            word(Array("minivault".utf8)), word(Array("hook-worker".utf8)), word(directory.bytes),
            word(Array("\(memoryBytes)".utf8)), nil,
        ]
        let variables = HookProcesses.variables.compactMap { name in
            EnvironmentVariable.bytes(name).map { word(Array("\(name)=".utf8), $0) }
        }
        let environment = variables + [word(Array("TMPDIR=".utf8), directory.bytes), nil]
        defer { for text in words + environment { free(text) } }
        var process = pid_t()
        let status = posix_spawn(&process, "/proc/self/exe", &actions, &attributes, words, environment)
        guard status == 0 else { throw VaultError(system: status, "start", LocalPath("a worker for hooks")) }
        return process
    }
}

/// Two connected sockets: ours, and the one that a worker gets a copy of. What is not taken closes.
private final class SocketPair {
    private var ours: Int32
    let theirs: Int32

    init() throws(VaultError) {
        var ends: [Int32] = [-1, -1]
        guard cprocess_socket_pair(&ends) == 0 else {
            throw VaultError(system: errno, "open", LocalPath("a socket pair"))
        }
        (ours, theirs) = (ends[0], ends[1])
    }

    deinit {
        if ours >= 0 { close(ours) }
        close(theirs)
    }

    func takeOurs() -> Int32 {
        defer { ours = -1 }
        return ours
    }
}

/// A worker, from its start until its end has been waited for.
private final class HookProcess: HookWorkerProcess {
    private struct State {
        var status: Int32?
        /// Goes with the process.
        var directory: HookDirectory?
    }

    private let id: pid_t
    private let state: Mutex<State>

    init(_ id: pid_t, _ directory: HookDirectory) {
        self.id = id
        state = Mutex(State(directory: directory))
    }

    deinit {
        kill()
    }

    func kill() {
        state.withLock { state in
            guard state.status == nil else { return }
            // With the programs that it has started.
            _ = Glibc.kill(-id, SIGKILL)
            _ = Glibc.kill(id, SIGKILL)
            var status: Int32 = 0
            while waitpid(id, &status, 0) < 0, errno == EINTR {}
            (state.status, state.directory) = (status, nil)
        }
    }

    func ending() -> String? {
        guard let status = state.withLock({ $0.status }) else { return nil }
        let signal = status & 0x7F
        if signal == 0 { return "it ended with the exit code \((status >> 8) & 0xFF)" }
        return "it was ended by the signal \(signal) (\(String(cString: strsignal(signal))))"
    }
}

/// A directory for the files of one worker, locked for as long as there is that, and removed after.
private final class HookDirectory: Sendable {
    let path: LocalPath
    private let file: OpenFile

    init(in parent: LocalPath) throws(VaultError) {
        path = parent.appending("\(UniqueID())")
        try SmallFile.makeDirectory(path)
        file = try OpenFile(path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        _ = flock(file.descriptor, LOCK_EX | LOCK_NB)
    }

    deinit {
        path.removeTree()
    }

    /// Removes directories that nobody has locked: those of servers that were killed.
    static func removeLeftovers(in parent: LocalPath) throws(VaultError) {
        for name in (try? DirectoryListing(parent).names) ?? [] {
            let path = parent.appending(name)
            guard let file = try? OpenFile(path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
                flock(file.descriptor, LOCK_EX | LOCK_NB) == 0
            else { continue }
            path.removeTree()
        }
    }
}
