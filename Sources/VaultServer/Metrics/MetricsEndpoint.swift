import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import VaultModel

/// Tells over plain HTTP how the server is: monitoring by `GET /metrics`, in the text format of Prometheus, and balancers by
/// `GET /ready`, with status 200 where it can serve and 503 where it cannot, and why.
///
/// Whoever can connect can read it, so its address is one that only monitoring reaches.
struct MetricsEndpoint: Sendable {
    private let channels: [any Channel]

    private static let lifeSeconds: Int64 = 10
    private static let connectionsMax = 16

    /// - Parameters:
    ///   - text: makes the metrics.
    ///   - look: throws why the server cannot serve.
    static func open(
        _ address: Server.Address, _ logger: Logger, _ text: @escaping @Sendable () async -> String,
        look: @escaping @Sendable () async throws(VaultError) -> Void
    ) async throws(VaultError) -> MetricsEndpoint {
        let open = OpenConnections(most: connectionsMax)
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { $0.pausingAccepts(logger) }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    open.add(channel)
                    // However it goes, it does not go on for long.
                    let end = channel.eventLoop.scheduleTask(in: .seconds(lifeSeconds)) { channel.close(promise: nil) }
                    channel.closeFuture.whenComplete { _ in end.cancel() }
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(MetricsHandler(text, look))
                }
            }
        return MetricsEndpoint(
            channels: try await ListeningAddresses.listen(host: address.host, port: address.port) { address in
                try await bootstrap.bind(to: address).get()
            } channel: {
                $0
            })
    }

    var port: Int { channels.first?.localAddress?.port ?? 0 }

    func close() {
        for channel in channels { channel.close(promise: nil) }
    }
}

/// The open connections. A new one takes the place of the oldest: those who connect and ask nothing keep nobody out.
private final class OpenConnections: Sendable {
    private let most: Int
    private let channels = Mutex<[any Channel]>([])

    init(most: Int) {
        self.most = most
    }

    func add(_ channel: any Channel) {
        let oldest: (any Channel)? = channels.withLock { channels in
            channels.append(channel)
            return channels.count > most ? channels.removeFirst() : nil
        }
        oldest?.close(promise: nil)
        channel.closeFuture.whenComplete { _ in self.channels.withLock { $0.removeAll { $0 === channel } } }
    }
}

/// Answers one request, and closes.
///
/// Confined to its channel's event loop.
private final class MetricsHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let text: @Sendable () async -> String
    private let look: @Sendable () async throws(VaultError) -> Void
    private var isAnswered = false

    init(
        _ text: @escaping @Sendable () async -> String, _ look: @escaping @Sendable () async throws(VaultError) -> Void
    ) {
        self.text = text
        self.look = look
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .body, .end: break
        case .head(let request):
            if isAnswered { return }
            isAnswered = true
            let path = request.uri.split(separator: "?").first.map(String.init)
            guard request.method == .GET else { return respond(.methodNotAllowed, "Only GET.\n", context) }
            switch path {
            case "/metrics": answer(context) { [text] in (.ok, await text()) }
            case "/ready":
                answer(context) { [look] in
                    do throws(VaultError) {
                        try await look()
                        return (.ok, "ready\n")
                    } catch {
                        return (.serviceUnavailable, "\(error)\n")
                    }
                }
            default: respond(.notFound, "There are /metrics and /ready.\n", context)
            }
        }
    }

    private func answer(
        _ context: ChannelHandlerContext, _ make: @escaping @Sendable () async -> (HTTPResponseStatus, String)
    ) {
        let loop = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let task = Task(executorPreference: ServerExecutor.shared) {
            let (status, body) = await make()
            eventLoop.execute {
                let (handler, context) = loop.value
                handler.respond(status, body, context)
            }
        }
        // Nobody waits for the answer any more.
        context.channel.closeFuture.whenComplete { _ in task.cancel() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func respond(_ status: HTTPResponseStatus, _ body: String, _ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        var head = HTTPResponseHead(version: .http1_1, status: status)
        head.headers.add(name: "Content-Type", value: "text/plain; version=0.0.4; charset=utf-8")
        head.headers.add(name: "Content-Length", value: "\(body.utf8.count)")
        head.headers.add(name: "Connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }
}
