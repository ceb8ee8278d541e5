import FuzzSupport
import SwiftProtobuf
import VaultWire

/// A client that does what it likes, and a server that answers when it likes.
func fuzzHostileClient(_ input: [UInt8]) throws(BrokenInvariant) {
    var choices = Choices(input)
    var server = ServerSide()
    if !choices.flag() { try server.open() }
    var number: UInt32 = 0
    while !choices.isEmpty, server.violation == nil {
        let step = choices.below(8)
        let count = choices.repetitions()
        let same = choices
        for _ in 0..<count where server.violation == nil {
            choices = same
            switch step {
            case 0, 1:
                let message = choices.clientMessage()
                let request = choices.request(&number)
                try checkMeaning(of: message)
                try server.receive(FrameWriter.frames(of: message, request: request))
            case 2: try server.receive(FrameWriter.frames(of: choices.loginMessage(), request: 0))
            case 3: try server.receive(choices.dataFrame(of: number, inFlight: server.requests.keys.sorted()))
            case 4: server.advanceLogin(challenging: choices.flag())
            case 5:
                // What is refused before its content has come: the rest need never come.
                try server.receive(FrameWriter.frames(of: choices.clientMessage(), request: choices.request(&number)))
                if server.requests[number] != nil { server.answer(number, .with { $0.failure = choices.failure() }) }
            case 6:
                guard !server.requests.isEmpty else { break }
                let request = choices.one(of: server.requests.keys.sorted())
                server.answer(request, choices.flag() ? .done : .with { $0.failure = choices.failure() })
            default: try server.receive(choices.garbage(number))
            }
        }
    }
    try requireBounds(of: server.machine)
}

/// A server that does what it likes, and a client that asks when it likes.
func fuzzHostileServer(_ input: [UInt8]) throws(BrokenInvariant) {
    var choices = Choices(input)
    var client = ClientSide()
    if !choices.flag() { try client.open(requests: [.someStat, .someFetch, .someOpenRead]) }
    while !choices.isEmpty, client.violation == nil, !client.isClosed {
        let step = choices.below(8)
        let count = choices.repetitions()
        let same = choices
        for _ in 0..<count where client.violation == nil && !client.isClosed {
            choices = same
            let open = client.requests.keys.sorted()
            switch step {
            case 0, 1:
                let message = choices.serverMessage()
                let request = choices.answered(open)
                try checkMeaning(of: message)
                try client.receive(FrameWriter.frames(of: message, request: request))
            case 2: try client.receive(FrameWriter.frames(of: choices.loginAnswer(), request: 0))
            case 3: try client.receive(choices.dataFrame(of: choices.answered(open), inFlight: open))
            case 4:
                guard client.takesRequests, client.requests.count < WireLimits.requestsMax else { break }
                _ = client.send(choices.clientMessage())
            case 5:
                guard client.takesRequests, !open.isEmpty else { break }
                client.giveUp(choices.one(of: open))
            case 6: if client.isChallenged { client.prove() }
            default: try client.receive(choices.garbage(choices.answered(open)))
            }
            client.output = Pipe()
        }
    }
    try requireBounds(of: client.machine)
}

extension Choices {
    /// The number of a request: the next one, or any other.
    fileprivate mutating func request(_ last: inout UInt32) -> UInt32 {
        switch below(16) {
        case 0: return number()
        case 1: return last
        case 2: return UInt32(below(4))
        default:
            last = min(last, .max - 1) + 1
            return last
        }
    }

    /// The number that an answer is under: that of a request, or any other.
    fileprivate mutating func answered(_ open: [UInt32]) -> UInt32 {
        if open.isEmpty || rarely() { return rarely(2) ? number() : UInt32(below(16)) }
        return one(of: open)
    }

    fileprivate mutating func loginMessage() -> WireClientMessage {
        .with {
            switch below(3) {
            case 0: $0.hello = hello()
            case 1: $0.loginBegin = loginBegin()
            default: $0.loginProof = loginProof()
            }
        }
    }

    fileprivate mutating func loginAnswer() -> WireServerMessage {
        switch below(5) {
        case 0: .with { $0.welcome.version = ServerConnectionMachine.version }
        case 1: .with { $0.loginChallenge.nonce = digest() }
        case 2: .with { $0.loginDone = loginDone() }
        case 3: .with { $0.closing.reason = failure() }
        default: serverMessage()
        }
    }

    /// Content of a request that there is, or of none.
    fileprivate mutating func dataFrame(of last: UInt32, inFlight: [UInt32]) -> [UInt8] {
        let count = rarely(64) ? 1 + below(WireLimits.frameBytesMax) : 1 + below(80)
        let request = inFlight.isEmpty || rarely(4) ? last &- UInt32(below(3)) : one(of: inFlight)
        return VaultWireFuzzing.dataFrame(count, request)
    }

    /// A frame of any form, perhaps without its end.
    fileprivate mutating func garbage(_ request: UInt32) -> [UInt8] {
        let length = rarely(4) ? Int(number(UInt32.self)) : below(40)
        let kind = rarely(4) ? FrameHeader.Kind.data : .message
        var frame = FrameHeader(length: length, request: request, kind: kind, isLast: flag()).encoded
        if rarely() { frame[below(frame.count)] = byte() }
        return frame + (0..<min(length, 40)).map { _ in byte() }
    }
}

/// A machine keeps no more than the bounds of the protocol allow, whatever was sent to it.
func requireBounds(of machine: some Any) throws(BrokenInvariant) {
    for part in Mirror(reflecting: machine).children {
        let mirror = Mirror(reflecting: part.value)
        guard mirror.displayStyle == .dictionary || mirror.displayStyle == .set else { continue }
        try require(mirror.children.count <= WireLimits.requestsMax, "a machine keeps more than it may")
    }
}
