import Glibc
import Logging
import NIOCore
import VaultModel

/// Lets a listening socket rest for a second where no file is left to open for a connection, and tells so in the log: one
/// line a minute at most, however often it is tried. A few files are left for others.
///
/// The socket is told of as readable all the while, so that asking again at once would keep a processor busy. NIO's own
/// `AcceptBackoffHandler` holds back the next read only, and not the one at which the failure came.
///
/// Confined to the event loop of its listening socket.
final class AcceptPause: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias OutboundIn = Never

    private let logger: Logger
    private var lastTold: NIODeadline?
    private var isPausing = false

    private static let length = TimeAmount.seconds(1)

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Holds a read back until the rest is over.
    func read(context: ChannelHandlerContext) {
        if !isPausing { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let files = min(ServerLimits.filesReserved, OpenFileLimit.count / 8)
        guard !OpenFileLimit.hasRoom(for: files) else { return context.fireChannelRead(data) }
        unwrapInboundIn(data).close(promise: nil)
        if isPausing { return }
        tell("few files are left that may be opened", context)
        pause(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError else { return context.fireErrorCaught(error) }
        guard [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errnoCode), !isPausing else { return }
        tell(String(cString: strerror(error.errnoCode)), context)
        pause(context)
    }

    private func pause(_ context: ChannelHandlerContext) {
        guard let options = context.channel.syncOptions, let isAutomatic = try? options.getOption(.autoRead) else {
            return
        }
        isPausing = true
        // Turning it off is what takes the socket from those that are waited for.
        if !isAutomatic { try? options.setOption(.autoRead, value: true) }
        try? options.setOption(.autoRead, value: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: AcceptPause.length) { [self] in
            isPausing = false
            guard context.channel.isActive else { return }
            if isAutomatic {
                try? context.channel.syncOptions?.setOption(.autoRead, value: true)
            } else {
                context.read()
            }
        }
    }

    private func tell(_ reason: String, _ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        if let lastTold, now - lastTold < .seconds(ServerLimits.acceptFailureSeconds) { return }
        lastTold = now
        logger.error(
            "no connection can be accepted",
            metadata: ["port": "\(context.channel.localAddress?.port ?? 0)", "reason": "\(reason)"])
    }
}

extension Channel {
    /// Has the channel, which listens, rest where it cannot accept.
    func pausingAccepts(_ logger: Logger) -> EventLoopFuture<Void> {
        eventLoop.makeCompletedFuture { try pipeline.syncOperations.addHandler(AcceptPause(logger)) }
    }
}
