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

    /// - Parameter isProxied: whether a balancer says first for whom it connects.
    static func prepare(
        _ channel: any Channel, isProxied: Bool, _ presented: PresentedCertificate, _ services: ServerServices,
        _ logger: Logger
    ) -> EventLoopFuture<ServerConnection> {
        channel.eventLoop.makeCompletedFuture {
            let peer = Shelf(text(of: channel.remoteAddress?.ipAddress ?? "unknown"))
            let events = ConnectionEvents(channel.eventLoop, services.bounds) { reason in
                logger.info("connection ended", metadata: ["peer": "\(peer.value)", "reason": "\(printable(reason))"])
            }
            let introduction =
                isProxied ? try awaitHeader(channel, peer, logger) : channel.eventLoop.makeSucceededVoidFuture()
            let handler = FrameHandler(events, messageBytesMax: WireLimits.loginMessageBytesMax)
            try channel.pipeline.syncOperations.addHandlers(
                NIOSSLServerHandler(context: presented.context), handler)
            events.started(handler)
            return ServerConnection(
                channel, events, peer: peer, introduction: introduction, identity: presented.identity,
                services: services, logger: logger)
        }
    }

    /// Lets the address of the peer be told by a balancer.
    private static func awaitHeader(
        _ channel: any Channel, _ peer: Shelf<String>, _ logger: Logger
    ) throws -> EventLoopFuture<Void> {
        let header = channel.eventLoop.makePromise(of: ProxyHeader.self)
        try channel.pipeline.syncOperations.addHandler(ProxyHeaderHandler(header))
        let end = channel.eventLoop.scheduleTask(in: .seconds(ServerLimits.proxyHeaderSecondsMax)) {
            channel.close(promise: nil)
        }
        header.futureResult.whenComplete { _ in end.cancel() }
        return header.futureResult.map { header in
            if case .client(let address) = header { peer.value = text(of: address) }
        }.flatMapErrorThrowing { error in
            if error is ProxyHeader.Malformed {
                logger.notice(
                    "connection ended",
                    metadata: ["peer": "\(peer.value)", "reason": "it does not begin with the PROXY protocol"])
            }
            throw error
        }
    }

    /// An IPv4 peer of a socket for both shows as one of IPv6 (RFC 4291, section 2.5.5.2).
    private static func text(of address: String) -> String {
        address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
    }
}
