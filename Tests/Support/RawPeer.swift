import NIOCore
import NIOPosix
import NIOSSL
package import VaultWire

/// Says whatever a test wants to a server, and hears what it answers, below the machines of a client.
package enum RawPeer {
    /// Sends bytes over TLS and returns all that the server says until it ends the connection.
    ///
    /// - Parameter alpn: nil for none.
    package static func exchange(
        _ bytes: [UInt8], port: Int, alpn: String? = "minivault/1"
    ) async throws -> [UInt8] {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = alpn.map { [$0] } ?? []
        let context = try NIOSSLContext(configuration: configuration)
        return try await exchange(bytes, port: port) { try NIOSSLClientHandler(context: context, serverHostname: nil) }
    }

    /// The same without TLS.
    package static func exchangePlainly(_ bytes: [UInt8], port: Int) async throws -> [UInt8] {
        try await exchange(bytes, port: port) { nil }
    }

    private static func exchange(
        _ bytes: [UInt8], port: Int, _ handler: @escaping @Sendable () throws -> NIOSSLClientHandler?
    ) async throws -> [UInt8] {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let handler = try handler() { try channel.pipeline.syncOperations.addHandler(handler) }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var heard: [UInt8] = []
            do {
                try await outbound.write(ByteBuffer(bytes: bytes))
                for try await part in inbound { heard += Array(part.readableBytesView) }
            } catch {
                // However the server ends the connection, it has ended.
            }
            return heard
        }
    }

    /// The messages in what a server said.
    package static func messages(_ bytes: [UInt8]) -> [WireServerMessage] {
        var reader = FrameReader(messageBytesMax: WireLimits.serverMessageBytesMax)
        var messages: [WireServerMessage] = []
        bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while let event = try? reader.next(&rest) {
                if case .message(let message, _) = event, let message = try? WireServerMessage(decoding: message) {
                    messages.append(message)
                }
            }
        }
        return messages
    }

    /// The code with which a server closed the connection; nil where it gave none.
    package static func closingCode(_ bytes: [UInt8]) -> String? {
        messages(bytes).compactMap { message in
            if case .closing(let closing) = message.body { closing.reason.code } else { nil }
        }.last
    }
}
