import Crypto
import FoundationEssentials
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import VaultModel
import VaultTransport
import VaultWire

/// Opens connections to one server: TCP, TLS, the look at its certificate, and the login.
struct ClientConnector: Sendable {
    /// How a connection logs in.
    enum Login: Sendable {
        case identity(ClientIdentity, vault: String)
        case ticket([UInt8], isControl: Bool)
    }

    let url: ServerURL
    let trust: ServerTrust
    let counter: WireCounter
    /// Connects to the server; nil for connections of this process's own.
    var dial: RemoteVault.Options.Dialer?

    /// - Parameter onEnd: is told once when the connection goes.
    /// - Throws: `unavailable` where the server cannot be reached, `login` where it is not the right one or
    ///   refuses the login, `timeout`, `invalid` for a server of another kind.
    func connect(
        _ login: Login, onEnd: @escaping @Sendable (VaultError) -> Void
    ) async throws(VaultError) -> (ClientConnection, WireLoginDone) {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let events = ClientEvents(loop, onEnd: onEnd)
        let verification = Verification(trust)
        let channel = try await open(loop, events, verification)
        let timer = loop.scheduleTask(in: .seconds(Int64(ClientLimits.connectSecondsMax))) {
            events.finish(VaultError(.timeout, "\(url.place) did not answer in time.", isRetryable: true))
            channel.close(promise: nil)
        }
        defer { timer.cancel() }
        do throws(VaultError) {
            let done = try await perform(login, events, verification)
            return (ClientConnection(channel, events, done), done)
        } catch {
            channel.close(promise: nil)
            throw explain(error, verification)
        }
    }

    private func open(
        _ loop: any EventLoop, _ events: ClientEvents, _ verification: Verification
    ) async throws(VaultError) -> any Channel {
        do {
            let context = try NIOSSLContext(configuration: TLSConfiguration.ofClient)
            let (host, isAddress, counter) = (url.host, url.isAddress, counter)
            let bootstrap = ClientBootstrap(group: loop)
                .connectTimeout(.seconds(Int64(ClientLimits.connectSecondsMax)))
                .channelOption(.socketOption(.so_keepalive), value: 1)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator.ofFrames)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let tls = try NIOSSLClientHandler(
                            context: context, serverHostname: isAddress ? nil : host
                        ) { certificates, promise in
                            verification.check(certificates, promise)
                        }
                        let handler = FrameHandler(
                            events, messageBytesMax: WireLimits.loginMessageBytesMax, counter: counter)
                        try channel.pipeline.syncOperations.addHandlers(tls, handler)
                        events.started(handler)
                    }
                }
            guard let dial else { return try await bootstrap.connect(host: host, port: url.port).get() }
            return try await bootstrap.withConnectedSocket(try await dial(url)).get()
        } catch let error as VaultError {
            throw error
        } catch {
            throw VaultError(connecting: error, to: url)
        }
    }

    // MARK: The login

    private func perform(
        _ login: Login, _ events: ClientEvents, _ verification: Verification
    ) async throws(VaultError) -> WireLoginDone {
        var steps = events.login.makeAsyncIterator()
        guard case .connected = try await next(&steps) else { throw outOfTurn }
        guard let leaf = verification.leaf else { throw outOfTurn }
        var exchange = try LoginExchange(login, server: try CertificateIdentity(der: leaf), trust: trust)
        var hello = WireClientMessage()
        hello.hello.versionMin = ServerConnectionMachine.version
        hello.hello.versionMax = ServerConnectionMachine.version
        hello.hello.program = "minivault"
        let first = [hello, exchange.begin()]
        events.loop.execute { events.sendLogin(first) }
        guard case .welcome = try await next(&steps) else { throw outOfTurn }
        while true {
            switch try await next(&steps) {
            case .challenge(let challenge):
                let proof = try exchange.prove(challenge)
                events.loop.execute { events.sendLogin([proof]) }
            case .opened(let done):
                try exchange.finish(done)
                return done
            case .connected, .welcome, .ended: throw outOfTurn
            }
        }
    }

    private func next(
        _ steps: inout AsyncStream<ClientEvents.LoginEvent>.Iterator
    ) async throws(VaultError) -> ClientEvents.LoginEvent {
        guard let event = await steps.next() else { throw Task.isCancelled ? .cancelled : .connectionLost() }
        if case .ended(let error) = event { throw error }
        return event
    }

    private var outOfTurn: VaultError {
        VaultError(.invalid, "\(url.place) does not keep to the protocol's login.")
    }

    /// The reason why a connection ended before its login was done.
    private func explain(_ error: VaultError, _ verification: Verification) -> VaultError {
        if let failure = verification.failure { return failure }
        guard error.code == .unavailable, verification.leaf == nil || error.cause?.contains("OtherProtocol") ?? false
        else { return error }
        return VaultError(
            .unavailable,
            "\(url.place) answers, but not as a MiniVault server: check the port; MiniVault's own is "
                + "\(ServerURL.portByDefault).", isRetryable: true)
    }
}

/// What becomes of the server's certificate, which the TLS handshake waits for.
final class Verification: Sendable {
    private struct State {
        var chain: [[UInt8]] = []
        var failure: VaultError?
    }

    private let trust: ServerTrust
    private let state = Mutex(State())

    init(_ trust: ServerTrust) {
        self.trust = trust
    }

    var leaf: [UInt8]? { state.withLock { $0.chain.first } }
    var chain: [[UInt8]] { state.withLock { $0.chain } }
    var failure: VaultError? { state.withLock { $0.failure } }

    func check(_ certificates: [NIOSSLCertificate], _ promise: EventLoopPromise<NIOSSLVerificationResult>) {
        let chain = certificates.compactMap { try? $0.toDERBytes() }
        state.withLock { $0.chain = chain }
        let trust = trust
        // On threads of its own: the peer does not wait for long, however busy the program is.
        Task(executorPreference: ClientExecutor.shared) {
            do throws(VaultError) {
                try await trust.verify(chain)
                promise.succeed(.certificateVerified)
            } catch {
                self.state.withLock { $0.failure = error }
                promise.succeed(.failed)
            }
        }
    }
}

extension TLSConfiguration {
    static var ofClient: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        configuration.applicationProtocols = [ApplicationProtocol.minivault.text ?? ""]
        // The verification is ours: pins know no authorities.
        configuration.certificateVerification = .noHostnameVerification
        // The authorities of the machine are read where they are asked, and not for each connection.
        configuration.trustRoots = .certificates([])
        return configuration
    }
}

extension AdaptiveRecvByteBufferAllocator {
    /// Reads as much at once as a frame has, when as much is there.
    static var ofFrames: AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16 << 10, maximum: 512 << 10)
    }
}
