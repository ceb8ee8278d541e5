import CProcess
import Dispatch
import Glibc
import Synchronization
import VaultModel
import VaultServer
import VaultStore

/// Starts workers of hooks: this program again, each in a group of processes and a directory of its own, and as a user of
/// its own where this one may give it one.
struct HookProcesses: HookLauncher {
    /// The worker's ends of the socket pairs for requests, for events, and for what the server does for it.
    static let requests: Int32 = 3
    static let events: Int32 = 4
    static let broker: Int32 = 5

    /// Whether this process has what a worker is started with.
    static var isWorker: Bool {
        [requests, events, broker].allSatisfy { socket in
            var type: Int32 = 0
            var length = socklen_t(MemoryLayout.size(ofValue: type))
            return getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == Int32(SOCK_STREAM.rawValue)
        }
    }

    /// Is told once, before the first worker starts, what workers lack here of what keeps them from the server and its machine.
    private final class Notice: Sendable {
        private let isTold = Atomic<Bool>(false)
        private let tell: @Sendable (String) -> Void

        init(_ tell: @escaping @Sendable (String) -> Void) {
            self.tell = tell
        }

        func giveOnce() {
            if isTold.exchange(true, ordering: .relaxed) { return }
            var lacks: [String] = []
            if !HookUser.isPossible { lacks.append("a user of their own, which only root can give them") }
            if !HookProcesses.canConfineFiles {
                lacks.append("a bar to other files than their own (Landlock), which this kernel or its service lacks")
            }
            if cprocess_can_filter() == 0 { lacks.append("a filter of system calls, which this kernel lacks") }
            if !lacks.isEmpty { tell(lacks.joined(separator: "; ")) }
        }
    }

    /// Looked up once: a service whose filter of system calls does not have these costs a process to find out.
    private static let canConfineFiles = cprocess_can_confine_files() != 0

    private let directory: LocalPath
    private let settings: HookSettings
    private let notice: Notice

