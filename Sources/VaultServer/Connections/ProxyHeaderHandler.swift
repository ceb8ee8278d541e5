import NIOCore

/// Takes a ``ProxyHeader`` off the start of a connection, in front of TLS.
final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let header: EventLoopPromise<ProxyHeader>
    private var received = ByteBuffer()

    /// - Parameter header: what is told of the header, or why there is none.
    init(_ header: EventLoopPromise<ProxyHeader>) {
        self.header = header
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        do throws(ProxyHeader.Malformed) {
            guard let taken = try ProxyHeader.take(from: &received) else { return }
            header.succeed(taken)
            if received.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(received)) }
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        } catch {
            received.clear()
            header.fail(error)
            context.close(promise: nil)
        }
    }

    /// Where the header was taken off, it has been told already.
    func handlerRemoved(context: ChannelHandlerContext) { header.fail(ChannelError.eof) }
}
