import NIOCore
import VaultModel
import VaultTransport
import VaultWire

/// One connection on its event loop: the machine that judges the server's messages, and who waits for which.
///
/// `@unchecked Sendable`: all state is touched on the event loop only.
final class ClientEvents: FrameEvents, @unchecked Sendable {
    /// What a login hears from the server.
    enum LoginEvent: Sendable {
        case connected
        case welcome(WireWelcome)
        case challenge(WireLoginChallenge)
        case opened(WireLoginDone)
        case ended(VaultError)
    }

    let loop: any EventLoop
    /// What happens until the login is done; it ends with the connection.
    let login: AsyncStream<LoginEvent>
    private let loginContinuation: AsyncStream<LoginEvent>.Continuation
    private var machine: ClientConnectionMachine
    private var waiting: [UInt32: PendingAnswer] = [:]
    /// What each request takes of what the server allows at once, until its answer is complete: also where nobody
    /// waits for that any more.
    private var shares: [UInt32: [ByteBudget.Share]] = [:]
    private var receivers: [UInt32: ContentReceiver] = [:]
    private weak var handler: FrameHandler?
    /// Why the connection takes no requests any more.
    private var end: VaultError?
    private let onEnd: @Sendable (VaultError) -> Void
    private var pings: RepeatedTask?
    private var lastHeard = NIODeadline.now()

    init(
        _ loop: any EventLoop, machine: ClientConnectionMachine = ClientConnectionMachine(),
        onEnd: @escaping @Sendable (VaultError) -> Void
    ) {
        self.machine = machine
        self.loop = loop
        self.onEnd = onEnd
        (login, loginContinuation) = AsyncStream.makeStream()
    }

    func started(_ handler: FrameHandler) {
        self.handler = handler
    }

    // MARK: Events of the connection

    func connected(_ context: any FrameContext) {
        loginContinuation.yield(.connected)
    }

    func received(_ message: [UInt8], request: UInt32) throws(WireViolation) {
        lastHeard = .now()
        let action = try machine.receive(WireServerMessage(decoding: message), request: request)
        if !machine.isInFlight(request) { shares[request] = nil }
        switch action {
        case .welcome(let welcome): loginContinuation.yield(.welcome(welcome))
        case .challenge(let challenge): loginContinuation.yield(.challenge(challenge))
        case .opened(let done):
            handler?.allowMessages(ofBytes: WireLimits.serverMessageBytesMax)
            keepAlive()
            loginContinuation.yield(.opened(done))
        case .refused(let error), .closing(let error):
            end = end ?? error
            handler?.finish([])
        case .answer(let id, let message, let bytes): try answer(id, message, bytes)
        case .failed(let id, let error):
            receivers.removeValue(forKey: id)?.fail(error)
            waiting.removeValue(forKey: id)?.finish(.failure(.failed(error)))
        case .ignore: break
        }
    }

    func received(_ bytes: UnsafeRawBufferPointer, request: UInt32) throws(WireViolation) {
        lastHeard = .now()
        let action = try machine.receiveData(bytes.count, request: request)
        if !machine.isInFlight(request) { shares[request] = nil }
        switch action {
        case .discard: break
        case .deliver(let isLast):
            receivers[request]?.receive(bytes)
            if isLast { receivers[request] = nil }
        }
    }

    func violated(_ violation: WireViolation) {
        end = end ?? VaultError(violation)
        handler?.finish([])
    }

    func disconnected(_ error: (any Error)?) {
        pings?.cancel()
        let reason = end ?? error.map { .connectionLost(cause: "\($0)") } ?? .connectionLost()
        end = reason
        loginContinuation.yield(.ended(reason))
        loginContinuation.finish()
        for receiver in receivers.values { receiver.fail(.connectionLost(cause: reason.description)) }
        for answer in waiting.values { answer.finish(.failure(.lost(reason))) }
        (receivers, waiting, shares) = ([:], [:], [:])
        onEnd(reason)
    }

    private func answer(_ id: UInt32, _ message: WireServerMessage, _ bytes: Int) throws(WireViolation) {
        guard let pending = waiting.removeValue(forKey: id) else { return }
        var receiver: ContentReceiver?
        if bytes > 0 {
            let made = ContentReceiver(lengths: try message.contentLengths)
            receivers[id] = made
            receiver = made
        }
        pending.finish(.success(ClientAnswer(message: message, content: receiver)))
    }

    private func keepAlive() {
        let interval = TimeAmount.seconds(Int64(ClientLimits.pingSeconds))
        pings = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            guard let self, let handler, machine.isOpen, machine.hasNumbers else { return }
            // A server answers signs of life; one that stands still, or a way that is cut without a word, does not. On a slow
            // way they lie behind what is sent, and that it takes this is a sign of life too.
            let now = NIODeadline.now()
            let taken = handler.waitsForPeer(since: now) ?? lastHeard
            if now - max(lastHeard, taken) > interval * 2 {
                return finish(.connectionLost(cause: "the server does not answer"))
            }
            var message = WireClientMessage()
            message.ping = WirePing()
            handler.send(FrameWriter.frames(of: message, request: machine.begin(message)))
        }
    }

    // MARK: Requests; all on the event loop

    func sendLogin(_ messages: [WireClientMessage]) {
        handler?.send(messages.flatMap { FrameWriter.frames(of: $0, request: 0) })
    }

    /// Numbers a request and sends it; its content, if it has any, may follow once it has its number.
    ///
    /// - Parameters:
    ///   - pending: hears the answer, or at once that the connection takes no more requests.
    ///   - shares: what the request takes of what the server allows.
    func begin(_ message: WireClientMessage, _ pending: PendingAnswer, _ shares: [ByteBudget.Share]) {
        guard let handler, end == nil, machine.isOpen, machine.hasNumbers else {
            return pending.finish(.failure(.lost(end ?? .connectionLost())))
        }
        let id = machine.begin(message)
        waiting[id] = pending
        self.shares[id] = shares
        handler.send(FrameWriter.frames(of: message, request: id))
        pending.begin(id)
    }

    /// Sends a request whose answer nobody waits for.
    func post(_ message: WireClientMessage, _ shares: [ByteBudget.Share]) {
        guard let handler, end == nil, machine.isOpen, machine.hasNumbers else { return }
        let id = machine.begin(message)
        handler.send(FrameWriter.frames(of: message, request: id))
        _ = machine.giveUp(id)
        self.shares[id] = shares
    }

    /// Gives a request up: whoever waits for it hears so, and the server stops working on it.
    func cancel(_ id: UInt32) {
        receivers.removeValue(forKey: id)?.fail(.cancelled)
        if machine.giveUp(id), let handler, end == nil, machine.isOpen, machine.hasNumbers {
            var message = WireClientMessage()
            message.cancel.request = id
            handler.send(FrameWriter.frames(of: message, request: machine.begin(message)))
        }
        waiting.removeValue(forKey: id)?.finish(.failure(.failed(.cancelled)))
    }

    func finish(_ reason: VaultError) {
        end = end ?? reason
        handler?.finish([])
    }
}

extension WireServerMessage {
    fileprivate var contentLengths: [Int] {
        get throws(WireViolation) {
            switch body {
            case .fetchReady(let ready): try ready.chunks.model.map { Int($0.span) }
            case .readReady(let ready): try ready.first.model.map { Int($0.span) }
            case .smallReady(let ready): try ready.contentLengths
            default: []
            }
        }
    }
}
