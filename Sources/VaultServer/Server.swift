import Glibc
package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
package import VaultModel
import VaultTransport
import VaultWire

/// Serves vaults over TLS: those of one data directory, or of engines that many servers share.
package final class Server: Sendable {
    package struct Options: Sendable {
        package var data: LocalPath
        package var host = "::"
        /// 0 for one that the system chooses.
        package var port = 7117
        /// Listening sockets that the process was started with, instead of an address.
        package var sockets: [Int32] = []
        /// Whether a balancer in front says for whom it connects, by the PROXY protocol.
        package var isProxied = false
        /// The operator's own certificate chain and key, in PEM; the server's own without them.
        package var certificate: LocalPath?
        package var key: LocalPath?
        /// Whether the server's own certificate or key is made again where it is lost.
        package var replacesLostCertificate = false
        package var bounds = ServerBounds()
        /// Nil for no hooks.
        package var hooks: HookSettings?
        /// Where monitoring is told how the server is; nil for nowhere.
        package var metrics: Address?

        package init(data: LocalPath) {
            self.data = data
        }
    }

    /// A host and a port; 0 for one that the system chooses.
    package struct Address: Sendable {
        package var host: String
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    private let options: Options
    /// Nil where many servers share the vaults.
    private let lock: ServingLock?
    private let services: ServerServices
    private let listener: Listener
    private let metrics: MetricsEndpoint?
    private let presented: Shelf<PresentedCertificate>
    private let logger: Logger

    /// Opens the data directory, making it on first use, loads the hooks, and starts to listen.
    ///
    /// - Parameters:
    ///   - accounts: those that many servers share; nil for those in the data directory.
    ///   - launcher: starts the processes in which hooks run.
    package static func start(
        _ options: Options, accounts shared: Accounts? = nil, launcher: (any HookLauncher)? = nil, logger: Logger
    ) async throws(VaultError) -> Server {
        var options = options
        let accounts: Accounts
        var lock: ServingLock?
        if let shared {
            accounts = shared
            try LocalDirectories.make(options.data, mode: 0o700)
            if options.certificate == nil {
                let files = try ServerCertificate.share(in: accounts, data: options.data)
                (options.certificate, options.key) = files
            }
        } else {
            accounts = try Accounts.open(options.data)
            lock = try ServingLock(options.data)
        }
        do throws(VaultError) {
            try await accounts.removeLeftovers()
        } catch  where shared != nil {
            // Another server is at it, or the next one will be.
            logger.warning("what is left of removed vaults stays", metadata: ["error": "\(error)"])
        }
        await accounts.tellOfOrphans(logger)
        options.warnOfWritableFiles(logger)
        options.bounds.fitOpenFiles(OpenFileLimit.count, logger)
        let presented = Shelf(try PresentedCertificate(try options.loadCertificate(logger, makingFor: accounts)))
        let services = try ServerServices(accounts, options.bounds, logger)
        if let settings = options.hooks, let launcher {
            let pool = HookPool(settings, launcher, services, logger)
            try await pool.loadFirst()
            services.hooks.value = pool
            services.hosts.use(pool)
        }
        let listener: Listener
        do throws(VaultError) {
            listener = try await Listener.open(options, logger) { [isProxied = options.isProxied] channel in
                ConnectionSetup.prepare(channel, isProxied: isProxied, presented.value, services, logger)
            }
        } catch {
            services.hooks.value?.close()
            throw error
        }
        var metrics: MetricsEndpoint?
        do throws(VaultError) {
            if let address = options.metrics {
                let readiness = Readiness(services.accounts.places)
                metrics = try await MetricsEndpoint.open(address, logger) {
                    await ServerMetrics.text(services)
                } look: { () throws(VaultError) in
                    if services.isStopping.load(ordering: .acquiring) { throw Server.stopped }
                    try await readiness.look()
                }
            }
        } catch {
            listener.close()
            services.hooks.value?.close()
            throw error
        }
        return Server(options, lock, services, listener, metrics, presented, logger)
    }

    private init(
        _ options: Options, _ lock: ServingLock?, _ services: ServerServices, _ listener: Listener,
        _ metrics: MetricsEndpoint?, _ presented: Shelf<PresentedCertificate>, _ logger: Logger
    ) {
        self.options = options
        self.lock = lock
        self.services = services
        self.listener = listener
        self.metrics = metrics
        self.presented = presented
        self.logger = logger
    }

    /// The port that is listened on; the first one of several.
    package var port: Int { listener.port }

    /// The ports of all listening sockets.
    package var ports: [Int] { listener.ports }

    /// The port at which monitoring asks; nil for none.
    package var metricsPort: Int? { metrics?.port }

    /// The fingerprint of the server's key, by which people tell it from others.
    package var fingerprint: String { presented.value.identity.keyFingerprint.fingerprint }

    /// Serves until ``stop()``, or until the listening socket fails.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watch() }
            if let pool = services.hooks.value {
                group.addTask { await HookKeeper(pool, self.services, data: self.options.data, self.logger).run() }
            }
            await withTaskExecutorPreference(ServerExecutor.shared) {
                await listener.serve { connection in await self.serve(connection) }
            }
            group.cancelAll()
        }
        metrics?.close()
        services.addRefusals()
        await services.sessions.end { _ in Server.stopped }
        await services.hosts.closeAll()
        services.hooks.value?.close()
    }

    /// Accepts nobody any more and lets what runs come to its end, for a while; the rest can be resumed.
    package func stop() async {
        guard !services.isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        logger.info("stopping")
        listener.close()
        for connection in services.connections.all { connection.drain(Server.stopped) }
        let deadline = ContinuousClock.now + .seconds(ServerLimits.stopSecondsMax)
        while services.connections.count > 0, ContinuousClock.now < deadline {
            do { try await Task.sleep(for: .milliseconds(20)) } catch { break }
        }
        for connection in services.connections.all { connection.close(Server.stopped) }
        // What waits for a hook waits no longer.
        services.hooks.value?.close()
    }

    /// Loads the certificate again for the connections to come; those that are open keep theirs.
    ///
    /// - Throws: why the new one cannot be used; the old one stays.
    package func reloadCertificate() throws(VaultError) {
        presented.value = try PresentedCertificate(try options.loadCertificate(logger, makingFor: nil))
        logger.info("certificate loaded", metadata: ["fingerprint": "\(fingerprint)"])
    }

    /// Loads the hooks file again; where it is not sound, the old one stays in use.
    package func reloadHooks() async {
        if let pool = services.hooks.value { await pool.reload() }
    }

    private static let stopped = VaultError(.unavailable, "The server is being stopped.", isRetryable: true)

    private func serve(_ connection: ServerConnection) async {
        do throws(VaultError) {
            try services.connections.add(connection)?.drop()
            guard await connection.isIntroduced() else { return services.connections.remove(connection) }
            try services.connections.introduce(connection)
            // It may have come after all were told.
            if services.isStopping.load(ordering: .acquiring) { connection.drain(Server.stopped) }
        } catch {
            logger.notice("connection refused", metadata: ["peer": "\(connection.peer)", "reason": "\(error)"])
            connection.close(error)
        }
        await connection.run()
    }

    /// Notices what other processes change of the accounts, and sessions that nobody uses any more.
    private func watch() async {
        var seen = try? services.accounts.dataVersion()
        while !Task.isCancelled {
            do { try await Task.sleep(for: .milliseconds(ServerLimits.watchMilliseconds)) } catch { return }
            services.addRefusals()
            services.memory.relieve(services.bounds)
            let now = ContinuousClock.now
            await services.sessions.end { session in
                session.isAbandoned(at: now) ? VaultError(.timeout, "The session was not used for too long.") : nil
            }
            do throws(VaultError) {
                let version = try services.accounts.dataVersion()
                if version == seen { continue }
                try await services.reviewSessions()
                seen = version
            } catch {
                logger.error("the accounts cannot be read", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// A value that one side replaces and the other reads.
final class Shelf<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) {
        mutex = Mutex(value)
    }

    var value: Value {
        get { mutex.withLock { $0 } }
        set { mutex.withLock { $0 = newValue } }
    }
}

extension Accounts {
    /// Tells in the log of vaults that nobody can use.
    fileprivate func tellOfOrphans(_ logger: Logger) async {
        do throws(VaultError) {
            for id in try await orphanedVaults() {
                logger.warning(
                    "a vault is there that the accounts do not know: 'minivault user adopt-vault ID NAME' names it",
                    metadata: ["id": "\(id)"])
            }
        } catch {
            logger.warning("vaults without a name cannot be looked for", metadata: ["error": "\(error)"])
        }
    }
}

extension Server.Options {
    /// Warns where everybody on this machine may change what decides who gets in and what is refused.
    fileprivate func warnOfWritableFiles(_ logger: Logger) {
        for path in [data, hooks?.file].compactMap({ $0 }) {
            guard let mode = try? FileStatus(of: path, followsLinks: true).mode, mode & 0o002 != 0 else { continue }
            logger.warning(
                "everybody on this machine may change what the server relies on: 'chmod o-w' ends that",
                metadata: ["path": "\(path)", "mode": "\(String(mode, radix: 8))"])
        }
    }

    /// The operator's certificate, or the server's own, with what there is to warn of told in the log.
    ///
    /// - Parameter accounts: those of a server that starts, whose own certificate may be missing yet; nil to load what
    ///   is there.
    fileprivate func loadCertificate(
        _ logger: Logger, makingFor accounts: Accounts?
    ) throws(VaultError) -> ServerCertificate {
        let loaded: ServerCertificate
        if let certificate, let key {
            loaded = try ServerCertificate.load(certificate: certificate, key: key)
        } else if let accounts {
            loaded = try ServerCertificate.own(in: data, of: accounts, replacesLost: replacesLostCertificate)
        } else {
            loaded = try ServerCertificate.load(
                certificate: data.appending("certificate.pem"), key: data.appending("key.pem"))
        }
        for warning in loaded.warnings() { logger.warning("\(warning)") }
        return loaded
    }
}
