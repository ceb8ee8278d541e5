import FoundationEssentials
import NIOCore
import VaultModel
import VaultTransport
import VaultWire

/// Whose requests a connection brings.
protocol RequestOwner: AnyObject, Sendable {
    /// The memory for their content.
    var memory: UserMemory { get }
    /// Gives a change its place in the order of those before it.
    func enter(_ message: WireClientMessage) -> ChangeOrder.Turn?
}

/// What a connection tells the task that serves it.
enum ConnectionEvent: Sendable {
    case login(WireLoginBegin)
    case prove(WireLoginProof)
    /// The connection is gone, and these tasks of its requests are being cancelled.
    case ended([Task<Void, Never>])
}

/// One connection on its event loop: the machine that judges its messages, and the content on its way.
///
/// `@unchecked Sendable`: all but `send` and `close` run on the event loop.
final class ConnectionEvents: FrameEvents, @unchecked Sendable {
    private let bounds: ServerBounds
    private let report: @Sendable (String) -> Void
    private let continuation: AsyncStream<ConnectionEvent>.Continuation
    /// What the connection tells, in order; it ends with the connection. The machine bounds it.
    let stream: AsyncStream<ConnectionEvent>
    private let loop: any EventLoop

    private var machine: ServerConnectionMachine
    private var receivers: [UInt32: ContentReceiver] = [:]
    private weak var handler: FrameHandler?
    private var owner: (any RequestOwner)?
    /// Begins to work on a request, once the login is done.
    private var serve: (@Sendable (ServerRequest) -> Task<Void, Never>)?
    private var loginTimer: Scheduled<Void>?
    private var silenceTimer: RepeatedTask?
    private var lastHeard = NIODeadline.now()
    /// The request whose content comes, one at a time.
    private var incoming: Incoming?
    /// The memory for a long message that has not come whole yet.
    private var gathering: (share: FairBudget.Share, loan: FairBudget.Loan)?
    /// A request waits for memory, or the client does not take its answers: nothing is read meanwhile.
    private var isStarved = false
    private var isBacklogged = false
    private var pausedAt: NIODeadline?
    /// Requests that are worked on.
    private var running: [UInt32: Task<Void, Never>] = [:]
    private var isEnded = false
    /// Why the connection ends once no request is worked on.
    private var draining: VaultError?

    /// - Parameter report: is told what ends the connection from this side.
    init(
        _ loop: any EventLoop, _ bounds: ServerBounds, machine: ServerConnectionMachine = ServerConnectionMachine(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.machine = machine
        self.loop = loop
        self.bounds = bounds
        self.report = report
        (stream, continuation) = AsyncStream.makeStream()
    }

    /// Starts to count the time until the login must be done.
    func started(_ handler: FrameHandler) {
        self.handler = handler
        loginTimer = loop.scheduleTask(in: TimeAmount(bounds.login)) { [weak self] in
            self?.refuse(VaultError(.timeout, "The login took too long."), silently: true)
        }
    }

    // MARK: Events of the connection

    func connected(_ context: any FrameContext) {}

    func received(_ message: [UInt8], request: UInt32) throws(WireViolation) {
        lastHeard = .now()
        gathering = nil
        let length = message.count
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
        case .begin(let id, let message, let bytes):
            try begin(ServerRequest(id: id, message: message), length: length, contentBytes: bytes)
        case .cancel(let id):
            endContent(of: id)?.fail(.cancelled)
            running[id]?.cancel()
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
            incoming?.heard()
            receivers[request]?.receive(bytes)
            if isLast { endContent(of: request) }
        }
    }

    func gathered(messageBytes count: Int) {
        lastHeard = .now()
        guard count > ConnectionEvents.shortMessageBytes, gathering == nil, !isStarved, let owner else { return }
        // Room for all that it may become, since it grows by copies.
        let part = owner.memory.messages
        withShare(part, 2 * WireLimits.clientMessageBytesMax) { events, share in
            events.gathering = (share, events.lent(part))
        }
    }

    private static let shortMessageBytes = 32 << 10

    func violated(_ violation: WireViolation) {
        refuse(VaultError(violation))
    }

    func backlogged(_ isBacklogged: Bool) {
        self.isBacklogged = isBacklogged
        pauseOrResume()
    }

