import NIOCore
import NIOPosix
import NIOSSL
package import VaultWire

/// Says whatever a test wants to a server, and hears what it answers, below the machines of a client.
package enum RawPeer {
    /// How a peer behaves that has said its first bytes.
    package enum Behaviour: Sendable {
        case hearing
        /// It hears, and says these bytes, one every 50 ms.
        case trickling([UInt8])
        /// It takes nothing more from the server, until the task is cancelled.
        case deaf
    }

    /// Sends bytes over TLS and returns all that the server says until it ends the connection.
    ///
    /// - Parameters:
    ///   - login: what it says first, waiting for the login to be done before the rest; nothing where it is empty.
    ///   - alpn: nil for none.
    package static func exchange(
        _ bytes: [UInt8], port: Int, login: [UInt8] = [], alpn: String? = "minivault/1",
        _ behaviour: Behaviour = .hearing
    ) async throws -> [UInt8] {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = alpn.map { [$0] } ?? []
        let context = try NIOSSLContext(configuration: configuration)
        return try await exchange(login, bytes, port, behaviour) {
            try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
    }

    /// The same without TLS.
    package static func exchangePlainly(
        _ bytes: [UInt8], port: Int, _ behaviour: Behaviour = .hearing
    ) async throws -> [UInt8] {
        try await exchange([], bytes, port, behaviour) { nil }
    }

    /// All happens on the event loop, since the threads that tests share may be busy for longer than a server waits.
    private static func exchange(
        _ login: [UInt8], _ bytes: [UInt8], _ port: Int, _ behaviour: Behaviour,
        _ handler: @escaping @Sendable () throws -> NIOSSLClientHandler?
    ) async throws -> [UInt8] {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let heard = loop.makePromise(of: [UInt8].self)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let handler = try handler() { try channel.pipeline.syncOperations.addHandler(handler) }
                        try channel.pipeline.syncOperations.addHandler(RawPeerHandler(login, bytes, behaviour, heard))
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
        } catch {
            heard.fail(error)
            throw error
        }
        return try await withTaskCancellationHandler {
            try await heard.futureResult.get()
        } onCancel: {
            channel.close(promise: nil)
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
    package static func closingCode(_ bytes: [UInt8]) -> String? { closing(bytes)?.code }

    /// Why a server closed the connection.
    package static func closing(_ bytes: [UInt8]) -> WireFailure? {
        messages(bytes).compactMap { message in
            if case .closing(let closing) = message.body { closing.reason } else { nil }
        }.last
    }
}

private final class RawPeerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let login: [UInt8]
    private let bytes: [UInt8]
    private let behaviour: RawPeer.Behaviour
    private let promise: EventLoopPromise<[UInt8]>
    private var heard: [UInt8] = []

    private var isLoggedIn = false

    init(
        _ login: [UInt8], _ bytes: [UInt8], _ behaviour: RawPeer.Behaviour, _ promise: EventLoopPromise<[UInt8]>
    ) {
        (self.login, self.bytes, self.behaviour, self.promise) = (login, bytes, behaviour, promise)
    }

    func channelActive(context: ChannelHandlerContext) {
        if login.isEmpty { speak(context) } else { say(login, context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heard += Array(unwrapInboundIn(data).readableBytesView)
        guard !login.isEmpty, !isLoggedIn else { return }
        isLoggedIn = RawPeer.messages(heard).contains { if case .loginDone = $0.body { true } else { false } }
        if isLoggedIn { speak(context) }
    }

    /// However the server ends the connection, it has ended.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.succeed(heard)
    }

    private func speak(_ context: ChannelHandlerContext) {
        say(bytes, context)
        switch behaviour {
        case .hearing: break
        case .trickling(let bytes): trickle(bytes[...], context)
        case .deaf: context.channel.setOption(.autoRead, value: false).whenComplete { _ in }
        }
    }

    private func say(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    private func trickle(_ bytes: ArraySlice<UInt8>, _ context: ChannelHandlerContext) {
        guard let byte = bytes.first, context.channel.isActive else { return }
        say([byte], context)
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(50)) { [self] in
            trickle(bytes.dropFirst(), context)
        }
    }
}
