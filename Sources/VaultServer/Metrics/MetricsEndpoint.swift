import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import VaultModel

/// Tells monitoring over plain HTTP how the server is: `GET /metrics`, in the text format of Prometheus.
///
/// Whoever can connect can read it, so its address is one that only monitoring reaches.
struct MetricsEndpoint: Sendable {
    private let channel: any Channel

    private static let lifeSeconds: Int64 = 10
    private static let connectionsMax = 16

    /// - Parameter text: makes the answer.
    static func open(
        _ address: Server.Address, _ text: @escaping @Sendable () async -> String
    ) async throws(VaultError) -> MetricsEndpoint {
        let open = Count()
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.closeFuture.whenComplete { _ in open.value.subtract(1, ordering: .relaxed) }
                    let count = open.value.add(1, ordering: .relaxed).newValue
                    if count > connectionsMax { return channel.close(promise: nil) }
                    // However it goes, it does not go on for long.
                    let end = channel.eventLoop.scheduleTask(in: .seconds(lifeSeconds)) { channel.close(promise: nil) }
                    channel.closeFuture.whenComplete { _ in end.cancel() }
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(MetricsHandler(text))
                }
            }
        do {
            return MetricsEndpoint(channel: try await bootstrap.bind(host: address.host, port: address.port).get())
        } catch {
            throw VaultError(
                .unavailable, "Cannot listen for metrics on \(address.host) port \(address.port).", cause: "\(error)")
        }
    }

    var port: Int { channel.localAddress?.port ?? 0 }

    func close() { channel.close(promise: nil) }
}

private final class Count: Sendable {
    let value = Atomic<Int>(0)
}

/// Answers one request, and closes.
///
/// Confined to its channel's event loop.
private final class MetricsHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let text: @Sendable () async -> String
    private var isAnswered = false

    init(_ text: @escaping @Sendable () async -> String) {
        self.text = text
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .body, .end: break
        case .head(let request):
            if isAnswered { return }
            isAnswered = true
            let path = request.uri.split(separator: "?").first.map(String.init)
            guard path == "/metrics" else { return respond(.notFound, "The metrics are at /metrics.\n", context) }
            guard request.method == .GET else { return respond(.methodNotAllowed, "Only GET.\n", context) }
            let loop = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            let (text, eventLoop) = (text, context.eventLoop)
            Task(executorPreference: ServerExecutor.shared) {
                let body = await text()
                eventLoop.execute {
                    let (handler, context) = loop.value
                    handler.respond(.ok, body, context)
                }
            }
        }
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
