import ArgumentParser
import Glibc
import Logging
import VaultModel
import VaultServer

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve vaults to other computers, over TLS, until SIGTERM.",
        discussion: """
            SIGHUP loads the certificate and the hooks again. Users are made with 'minivault user add', also while the server runs. \
            Sockets that systemd passes are used instead of --listen.
            """)

    @OptionGroup var data: DataOptions
    #if Engines
        @Option(
            help: ArgumentHelp(
                "Keep up to so much of what is read from the object store again and again in DATA/cache, such as 10G.",
                valueName: "size"))
        var cache: ByteSize?
    #endif
    @Option(help: ArgumentHelp("The address and port to listen on.", valueName: "host:port"))
    var listen = "[::]:7117"
    @Flag(
        help: """
            Expect the PROXY protocol, version 1 or 2, of a balancer in front, which tells whose connection it is. Nobody else \
            must be able to connect.
            """)
    var proxyProtocol = false
    @Option(help: ArgumentHelp("A certificate chain in PEM, instead of the server's own.", valueName: "pem"))
    var certificate: String?
    @Option(help: ArgumentHelp("The certificate's private key in PEM.", valueName: "pem"))
    var key: String?
    @Flag(help: "Make the server's own certificate or key again, which is lost; with a new key, clients log in anew.")
    var newCertificate = false
    @OptionGroup(title: "Hooks") var hooks: ServeHookOptions
    @Option(
        help: ArgumentHelp(
            "Tell monitoring and balancers, without a login, how the server is: /metrics and /ready here.",
            valueName: "host:port"))
    var metrics: String?
    @Option(help: ArgumentHelp("'human' or 'json'.", valueName: "format"))
    var logFormat = "human"
    @Option(help: ArgumentHelp("'debug', 'info', 'notice', 'warning' or 'error'.", valueName: "level"))
    var logLevel = "info"
    @Option(
        help: ArgumentHelp(
            "The most memory that the server takes for all its users (512M); hooks' workers have their own.",
            valueName: "size"))
    var memory: ByteSize?
    @Option(help: ArgumentHelp("The most connections at once (\(ServerLimits.connectionsMax)).", valueName: "n"))
    var maxConnections: Int?
    @Option(
        help: ArgumentHelp(
            "The most connections of one address (\(ServerLimits.connectionsPerAddressMax)).", valueName: "n"))
    var maxPerAddress: Int?
    @Option(
        help: ArgumentHelp("The most connections of one user (\(ServerLimits.connectionsPerUserMax)).", valueName: "n"))
    var maxPerUser: Int?

    func validate() throws {
        if (certificate == nil) != (key == nil) { throw ValidationError("--certificate and --key go together.") }
        if newCertificate, certificate != nil || data.isShared {
            throw ValidationError(
                "--new-certificate is for a certificate of the server's own: leave out --certificate and --catalog.")
        }
        if LineLogHandler.Format(rawValue: logFormat) == nil {
            throw ValidationError("--log-format takes 'human' or 'json'.")
        }
        if Logger.Level(rawValue: logLevel) == nil { throw ValidationError("'\(logLevel)' is no level of the log.") }
        if let memory, memory.bytes < UInt64(ServerLimits.memoryBytesMin) || memory.bytes > UInt64(1 << 46) {
            throw ValidationError("--memory takes \(ServerLimits.memoryBytesMin >> 20)M at least, and 64T at most.")
        }
        if [maxConnections, maxPerAddress, maxPerUser].contains(where: { $0.map { $0 < 1 } ?? false }) {
            throw ValidationError("A number of connections is 1 at least.")
        }
        #if Engines
            if cache != nil, !data.isShared { throw ValidationError("--cache is for --packs.") }
        #endif
        _ = try address(listen)
        _ = try metrics.map { try address($0) }
    }

    func run() async throws {
        let (format, level) = (
            LineLogHandler.Format(rawValue: logFormat) ?? .human, Logger.Level(rawValue: logLevel) ?? .info
        )
        let writer = LogWriter { count in
            LineLogHandler.line(
                format, .warning, "lines of the log are lost, since nobody took them", [("count", "\(count)")],
                at: currentNanoseconds())
        }
        defer { writer.flush(milliseconds: 1000) }
        let logger = Logger(label: "minivault") { _ in
            LineLogHandler(format, level: level) { line in writer.write(line) }
        }
        let options = try options()
        let launcher = try options.hooks.map { settings in
            try HookProcesses(options.data.appending("workers"), settings) { missing in
                logger.notice("workers of hooks are not wholly confined", metadata: ["missing": "\(missing)"])
            }
        }
        let server = try await Server.start(
            options, accounts: try await openShared(), launcher: launcher, logger: logger)
        Interruption.whenAsked { Task { await server.stop() } }
        Interruption.whenAskedToReload {
            do throws(VaultError) {
                try server.reloadCertificate()
            } catch {
                logger.error("the certificate was not loaded; the old one stays", metadata: ["error": "\(error)"])
            }
            Task { await server.reloadHooks() }
        }
        logger.info(
            "serving",
            metadata: [
                "port": "\(server.ports.map { "\($0)" }.joined(separator: ","))",
                "fingerprint": "\(server.fingerprint)",
            ])
        Output.event("minivault serves on port \(server.port), key \(server.fingerprint)")
        if let port = server.metricsPort { Output.event("metrics on port \(port)") }
        ServiceManager.notify("READY=1")
        await server.run()
        logger.info("stopped")
    }

    private func openShared() async throws(VaultError) -> Accounts? {
        #if Engines
            return try await data.openShared(cacheBytes: cache?.bytes)
        #else
            return nil
        #endif
    }

    private func options() throws -> Server.Options {
        var options = Server.Options(data: try data.directory)
        (options.host, options.port) = try address(listen)
        options.metrics = try metrics.map { try address($0) }.map { Server.Address(host: $0.0, port: $0.1) }
        options.sockets = ServiceManager.passedSockets
        options.isProxied = proxyProtocol
        options.certificate = certificate.map { CommandText.path($0) }
        options.key = key.map { CommandText.path($0) }
        options.replacesLostCertificate = newCertificate
        options.hooks = hooks.settings(data: options.data)
        if let memory { options.bounds.heldBytes = ServerLimits.heldBytes(ofProcess: Int(clamping: memory.bytes)) }
        if let maxConnections { options.bounds.connections = maxConnections }
        if let maxPerAddress { options.bounds.connectionsPerAddress = maxPerAddress }
        if let maxPerUser { options.bounds.connectionsPerUser = maxPerUser }
        return options
    }

    /// The host and port of `host:port`, `[address]:port`, `:port`, `port` or `host`.
    private func address(_ text: String) throws -> (String, Int) {
        let problem = ValidationError(
            "'\(printable(text))' is not HOST:PORT, such as '[::]:7117' or 'localhost:7117'.")
        let isPort = !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let text = isPort ? ":\(text)" : text
        var host = Substring(text)
        var port = 7117
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            guard let number = Int(text[text.index(after: colon)...]), (0...65535).contains(number) else {
                throw problem
            }
            port = number
            host = text[..<colon]
        }
        if host.hasPrefix("[") {
            guard host.hasSuffix("]") else { throw problem }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw problem
        }
        return (host.isEmpty ? "::" : String(host), port)
    }
}
