import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An object store on this machine that answers what it is told to, whatever it is asked for.
final class FakeStore: Sendable {
    /// An answer as it goes over the connection, which ends behind it where the answer says so.
    struct Answer: Sendable {
        var bytes: [UInt8]
        var endsConnection = false
    }

    let port: Int
    private let script: Script

    private init(_ channel: any Channel, _ script: Script) {
        port = channel.localAddress?.port ?? 0
        self.script = script
    }

    /// The one of this process.
    static let shared = Task {
        let script = Script()
        let server = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        ByteToMessageHandler(HTTPRequestDecoder()), Answering(script))
                }
            }
        return FakeStore(try await server.bind(host: "127.0.0.1", port: 0).get(), script)
    }

    /// Sets what is answered from now on; behind the last, every request is refused.
    func answer(_ answers: [Answer]) {
        script.answers.withLock { $0 = answers[...] }
    }

    private final class Script: Sendable {
        let answers = Mutex<ArraySlice<Answer>>([])
    }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = ByteBuffer

        private let script: Script

        init(_ script: Script) { self.script = script }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let answer = script.answers.withLock { $0.popFirst() } ?? .refusal
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer.bytes)), promise: nil)
            if answer.endsConnection { context.close(promise: nil) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

extension FakeStore.Answer {
    static let refusal = FakeStore.Answer(403, [], Array("<Error><Code>AccessDenied</Code></Error>".utf8))

    init(_ status: Int, _ headers: [(String, String)], _ body: [UInt8]) {
        var text = "HTTP/1.1 \(status) Something\r\ncontent-length: \(body.count)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        bytes = Array("\(text)\r\n".utf8) + body
    }
}
