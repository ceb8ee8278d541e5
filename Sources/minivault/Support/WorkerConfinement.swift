import CProcess
import Glibc
import VaultModel

/// The bounds that the kernel sets to a worker of hooks, should a hook get out of Lua: no files but its own, no other processes,
/// no programs, no connections, and no more memory than it needs.
struct WorkerConfinement {
    /// Bytes that Lua may allocate.
    let memoryBytes: Int
    /// The process that has started this one, and with which it ends.
    let server: pid_t
    /// The user to become; nil to stay the one that the process is.
    let user: uid_t?
    /// Whether the kernel can keep the process from files.
    let confinesFiles: Bool

    private static let filesMax: rlim_t = 512
    /// Memory that the process writes to besides Lua's, in bytes.
    private static let baseBytes = 512 << 20
    /// The addresses that the process has besides, of which it uses few: those of its code, of what the allocator sets aside,
    /// and of the stacks of threads, of which there are more on more processors; in bytes.
    private static let setAsideBytes = 3 << 30
    private static let processorBytes = 64 << 20
    /// No file of an event is larger than what a vault can hold, in bytes; what grows without end is stopped.
    private static let fileBytesMax = 1 << 44
    /// Threads of a worker that is the only process of its user: those of the program, and one for each program that a hook
    /// waits for.
    private static let threadsMax: rlim_t = 1024

    /// Gives up for good what hooks do not need. What the kernel does not have is left out, which the server has told.
    ///
    /// - Throws: `internal` where the kernel has something and refuses it: hooks do not run then.
    func begin() throws(VaultError) {
        // Not all that a server has open closes with a new program.
        cprocess_close_from(HookProcesses.broker + 1)
        limit()
        if let user {
            guard cprocess_become(user, user) == 0 else { throw WorkerConfinement.failure("become a user of its own") }
        }
        guard cprocess_drop_privileges() == 0 else { throw WorkerConfinement.failure("drop its privileges") }
        if confinesFiles, cprocess_confine_files() != 0 { throw WorkerConfinement.failure("give up files") }
        // After the user has changed, at which the kernel forgets it.
        if cprocess_end_with(server) != 0 { _exit(0) }
        if cprocess_can_filter() != 0, cprocess_filter_calls() != 0 {
            throw WorkerConfinement.failure("give up system calls")
        }
    }

    private func limit() {
        func set(_ resource: __rlimit_resource, _ value: rlim_t) {
            var limit = rlimit(rlim_cur: value, rlim_max: value)
            setrlimit(__rlimit_resource_t(resource.rawValue), &limit)
        }
        set(RLIMIT_CORE, 0)
        set(RLIMIT_NOFILE, WorkerConfinement.filesMax)
        set(RLIMIT_FSIZE, rlim_t(WorkerConfinement.fileBytesMax))
        cprocess_set_aside_little()
        let bytes = 2 * memoryBytes + WorkerConfinement.baseBytes
        set(RLIMIT_DATA, rlim_t(bytes))
        let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_CONF)))
        set(
            RLIMIT_AS,
            rlim_t(bytes + WorkerConfinement.setAsideBytes + processors * WorkerConfinement.processorBytes))
        if user != nil { set(__RLIMIT_NPROC, WorkerConfinement.threadsMax) }
    }

    private static func failure(_ what: String) -> VaultError {
        VaultError(.internal, "A worker for hooks cannot \(what): \(String(cString: strerror(errno))).")
    }
}
