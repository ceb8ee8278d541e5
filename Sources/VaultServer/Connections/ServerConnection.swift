import Logging
import NIOCore
import NIOSSL
import VaultModel
import VaultTransport
import VaultWire

/// Serves one client's connection: its login, then its requests, side by side.
final class ServerConnection: Sendable {
    /// The certificate that the client was shown.
    let identity: CertificateIdentity
    private let address: Shelf<String>
    private let introduction: EventLoopFuture<Void>
    private let channel: any Channel
    private let events: ConnectionEvents
    private let services: ServerServices
    private let logger: Logger

    init(
        _ channel: any Channel, _ events: ConnectionEvents, peer: Shelf<String>, introduction: EventLoopFuture<Void>,
        identity: CertificateIdentity, services: ServerServices, logger: Logger
    ) {
        self.channel = channel
        self.events = events
        address = peer
        self.introduction = introduction
        self.identity = identity
        self.services = services
        self.logger = logger
    }

    /// The address of the client; of a balancer until ``isIntroduced()``.
    var peer: String { address.value }

    /// Returns once it is known who the peer is; false where he did not say so, and the connection has ended.
    func isIntroduced() async -> Bool { (try? await introduction.get()) != nil }

    /// Serves the connection until it ends; no task of its requests outlives it.
    func run() async {
        var login = ServerLogin(self, services, logger)
        var session: Session?
        for await event in events.stream {
            switch event {
            case .login(let begin):
                await step(&login, &session) { login throws(VaultError) in try await login.begin(begin) }
            case .prove(let proof):
                await step(&login, &session) { login throws(VaultError) in try await login.prove(proof) }
            case .ended(let running):
                for task in running { await task.value }
            }
        }
        if let session {
            session.detach(self)
            logger.debug("connection closed", metadata: ["user": "\(session.user)", "peer": "\(peer)"])
        }
        services.connections.remove(self)
    }

    func close(_ reason: VaultError) {
        events.close(reason)
    }

    /// Closes the socket at once, without a word: the peer has said nothing worth an answer.
    func drop() {
        channel.eventLoop.execute { [channel] in
            // From below TLS, whose own end waits for the peer.
            let handler = try? channel.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
            if let handler { handler.close(promise: nil) } else { channel.close(promise: nil) }
        }
    }

    /// Begins no request any more, and ends the connection with a reason once those that run have ended.
    func drain(_ reason: VaultError) {
        events.drain(reason)
    }

    private func step(
        _ login: inout ServerLogin, _ session: inout Session?,
        _ body: (inout ServerLogin) async throws(VaultError) -> ServerLogin.Step
    ) async {
        do throws(VaultError) {
            switch try await body(&login) {
            case .challenge(let message):
                events.challenge(message)
            case .done(let opened, let isControl, let message):
                do throws(VaultError) {
                    try services.connections.admit(self, user: opened.user)
                    try opened.attach(self, isControl: isControl)
                } catch {
                    opened.abandonIfUnused()
                    throw error
                }
                session = opened
                events.open(message, opened) { request in
                    // From the event loop straight to a thread that may block: each stop on the way costs a wake-up.
                    Task(executorPreference: ServerExecutor.shared) { await self.serve(request, opened) }
                }
            }
        } catch {
            events.close(error)
        }
    }

    private func serve(_ request: ServerRequest, _ session: Session) async {
        do throws(VaultError) {
            let answer = try await session.answer(request, services)
            if let denial = answer.message.firstDenial { tellDenial(denial, session) }
            try await events.send(answer, to: request, session.memory.answers, channel)
        } catch {
            if [.internal, .integrity].contains(error.code) {
                logger.error(
                    "request failed",
                    metadata: [
                        "user": "\(session.user)", "vault": "\(session.vaultName)", "peer": "\(peer)",
                        "error": "\(printable(error.description))",
                    ])
            } else if error.code != .cancelled {
                if error.code == .denied { tellDenial(error.message, session) }
                logger.info(
                    "request refused",
                    metadata: [
                        "user": "\(session.user)", "vault": "\(session.vaultName)", "peer": "\(peer)",
                        "code": "\(error.code.rawValue)", "reason": "\(printable(error.description))",
                    ])
            }
            events.answer(request, FrameWriter.frames(of: .failure(error), request: request.id))
        }
    }

    private func tellDenial(_ denial: String, _ session: Session) {
        services.auditRefusal(
            .denied, user: session.user, peer: peer, vault: session.vaultName, detail: denial)
    }
}

extension WireServerMessage {
    /// What was denied among the results of a request that does several things.
    fileprivate var firstDenial: String? {
        let failures =
            switch body {
            case .changed(let changed): changed.results.map(\.failure)
            case .smallSaved(let saved): saved.results.map(\.failure)
            case .smallReady(let ready): ready.results.map(\.failure)
            default: [WireFailure]()
            }
        return failures.first { $0.code == VaultError.Code.denied.rawValue }?.message
    }
}
