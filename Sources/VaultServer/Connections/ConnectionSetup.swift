import Logging
import NIOCore
import NIOSSL
import VaultModel
import VaultTransport
import VaultWire

/// Makes an accepted socket a connection of the server.
enum ConnectionSetup {
    /// Reads as much at once as a frame has, when as much is there.
    static let receiving = AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 512 << 10)

    static func prepare(
        _ channel: any Channel, _ presented: PresentedCertificate, _ services: ServerServices, _ logger: Logger
    ) -> EventLoopFuture<ServerConnection> {
        channel.eventLoop.makeCompletedFuture {
            // An IPv4 peer of a socket for both shows as one of IPv6 (RFC 4291, section 2.5.5.2).
            let address = channel.remoteAddress?.ipAddress ?? "unknown"
            let peer = address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
            let events = ConnectionEvents(channel.eventLoop, services.bounds) { reason in
                logger.info("connection ended", metadata: ["peer": "\(peer)", "reason": "\(printable(reason))"])
            }
            let handler = FrameHandler(events, messageBytesMax: WireLimits.loginMessageBytesMax)
            try channel.pipeline.syncOperations.addHandlers(
                NIOSSLServerHandler(context: presented.context), handler)
            events.started(handler)
            return ServerConnection(
                channel, events, peer: peer, identity: presented.identity, services: services, logger: logger)
        }
    }
}