    /// - Parameters:
    ///   - directory: below which workers have their files. What a server that was killed has left there goes.
    ///   - settings: what hooks may use.
    ///   - tellMissing: is told once, before the first worker, what workers lack on this machine, if it is something.
    init(
        _ directory: LocalPath, _ settings: HookSettings, tellMissing: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(VaultError) {
        notice = Notice(tellMissing)
        // Programs are told of files in it, and run elsewhere.
        self.directory = try directory.absolute
        self.settings = settings
        // A server that has no hooks has no workers.
        if (try? FileStatus(of: directory)) != nil { try HookDirectory.removeLeftovers(in: directory) }
    }

    /// Variables of the environment that workers see, and the programs that are started for them: none has a secret.
    private static let variables = [
        "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TZ", "USER", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
    ]

    func launch() throws(VaultError) -> HookLaunch {
        notice.giveOnce()
        try SmallFile.makeDirectory(directory)
        DataOwner.inherit(directory)
        let user = HookUser.isPossible ? try HookUser.take(besides: directory) : nil
        // A worker that may open the server's files could open its memory too.
        if user == nil, !HookProcesses.canConfineFiles { _ = cprocess_hide_memory() }
        let own = try HookDirectory(in: directory, for: user)
        let variables = HookProcesses.variables.compactMap { name in
            EnvironmentVariable.bytes(name).map { Array("\(name)=".utf8) + $0 }
        }
        let place = ProgramPlace(
            directory: own.file, environment: variables + [Array("TMPDIR=".utf8) + own.path.bytes])
        let (requests, events, broker) = (try SocketPair(), try SocketPair(), try SocketPair())
        let door = OpenFile(descriptor: broker.takeOurs(), path: LocalPath("the socket of a worker for hooks"))
        let sockets = [requests.theirs, events.theirs, broker.theirs]
        // They close with their pairs.
        defer { withExtendedLifetime(broker) {} }
        // The kernel ends a worker with the thread that has started it: that serves the worker for as long as it lives.
        let started = Started()
        let thread = BlockingThread { [settings] in
            do throws(VaultError) {
                let group = HookProcessGroup(
                    of: try HookProcesses.spawn(own.path, sockets, place.environment, settings.memoryBytes, user))
                started.set(.success(group))
                HookBroker(group, place, settings).serve(door)
            } catch {
                started.set(.failure(error))
            }
        }
        guard thread.isStarted else { throw VaultError(system: EAGAIN, "start", LocalPath("a thread")) }
        let process = HookProcess(try started.wait(), own)
        return HookLaunch(process: process, requests: requests.takeOurs(), events: events.takeOurs())
    }

    private static func spawn(
        _ directory: LocalPath, _ sockets: [Int32], _ environment: [[UInt8]], _ memoryBytes: Int, _ user: HookUser?
    ) throws(VaultError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        // Their numbers may be each other's: the copies are made where none is.
        let spare = (sockets + [HookProcesses.broker]).reduce(0, max) + 1
        for (copy, socket) in zip(spare..., sockets) { posix_spawn_file_actions_adddup2(&actions, socket, copy) }
        for (copy, number) in zip(spare..., [HookProcesses.requests, HookProcesses.events, HookProcesses.broker]) {
            posix_spawn_file_actions_adddup2(&actions, copy, number)
            posix_spawn_file_actions_addclose(&actions, copy)
        }
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
        func copies(_ texts: [[UInt8]]) -> [UnsafeMutablePointer<CChar>?] {
            texts.map { text in LocalPath(text).withCString { strdup($0) } } + [nil]
        }
        let numbers = [
            memoryBytes, Int(getpid()), user.map { Int($0.id) } ?? 0, HookProcesses.canConfineFiles ? 1 : 0,
        ].map { Array("\($0)".utf8) }
        let words = copies([Array("minivault".utf8), Array("hook-worker".utf8), directory.bytes] + numbers)
        let variables = copies(environment)
        defer { for text in words + variables { free(text) } }
        var process = pid_t()
        let status = posix_spawn(&process, "/proc/self/exe", &actions, &attributes, words, variables)
        guard status == 0 else { throw VaultError(system: status, "start", LocalPath("a worker for hooks")) }
        return process
    }
}

/// The outcome of starting a worker, for the thread that waits for it.
private final class Started: Sendable {
    private let result = Mutex<Result<HookProcessGroup, VaultError>?>(nil)
    private let semaphore = DispatchSemaphore(value: 0)

    func set(_ result: Result<HookProcessGroup, VaultError>) {
        self.result.withLock { $0 = result }
        semaphore.signal()
    }

    func wait() throws(VaultError) -> HookProcessGroup {
        semaphore.wait()
        guard let result = result.withLock({ $0 }) else { throw .cancelled }
        return try result.get()
    }
}

/// A worker, from its start until its end has been waited for.
private final class HookProcess: HookWorkerProcess {
    private let group: HookProcessGroup
    /// Goes with the process.
    private let directory: Mutex<HookDirectory?>

    init(_ group: HookProcessGroup, _ directory: HookDirectory) {
        self.group = group
        self.directory = Mutex(directory)
    }

    deinit {
        kill()
    }

    func kill() {
        group.kill()
        directory.withLock { $0 = nil }
    }

    func ending() -> String? { group.ending() }
}

/// A directory for the files of one worker, locked for as long as there is that, and removed after.
private final class HookDirectory: Sendable {
    let path: LocalPath
    let file: OpenFile
    /// The worker's, whose the directory is: nobody else gets the number before it is gone.
    private let user: HookUser?

    init(in parent: LocalPath, for user: HookUser?) throws(VaultError) {
        path = parent.appending("\(UniqueID())")
        try SmallFile.makeDirectory(path)
        file = try OpenFile(path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        self.user = user
        _ = flock(file.descriptor, LOCK_EX | LOCK_NB)
        if let user { try retrying("give away", path) { fchown(file.descriptor, user.id, user.id) } }
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
