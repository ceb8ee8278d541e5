import CProcess
package import Crypto
import FoundationEssentials
import Glibc
import Synchronization
package import VaultClient
package import VaultModel
import VaultServer
import VaultStore
import VaultTransport
import VaultWire

/// The built program as a server on this machine, with users that log in by device keys.
package final class ServerProcess: Sendable {
    /// Where the server keeps its data.
    package let data: LocalPath
    package let port: Int
    /// Where monitoring asks; nil where the server was not told to answer.
    package let metricsPort: Int?
    private let login: TestLogin
    private let process: Mutex<pid_t>

    /// Servers at once, over all tests: more would only starve each other of the processor.
    private static let slots = ByteBudget(4)
    private let slot: Mutex<ByteBudget.Share?>

    /// Starts a server on a free port, and returns once it listens.
    ///
    /// - Parameters:
    ///   - data: a directory that ``addUser(_:in:)`` has made ready, or that is not there.
    ///   - clock: a file with the time of day, for a server that does not live by the machine's.
    ///   - isCounted: false for one that is started while another one is held: who holds one and waits for another
    ///     could wait for ever.
    ///   - engines: what it keeps its vaults in, in place of `data`.
    package static func start(
        data: LocalPath, users: [String: Curve25519.Signing.PrivateKey], port: Int = 0, clock: LocalPath? = nil,
        options: [String] = [], engines: TestEngines? = nil, isCounted: Bool = true
    ) async throws -> ServerProcess {
        let slot = isCounted ? try await slots.share(waitingFor: 1) : nil
        // It waits for the server to listen, on a thread that other tests can spare.
        return try await withTaskExecutorPreference(BlockingExecutor.shared) {
            try ServerProcess(
                data, users, port, clock, options + (engines?.options ?? []), engines?.variables ?? [], slot)
        }
    }

    private init(
        _ data: LocalPath, _ users: [String: Curve25519.Signing.PrivateKey], _ port: Int, _ clock: LocalPath?,
        _ options: [String], _ variables: [String], _ slot: ByteBudget.Share?
    ) throws {
        self.data = data
        self.slot = Mutex(slot)
        var environment = ["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=\(data)"] + variables
        if let clock {
            environment += ["MINIVAULT_TEST_CLOCK=\(clock)", "LD_PRELOAD=\(try PreloadedLibrary.clock.get())"]
        }
        let (id, output) = try ServerProcess.spawn(
            ["serve", "--data", "\(data)", "--listen", "127.0.0.1:\(port)"] + options, environment,
            errors: LocalPath(data.bytes + Array(".log".utf8)))
        process = Mutex(id)
        let line = ServerProcess.line(output)
        // metrics on port 9000
        metricsPort =
            options.contains("--metrics")
            ? ServerProcess.line(output).split(separator: " ").last.flatMap { Int($0) } : nil
        close(output)
        // minivault serves on port 7117, key SHA256:...
        let words = line.split(separator: " ")
        guard words.count == 7, let port = Int(words[4].dropLast()) else {
            _ = Glibc.kill(id, SIGKILL)
            waitpid(id, nil, 0)
            throw VaultError(.unavailable, "The server did not start: \(line)")
        }
        self.port = port
        login = TestLogin(port: port, fingerprint: try VaultModel.Digest(fingerprint: String(words[6])), keys: users)
    }

    /// The number of the server's process.
    package var id: Int32 { process.withLock { $0 } }

    deinit {
        kill()
    }

    /// The directory of a user's own vault.
    package func vaultDirectory(of user: String) throws -> LocalPath {
        let accounts = try Accounts.open(data)
        defer { accounts.close() }
        return LocalPath(accounts.places.place(of: try accounts.knownVault(user).id))
    }

    /// Connects as a user, straight or through something else that listens on this machine.
    package func connect(
        as user: String, vault: String? = nil, through port: Int? = nil, options: RemoteVault.Options = .init()
    ) async throws -> RemoteVault {
        try await login.connect(as: user, vault: vault, through: port, options: options)
    }

    /// The processes in which hooks run.
    package var workers: [Int32] {
        let id = process.withLock { $0 }
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")) ?? []
        return tasks.flatMap { task in
            let text = try? SmallFile.read(LocalPath("/proc/\(id)/task/\(task)/children"), bytesMax: 1 << 16)
            return String(decoding: text ?? [], as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
        }
    }

    package func send(_ signal: Int32) {
        process.withLock { id in if id > 0 { _ = Glibc.kill(id, signal) } }
    }

    /// Kills the server outright, and waits until it is gone.
    package func kill() {
        let hasRun = process.withLock { id in
            guard id > 0 else { return false }
            _ = Glibc.kill(id, SIGKILL)
            waitpid(id, nil, 0)
            id = 0
            return true
        }
        slot.withLock { $0 = nil }
        // By now the log may be that of the server that has followed.
        guard hasRun else { return }
        _ = LocalPath(data.bytes + Array(".log".utf8)).withCString { unlink($0) }
    }

    /// Waits until the server has ended by itself.
    ///
    /// - Returns: its exit code, or the negative number of the signal that killed it.
    @discardableResult
    package func waitForEnd() -> Int32 {
        defer { slot.withLock { $0 = nil } }
        return process.withLock { id in
            guard id > 0 else { return 0 }
            var status: Int32 = 0
            waitpid(id, &status, 0)
            id = 0
            return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
        }
    }

    /// The kibibytes of memory that the server has of its own, from `RssAnon` of proc(5).
    package var memory: Int? {
        let id = process.withLock { $0 }
        let text = (try? SmallFile.read(LocalPath("/proc/\(id)/status"), bytesMax: 1 << 16)) ?? []
        let line = String(decoding: text, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        return line?.split(separator: " ").compactMap { Int($0) }.first
    }

    /// How many files the server may have open from now on.
    package func limitOpenFiles(to count: Int) {
        process.withLock { id in if id > 0 { _ = cprocess_limit_open_files(id, UInt(count)) } }
    }

    /// How many files the server has open, and the hundredths of a second that it has used a processor for.
    package var load: (files: Int, ticks: Int)? {
        let id = process.withLock { $0 }
        guard let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/fd").count,
            let text = try? SmallFile.read(LocalPath("/proc/\(id)/stat"), bytesMax: 1 << 12)
        else { return nil }
        // proc(5): user and system time are the 14th and 15th field; the second one has no spaces here.
        let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
        guard fields.count > 15, let user = Int(fields[13]), let system = Int(fields[14]) else { return nil }
        return (files, user + system)
    }

    package var log: String {
        let bytes = try? SmallFile.read(LocalPath(data.bytes + Array(".log".utf8)), bytesMax: 16 << 20)
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    private static func spawn(
        _ words: [String], _ environment: [String], errors: LocalPath
    ) throws -> (pid_t, Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw VaultError(system: errno, "make", LocalPath("a pipe")) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, "\(errors)", O_WRONLY | O_CREAT | O_APPEND, 0o644)
        // A connection of another test would not end while this process has a copy of it.
        cprocess_start_without(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let arguments = ([program] + words).map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var id = pid_t()
        let status = posix_spawn(&id, program, &actions, &attributes, arguments, variables)
        close(ends[1])
        guard status == 0 else {
            close(ends[0])
            throw VaultError(system: status, "start", LocalPath(program))
        }
        return (id, ends[0])
    }

    /// The program that was built with the tests.
    private static let program: String = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let tests = LocalPath(buffer[..<max(0, count)].map { UInt8(bitPattern: $0) })
        return "\(tests.parent.appending("minivault"))"
    }()

    private static func line(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
