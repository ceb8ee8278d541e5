import FoundationEssentials
import FuzzSupport
import SwiftProtobuf
import VaultWire

/// Feeds a connection's raw bytes to one side, at once and in pieces: both must tell the same.
func fuzzConnection(_ input: [UInt8]) throws(BrokenInvariant) {
    var choices = Choices(input)
    let (isServer, isOpen, pieceBytes) = (choices.flag(), choices.flag(), 1 + choices.below(40))
    let bytes = choices.rest
    if isServer {
        var whole = ServerSide()
        if isOpen { try whole.open() }
        var split = whole
        try whole.receive(bytes)
        for piece in pieces(of: bytes, pieceBytes) {
            try split.receive(piece)
            if !isOpen { split.advanceLogin(challenging: pieceBytes % 2 == 0) }
        }
        guard isOpen else { return }
        try require(whole.violation == split.violation, "the violation depends on how the bytes come")
        try require(whole.hasSameRequests(as: split), "the requests depend on how the bytes come")
        try require(whole.output == split.output, "the answers depend on how the bytes come")
    } else {
        var whole = ClientSide()
        if isOpen { try whole.open(requests: [.someStat, .somePut, .someFetch, .someFetch, .someOpenRead]) }
        var split = whole
        try whole.receive(bytes)
        for piece in pieces(of: bytes, pieceBytes) { try split.receive(piece) }
        try require(whole.violation == split.violation, "the violation depends on how the bytes come")
        try require(whole.hasSameRequests(as: split), "the requests depend on how the bytes come")
    }
}

private func pieces(of bytes: [UInt8], _ pieceBytes: Int) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: pieceBytes).map { Array(bytes[$0..<min($0 + pieceBytes, bytes.count)]) }
}

// A frame with too much content is a violation at once, or in pieces, behind the one that completes the content:
// so what is under way is the same only where there was none.

extension ServerSide {
    fileprivate func hasSameRequests(as other: ServerSide) -> Bool {
        violation != nil || requests.keys == other.requests.keys
    }

    /// Goes through the login of an honest client.
    mutating func open() throws(BrokenInvariant) {
        var client = ClientSide()
        client.greet()
        try receive(client.output.takeAll())
        advanceLogin(challenging: false)
        try require(machine.isOpen && violation == nil, "an honest client is not let in")
        output = Pipe()
    }
}

extension ClientSide {
    fileprivate func hasSameRequests(as other: ClientSide) -> Bool {
        violation != nil || requests.keys == other.requests.keys
    }

    /// Goes through the login of an honest server, and sends requests.
    mutating func open(requests: [WireClientMessage]) throws(BrokenInvariant) {
        var server = ServerSide()
        greet()
        try server.receive(output.takeAll())
        server.advanceLogin(challenging: false)
        try receive(server.output.takeAll())
        try require(takesRequests, "an honest server is not heard")
        for request in requests { _ = send(request) }
        output = Pipe()
    }

    /// Says what begins a connection.
    mutating func greet() {
        send(.with { $0.hello.versionMax = ServerConnectionMachine.version }, 0)
        send(.with { $0.loginBegin.ticket.ticket = Data(repeating: 1, count: 32) }, 0)
    }
}

extension WireClientMessage {
    static let someStat = WireClientMessage.with { $0.stat.name = Data("a".utf8) }
    static let somePut = WireClientMessage.with { $0.put = WirePut() }
    static let someFetch = WireClientMessage.with { $0.fetch.positions = [0] }
    static let someOpenRead = WireClientMessage.with { $0.openRead.name = Data("a".utf8) }
}
