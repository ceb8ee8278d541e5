import FoundationEssentials
import FuzzSupport
import SwiftProtobuf
import VaultWire

/// A client's end of a connection without network and program, which checks what the machine lets through.
///
/// Once the peer has broken the protocol or has closed the connection, nothing that it sends is looked at.
struct ClientSide {
    struct Request {
        /// Bytes of content that the answer announced; nil before it.
        var announced: Int?
        var received = 0
        var isGivenUp = false
    }

    private(set) var machine = ClientConnectionMachine()
    private var reader = FrameReader(messageBytesMax: WireLimits.loginMessageBytesMax)
    /// Requests whose answer is not complete.
    private(set) var requests: [UInt32: Request] = [:]
    private(set) var violation: WireViolation?
    private(set) var isClosed = false
    /// Whether the server has asked for a proof that it has not got.
    private(set) var isChallenged = false
    private var wasChallenged = false
    /// Frames for the server.
    var output = Pipe()

    mutating func receive(_ bytes: [UInt8]) throws(BrokenInvariant) {
        var broken: BrokenInvariant?
        bytes.withUnsafeBytes { input in
            var rest = input
            while violation == nil, !isClosed, broken == nil {
                do {
                    guard let event = try reader.next(&rest) else { break }
                    switch event {
                    case .message(let message, let request):
                        try receive(try WireServerMessage(decoding: message), request)
                    case .data(let data, let request): try receive(data.count, request)
                    }
                } catch let error as WireViolation {
                    violation = error
                } catch {
                    broken = error as? BrokenInvariant
                }
            }
        }
        if let broken { throw broken }
    }

    private mutating func receive(_ message: WireServerMessage, _ request: UInt32) throws {
        let wasOpen = machine.isOpen
        switch try machine.receive(message, request: request) {
        case .welcome: try require(!wasOpen, "a greeting in the middle")
        case .challenge:
            try require(!wasOpen && !wasChallenged, "a second challenge")
            (isChallenged, wasChallenged) = (true, true)
        case .opened:
            try require(!wasOpen && machine.isOpen, "a second login")
            reader.messageBytesMax = WireLimits.serverMessageBytesMax
        case .refused, .closing:
            try require(request == 0 && !machine.isOpen, "an end that is none")
            isClosed = true
        case .answer(let id, _, let bytes):
            guard let found = requests[id], id == request else { throw BrokenInvariant("an answer to no request") }
            try require(found.announced == nil, "a second answer")
            try require(!found.isGivenUp, "an answer to a request that was given up")
            try require(bytes <= WireLimits.contentBytesMax, "too much content at once")
            announce(bytes, id)
        case .failed(let id, _):
            guard let found = requests.removeValue(forKey: id), id == request else {
                throw BrokenInvariant("the failure of no request")
            }
            try require(!found.isGivenUp, "the failure of a request that was given up")
        case .ignore:
            if case .pong = message.body { break }
            guard let found = requests[request], found.isGivenUp, found.announced == nil || message.isFailure else {
                throw BrokenInvariant("a message is ignored without need")
            }
            if message.isFailure { requests[request] = nil } else { announce(try message.contentBytes, request) }
        }
        try require(machine.requestsInFlight == requests.count, "requests are miscounted")
    }

    private mutating func announce(_ bytes: Int, _ id: UInt32) {
        requests[id]?.announced = bytes
        if bytes == 0 { requests[id] = nil }
    }

    private mutating func receive(_ count: Int, _ request: UInt32) throws {
        let action = try machine.receiveData(count, request: request)
        guard var found = requests[request], let announced = found.announced else {
            throw BrokenInvariant("content that no answer announced")
        }
        found.received += count
        try require(found.received <= announced, "more content than was announced")
        let isLast = found.received == announced
        try require(action == (found.isGivenUp ? .discard : .deliver(isLast: isLast)), "content goes astray")
        requests[request] = isLast ? nil : found
        try require(machine.requestsInFlight == requests.count, "requests are miscounted")
    }

    // MARK: What the client's program does

    /// Whether the connection takes requests.
    var takesRequests: Bool { machine.isOpen && violation == nil && !isClosed }

    mutating func send(_ message: WireClientMessage) -> UInt32 {
        let id = machine.begin(message)
        if message.hasAnswer { requests[id] = Request() }
        send(message, id)
        return id
    }

    mutating func giveUp(_ id: UInt32) {
        guard machine.giveUp(id) else { return }
        requests[id]?.isGivenUp = true
        var message = WireClientMessage()
        message.cancel.request = id
        _ = send(message)
    }

    mutating func prove() {
        isChallenged = false
        var message = WireClientMessage()
        message.loginProof.signature = Data(repeating: 1, count: 64)
        send(message, 0)
    }

    mutating func send(_ message: WireClientMessage, _ request: UInt32) {
        output += FrameWriter.frames(of: message, request: request)
    }
}

extension WireServerMessage {
    fileprivate var isFailure: Bool { if case .failure = body { true } else { false } }
}

extension WireClientMessage {
    /// Whether a server answers the message under its number.
    fileprivate var hasAnswer: Bool {
        switch body {
        case .hello, .loginBegin, .loginProof, .cancel, .ping, nil: false
        default: true
        }
    }
}
