import NIOCore
import VaultModel
import VaultTransport
import VaultWire

/// What a connection tells the task that serves it.
enum ConnectionEvent: Sendable {
    case login(WireLoginBegin)
    case prove(WireLoginProof)
    case request(ServerRequest)
    case cancel(UInt32)
    /// The task of a request has ended.
    case ended(UInt32)
}

/// One connection on its event loop: the machine that judges its messages, and the content on its way.
///
/// `@unchecked Sendable`: all but `send` and `close` run on the event loop.
final class ConnectionEvents: FrameEvents, @unchecked Sendable {
    private let budget: ByteBudget
    private let report: @Sendable (String) -> Void
    private let continuation: AsyncStream<ConnectionEvent>.Continuation
    /// What the connection tells, in order; it ends with the connection. The machine bounds it.
    let stream: AsyncStream<ConnectionEvent>
    private let loop: any EventLoop

    private var machine = ServerConnectionMachine()
    private var receivers: [UInt32: ContentReceiver] = [:]
    private weak var handler: FrameHandler?
    /// Gives a change its place among those of its session, once there is one.
    private var enter: (@Sendable (WireClientMessage) -> ChangeOrder.Turn?)?
    private var loginTimer: Scheduled<Void>?
    private var silenceTimer: RepeatedTask?
    private var lastHeard = NIODeadline.now()
    private var wish: UInt64?
    /// Requests that somebody works on.
    private var working: Set<UInt32> = []
    /// Why the connection ends once nobody works on a request.
    private var draining: VaultError?

    /// - Parameter report: is told what ends the connection from this side.
    init(_ loop: any EventLoop, budget: ByteBudget, report: @escaping @Sendable (String) -> Void) {
        self.loop = loop
        self.budget = budget
        self.report = report
        (stream, continuation) = AsyncStream.makeStream()
    }

    /// Starts to count the time until the login must be done.
    func started(_ handler: FrameHandler, channel: any Channel) {
        self.handler = handler
        loginTimer = loop.scheduleTask(in: .seconds(Int64(ServerLimits.loginSecondsMax))) { [weak self] in
            self?.refuse(VaultError(.timeout, "The login took too long."), silently: true)
            channel.close(promise: nil)
        }
    }

    // MARK: Events of the connection

    func connected(_ context: any FrameContext) {}

    func received(_ message: [UInt8], request: UInt32) throws(WireViolation) {
        lastHeard = .now()
        let message = try WireClientMessage(decoding: message)
        switch try machine.receive(message, request: request) {
        case .welcome:
            var answer = WireServerMessage()
            answer.welcome.version = ServerConnectionMachine.version
            answer.welcome.program = ServerProgram.name
            sendNow(answer, request: 0)
        case .refuse(let error): refuse(error)
        case .login(let begin): continuation.yield(.login(begin))
        case .prove(let proof): continuation.yield(.prove(proof))
        case .begin(let id, let message, let bytes): try begin(id, message, bytes)
        case .cancel(let id):
            receivers.removeValue(forKey: id)?.fail(.cancelled)
            continuation.yield(.cancel(id))
        case .pong(let id):
            var answer = WireServerMessage()
            answer.pong = WirePong()
            sendNow(answer, request: id)
        case .ignore: break
        }
    }

    func received(_ bytes: UnsafeRawBufferPointer, request: UInt32) throws(WireViolation) {
        lastHeard = .now()
        switch try machine.receiveData(bytes.count, request: request) {
        case .discard: break
        case .deliver(let isLast):
            receivers[request]?.receive(bytes)
            if isLast { receivers[request] = nil }
        }
    }

    func violated(_ violation: WireViolation) {
        refuse(VaultError(violation))
    }

    func disconnected(_ error: (any Error)?) {
        loginTimer?.cancel()
        silenceTimer?.cancel()
        if let wish { budget.withdraw(wish) }
        for receiver in receivers.values { receiver.fail(.connectionLost()) }
        receivers = [:]
        if let error, !machine.isOpen { report(error is OtherProtocol ? "another protocol was asked for" : "\(error)") }
        continuation.finish()
    }

