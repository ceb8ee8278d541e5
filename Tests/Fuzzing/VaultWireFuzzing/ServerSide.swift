import FoundationEssentials
import FuzzSupport
import SwiftProtobuf
import VaultModel
import VaultWire

/// A server's end of a connection without network and program, which checks what the machine lets through.
///
/// Once the peer has broken the protocol, nothing that it sends is looked at.
struct ServerSide {
    /// What the machine has asked for, and nobody has done yet.
    enum Step {
        case login
        case proof
    }

    struct Request {
        var message: WireClientMessage
        var announced: Int
        var received = 0
        var isCancelled = false
        /// Where the content goes; nil for none, or more than a fuzzer has time for.
        let receiver: ContentReceiver?

        init(_ message: WireClientMessage, announced: Int) {
            self.message = message
            self.announced = announced
            receiver = announced > 0 && announced <= 1 << 16 ? ContentReceiver(lengths: [1, announced - 1]) : nil
        }
    }

    private(set) var machine = ServerConnectionMachine()
    private var reader = FrameReader(messageBytesMax: WireLimits.loginMessageBytesMax)
    private(set) var step: Step?
    /// Requests without an answer.
    private(set) var requests: [UInt32: Request] = [:]
    private var lastNumber: UInt32 = 0
    private(set) var violation: WireViolation?
    /// Whether the client was told that there will be no login.
    private(set) var isRefused = false
    /// Frames for the client.
    var output = Pipe()

    mutating func receive(_ bytes: [UInt8]) throws(BrokenInvariant) {
        var broken: BrokenInvariant?
        bytes.withUnsafeBytes { input in
            var rest = input
            while violation == nil, broken == nil {
                do {
                    guard let event = try reader.next(&rest) else { break }
                    switch event {
                    case .message(let message, let request):
                        try receive(try WireClientMessage(decoding: message), request)
                    case .data(let data, let request): try receive(data, request)
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

    private mutating func receive(_ message: WireClientMessage, _ request: UInt32) throws {
        let wasOpen = machine.isOpen
        let action = try machine.receive(message, request: request)
        switch action {
        case .welcome:
            try require(!wasOpen && request == 0, "a greeting in the middle")
            var answer = WireServerMessage()
            answer.welcome.version = ServerConnectionMachine.version
            send(answer, 0)
        case .refuse(let error):
            isRefused = true
            send(.closing(error), 0)
        case .login, .prove:
            try require(!wasOpen && step == nil && request == 0, "a login out of turn")
            if case .login = action { step = .login } else { step = .proof }
        case .begin(let id, let message, let bytes):
            try require(wasOpen, "a request before the login")
            try require(id == request, "a request under another number")
            try require(message.body != nil, "a request that says nothing")
            try number(request)
            requests[id] = Request(message, announced: bytes)
        case .cancel(let id):
            guard let found = requests[id], wasOpen else { throw BrokenInvariant("a cancel of no request") }
            try require(!found.isCancelled, "a second cancel of one request")
            try number(request)
            requests[id]?.isCancelled = true
            found.receiver?.fail(.cancelled)
        case .pong(let id):
            try require(wasOpen && id == request, "a sign of life before the login")
            try number(request)
            var answer = WireServerMessage()
            answer.pong = WirePong()
            send(answer, id)
        case .ignore:
            try require(wasOpen || isRefused, "a message before the login that is not looked at")
            if wasOpen { try number(request) }
        }
        try checkBounds()
    }

    private mutating func receive(_ bytes: UnsafeRawBufferPointer, _ request: UInt32) throws {
        switch try machine.receiveData(bytes.count, request: request) {
        case .deliver(let isLast):
            guard var found = requests[request] else { throw BrokenInvariant("content for no request") }
            try require(!found.isCancelled, "content of a request that was cancelled")
            found.received += bytes.count
            found.receiver?.receive(bytes)
            try require(found.received <= found.announced, "more content than was announced")
            try require(isLast == (found.received == found.announced), "the end of content at a wrong place")
            requests[request] = found
        case .discard:
            try require(machine.isOpen || isRefused, "content before the login that is not looked at")
            try require(requests[request] == nil, "content of a request is thrown away")
            try require(
                isRefused || (1...max(1, lastNumber)).contains(request), "content of no request is not looked at")
        }
    }

    private mutating func number(_ number: UInt32) throws(BrokenInvariant) {
        try require(number > lastNumber, "a number that was used before")
        lastNumber = number
    }

    private func checkBounds() throws(BrokenInvariant) {
        try require(machine.requestsInFlight == requests.count, "requests are miscounted")
        try require(requests.count <= WireLimits.requestsMax, "too many requests at once")
        let bytes = requests.values.reduce(0) { $0 + $1.announced }
        try require(bytes <= WireLimits.requestBytesMax, "too much content at once")
    }

    // MARK: What the server's program does

    /// Does the step of the login that is asked for.
    mutating func advanceLogin(challenging: Bool) {
        guard let step, violation == nil else { return }
        self.step = nil
        if case .login = step, challenging {
            machine.challenged()
            var message = WireServerMessage()
            message.loginChallenge.nonce = Data(repeating: 1, count: 32)
            send(message, 0)
        } else {
            machine.opened()
            reader.messageBytesMax = WireLimits.clientMessageBytesMax
            var message = WireServerMessage()
            message.loginDone.requestsMax = UInt32(WireLimits.requestsMax)
            send(message, 0)
        }
    }

    /// Sends the answer to a request.
    ///
    /// - Parameter isLast: whether no content follows.
    mutating func answer(_ request: UInt32, _ message: WireServerMessage, isLast: Bool = true) {
        send(message, request)
        if isLast { finish(request) }
    }

    /// Sends content behind an answer.
    mutating func answer(_ request: UInt32, contentBytes count: Int, isLast: Bool) {
        output += dataFrame(count, request)
        if isLast { finish(request) }
    }

    private mutating func finish(_ request: UInt32) {
        machine.answered(request)
        requests[request] = nil
    }

    mutating func send(_ message: WireServerMessage, _ request: UInt32) {
        output += FrameWriter.frames(of: message, request: request)
    }
}

/// A frame with as many bytes of content.
func dataFrame(_ count: Int, _ request: UInt32) -> [UInt8] {
    FrameHeader(length: count, request: request, kind: .data).encoded + [UInt8](repeating: 0, count: count)
}