    func disconnected(_ error: (any Error)?) {
        loginTimer?.cancel()
        silenceTimer?.cancel()
        for receiver in receivers.values { receiver.fail(.connectionLost()) }
        receivers = [:]
        // One that is reset before a login is a balancer's look whether the server is there.
        if let error, !machine.isOpen, !(error is IOError) { report(error.ofConnection) }
        for task in running.values { task.cancel() }
        continuation.yield(.ended(Array(running.values)))
        continuation.finish()
        (running, serve, owner, gathering, isEnded) = ([:], nil, nil, nil, true)
    }

    private func begin(_ request: ServerRequest, length: Int, contentBytes: Int) throws(WireViolation) {
        // Without an answer, the client asks again over another connection.
        guard draining == nil, let owner else { return }
        let lengths = try contentBytes > 0 ? request.message.contentLengths : []
        withShare(owner.memory.messages, request.message.memoryBytes(length: length)) { events, share in
            var request = request
            request.messageShare = share
            if lengths.isEmpty { return events.start(request) }
            let part = owner.memory.part(forContentOf: contentBytes)
            let begun = request
            events.withShare(part, contentBytes) { events, share in events.take(begun, lengths, share, of: part) }
        }
    }

    /// Goes on with a share of the memory, now or once there is one.
    ///
    /// Until then the peer waits, by TCP's own means. All content before has come whole, so that whoever holds memory can do
    /// without this connection; where some is still coming, nothing is waited for, and the connection ends.
    private func withShare(
        _ part: UserMemory.Part, _ bytes: Int,
        _ body: @escaping @Sendable (ConnectionEvents, FairBudget.Share) -> Void
    ) {
        if let share = part.share(bytes) { return body(self, share) }
        guard incoming == nil else {
            return refuse(
                VaultError(.unavailable, "The server has no memory for more requests.", isRetryable: true))
        }
        isStarved = true
        pauseOrResume()
        part.share(bytes) { [weak self] share in
            guard let self else { return }
            loop.execute {
                guard self.isStarved, !self.isEnded else { return }
                self.isStarved = false
                body(self, share)
                self.pauseOrResume()
            }
        }
    }

    private func take(
        _ request: ServerRequest, _ lengths: [Int], _ share: FairBudget.Share, of part: UserMemory.Part
    ) {
        guard handler != nil else { return }
        var request = request
        let receiver = ContentReceiver(lengths: lengths)
        receivers[request.id] = receiver
        incoming = Incoming(request: request.id, loan: lent(part))
        request.content = receiver
        request.share = share
        start(request)
    }

    /// Notes that the peer decides how long a share of the memory is held.
    private func lent(_ part: UserMemory.Part) -> FairBudget.Loan {
        part.lend { [weak self] in
            self?.close(
                VaultError(.unavailable, "Others needed the memory that a slow connection held.", isRetryable: true))
        }
    }

    @discardableResult
    private func endContent(of request: UInt32) -> ContentReceiver? {
        if incoming?.request == request { incoming = nil }
        return receivers.removeValue(forKey: request)
    }

    private func pauseOrResume() {
        if isStarved || isBacklogged {
            pausedAt = pausedAt ?? .now()
            handler?.pauseReading()
        } else if pausedAt != nil {
            // The client is not to be blamed for what could not be heard.
            incoming?.heard()
            lastHeard = .now()
            pausedAt = nil
            handler?.resumeReading()
        }
    }

    private func start(_ request: ServerRequest) {
        var request = request
        // Not before there is memory for it: whoever has a turn must not wait for those behind.
        request.turn = owner?.enter(request.message)
        running[request.id] = serve?(request)
    }

    // MARK: What the serving task does

    /// Sends a step of the login, and awaits the client's proof.
    func challenge(_ message: WireServerMessage) {
        loop.execute { [self] in
            guard !isEnded else { return }
            machine.challenged()
            sendNow(message, request: 0)
        }
    }

    /// Ends the login well: requests may come.
    func open(
        _ message: WireServerMessage, _ session: Session,
        serving serve: @escaping @Sendable (ServerRequest) -> Task<Void, Never>
    ) {
        loop.execute { [self] in
            guard let handler, !isEnded else { return }
            machine.opened()
            (owner, self.serve) = (session, serve)
            loginTimer?.cancel()
            handler.allowMessages(ofBytes: WireLimits.clientMessageBytesMax)
            sendNow(message, request: 0)
            watchSilence()
        }
    }

    /// Begins to serve a worker, on the event loop: it has no login.
    func serveWorker(
        _ handler: FrameHandler, _ owner: any RequestOwner,
        serving serve: @escaping @Sendable (ServerRequest) -> Task<Void, Never>
    ) {
        (self.handler, self.owner, self.serve) = (handler, owner, serve)
    }