    private func begin(_ id: UInt32, _ message: WireClientMessage, _ bytes: Int) throws(WireViolation) {
        // Without an answer, the client asks again over another connection.
        if draining != nil { return }
        let turn = enter?(message)
        let request = ServerRequest(id: id, message: message, turn: turn)
        guard bytes > 0 else {
            start(request)
            return
        }
        let lengths = try message.contentLengths
        if let share = budget.share(bytes) { return take(request, lengths, share) }
        // The peer waits, by TCP's own means, until there is memory for what it sends.
        handler?.pauseReading()
        wish = budget.share(bytes) { [weak self] share in
            guard let events = self else { return }
            events.loop.execute { events.resume(request, lengths, share) }
        }
    }

    private func resume(_ request: ServerRequest, _ lengths: [Int], _ share: ByteBudget.Share) {
        wish = nil
        guard let handler else { return }
        lastHeard = .now()
        take(request, lengths, share)
        handler.resumeReading()
    }

    private func take(_ request: ServerRequest, _ lengths: [Int], _ share: ByteBudget.Share) {
        var request = request
        let receiver = ContentReceiver(lengths: lengths)
        receivers[request.id] = receiver
        request.content = receiver
        request.share = share
        start(request)
    }

    private func start(_ request: ServerRequest) {
        working.insert(request.id)
        continuation.yield(.request(request))
    }

    // MARK: What the serving task does

    /// Sends a step of the login, and awaits the client's proof.
    func challenge(_ message: WireServerMessage) {
        loop.execute { [self] in
            guard handler != nil else { return }
            machine.challenged()
            sendNow(message, request: 0)
        }
    }

    /// Ends the login well: requests may come.
    func open(
        _ message: WireServerMessage, entering enter: @escaping @Sendable (WireClientMessage) -> ChangeOrder.Turn?
    ) {
        loop.execute { [self] in
            guard let handler else { return }
            machine.opened()
            self.enter = enter
            loginTimer?.cancel()
            handler.allowMessages(ofBytes: WireLimits.clientMessageBytesMax)
            sendNow(message, request: 0)
            watchSilence()
        }
    }

    /// Sends an answer that has no content.
    func answer(_ request: UInt32, _ message: WireServerMessage) {
        let frames = FrameWriter.frames(of: message, request: request)
        loop.execute { [self] in
            guard let handler else { return }
            receivers[request] = nil
            handler.send(frames)
            noteAnswer(request)
        }
    }

    /// Counts an answer whose content has been sent by other means.
    func answered(_ request: UInt32) {
        loop.execute { [self] in
            if handler != nil { noteAnswer(request) }
        }
    }

    private func noteAnswer(_ request: UInt32) {
        machine.answered(request)
        working.remove(request)
        if let draining, working.isEmpty { refuse(draining, silently: true) }
    }

    /// Begins no request any more, and ends the connection once those that run are answered.
    func drain(_ reason: VaultError) {
        loop.execute { [self] in
            draining = reason
            if working.isEmpty { refuse(reason, silently: true) }
        }
    }

    /// Ends the connection with a reason for the client.
    func close(_ reason: VaultError) {
        loop.execute { [self] in refuse(reason) }
    }

    func requestEnded(_ request: UInt32) {
        continuation.yield(.ended(request))
    }

    private func refuse(_ error: VaultError, silently: Bool = false) {
        if !silently { report(error.description) }
        handler?.finish(FrameWriter.frames(of: .closing(error), request: 0))
    }

    private func sendNow(_ message: WireServerMessage, request: UInt32) {
        handler?.send(FrameWriter.frames(of: message, request: request))
    }

    /// Ends a connection that says nothing for long, or that stops in the middle of a request's content.
    private func watchSilence() {
        let interval = TimeAmount.seconds(5)
        silenceTimer = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            guard let self else { return }
            let silence = NIODeadline.now() - lastHeard
            if !receivers.isEmpty, wish == nil, silence > .seconds(Int64(ServerLimits.stallSecondsMax)) {
                refuse(VaultError(.timeout, "The content of a request stopped coming."))
            } else if machine.requestsInFlight == 0, silence > .seconds(Int64(ServerLimits.idleSecondsMax)) {
                refuse(VaultError(.timeout, "The connection was idle for too long."), silently: true)
            }
        }
    }
}

extension WireClientMessage {
    /// How the content behind the message is cut.
    fileprivate var contentLengths: [Int] {
        get throws(WireViolation) {
            switch body {
            case .put(let put): try put.chunks.model.map { Int($0.span) }
            case .saveSmall(let save): save.files.map { Int($0.length) }.filter { $0 > 0 }
            default: []
            }
        }
    }
}
