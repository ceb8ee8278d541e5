import FoundationEssentials
import VaultModel

@testable import VaultWire

extension WireClientMessage {
    static func hello(_ versions: ClosedRange<UInt32> = 1...1) -> WireClientMessage {
        var message = WireClientMessage()
        message.hello.versionMin = versions.lowerBound
        message.hello.versionMax = versions.upperBound
        return message
    }

    static func login() -> WireClientMessage {
        var message = WireClientMessage()
        message.loginBegin.ticket.ticket = Data([1])
        return message
    }

    static func proof() -> WireClientMessage {
        var message = WireClientMessage()
        message.loginProof.signature = Data([1])
        return message
    }

    static func stat(_ name: String) -> WireClientMessage {
        var message = WireClientMessage()
        message.stat.name = Data(name.utf8)
        return message
    }

    static func cancel(_ request: UInt32) -> WireClientMessage {
        var message = WireClientMessage()
        message.cancel.request = request
        return message
    }

    static func ping() -> WireClientMessage {
        var message = WireClientMessage()
        message.ping = WirePing()
        return message
    }

    /// A put of chunks of these lengths.
    static func put(_ lengths: [Int]) -> WireClientMessage {
        var message = WireClientMessage()
        message.put.chunks = WireChunkList(
            lengths.enumerated().map { ChunkReference(digest: Digest(of: [UInt8($0)]), span: UInt64($1)) })
        return message
    }
}

extension WireServerMessage {
    static func welcome() -> WireServerMessage {
        var message = WireServerMessage()
        message.welcome.version = 1
        return message
    }

    static func loginDone() -> WireServerMessage {
        var message = WireServerMessage()
        message.loginDone = WireLoginDone()
        return message
    }

    static func found() -> WireServerMessage {
        var message = WireServerMessage()
        message.found = WireFound()
        return message
    }

    /// The answer to a fetch of chunks of these lengths.
    static func fetchReady(_ lengths: [Int]) -> WireServerMessage {
        var message = WireServerMessage()
        message.fetchReady.chunks = WireChunkList(
            lengths.enumerated().map { ChunkReference(digest: Digest(of: [UInt8($0)]), span: UInt64($1)) })
        return message
    }
}