    /// Sends an answer, whose content may take a while.
    ///
    /// - Parameter part: the memory for answers.
    func send(
        _ answer: ServerAnswer, to request: ServerRequest, _ part: UserMemory.Part, _ channel: (any Channel)?
    ) async throws(VaultError) {
        let id = request.id
        let frames = FrameWriter.frames(of: answer.message, request: id)
        if answer.content.isEmpty, frames.count <= ConnectionEvents.shortBytes { return self.answer(request, frames) }
        // What is long waits in memory that is counted, for a client that may be slow to take it.
        let bytes = answer.content.reduce(frames.count) { $0 + $1.count }
        var share = answer.share
        // A share that was taken for the work shrinks to what is sent.
        if let share { _ = share.resize(to: min(bytes, share.bytes)) }
        if share == nil { share = try await part.share(waitingFor: bytes) }
        guard let channel else { throw .connectionLost() }
        let loan = lent(part)
        // The client may begin another request as soon as it has the last byte.
        try await FrameSender(channel)
            .send(frames, content: answer.content, request: id, whenSent: { [self] in answered(id) })
        withExtendedLifetime((share, loan)) {}
    }

    /// Bytes of an answer for which the share of a request's message has room besides.
    static let shortBytes = 4 << 10

    /// Sends an answer that is short and has no content.
    func answer(_ request: ServerRequest, _ frames: [UInt8]) {
        loop.execute { [self] in
            guard !isEnded else { return }
            endContent(of: request.id)
            handler?.send(frames, holding: request.messageShare)
            noteAnswer(request.id)
        }
    }

    /// Counts an answer that has been sent by other means. On the event loop.
    func answered(_ request: UInt32) {
        if !isEnded { noteAnswer(request) }
    }

    private func noteAnswer(_ request: UInt32) {
        machine.answered(request)
        running[request] = nil
        if let draining, running.isEmpty { refuse(draining, silently: true) }
    }

    /// Begins no request any more, and ends the connection once those that run are answered.
    func drain(_ reason: VaultError) {
        loop.execute { [self] in
            draining = reason
            if running.isEmpty { refuse(reason, silently: true) }
        }
    }

    /// Ends the connection with a reason for the client.
    func close(_ reason: VaultError) {
        loop.execute { [self] in refuse(reason) }
    }

    private func refuse(_ error: VaultError, silently: Bool = false) {
        if !silently { report(error.description) }
        handler?.finish(FrameWriter.frames(of: .closing(error), request: 0))
    }

    private func sendNow(_ message: WireServerMessage, request: UInt32) {
        handler?.send(FrameWriter.frames(of: message, request: request))
    }

    /// Ends a connection that says nothing for long, stops in the middle of a request's content, or does not take
    /// its answers.
    private func watchSilence() {
        let interval = TimeAmount(min(bounds.stall / 4, .seconds(5)))
        silenceTimer = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            self?.checkSilence(.now())
        }
    }

    private func checkSilence(_ now: NIODeadline) {
        let stall = TimeAmount(bounds.stall)
        if let since = handler?.waitsForPeer(since: now), now - since > stall {
            refuse(VaultError(.timeout, "The answers to its requests were not taken."))
        } else if pausedAt != nil {
            return
        } else if let heard = incoming?.lastHeard ?? gathering.map({ _ in lastHeard }), now - heard > stall {
            refuse(VaultError(.timeout, "The content of a request stopped coming."))
        } else if machine.requestsInFlight == 0, now - lastHeard > TimeAmount(bounds.idle) {
            refuse(VaultError(.timeout, "The connection was idle for too long."), silently: true)
        }
    }
}

extension Error {
    /// What ended a connection, without the insides of a library.
    fileprivate var ofConnection: String {
        if self is OtherProtocol { return "another protocol was asked for" }
        let text = "\(self)"
        for part in text.split(separator: ":") {
            let words = part.split(separator: " ").first ?? ""
            if words.count > 4, words.allSatisfy({ $0.isUppercase || $0.isNumber || $0 == "_" }) {
                return "the TLS handshake failed: \(words.lowercased().replacing("_", with: " "))"
            }
        }
        return text
    }
}

/// The content of a request that is on its way.
private struct Incoming {
    let request: UInt32
    /// Its memory, which others may need.
    let loan: FairBudget.Loan
    private(set) var lastHeard = NIODeadline.now()

    mutating func heard() { lastHeard = .now() }
}
