package import NIOCore
package import VaultWire

/// What happens on a connection, told on its event loop.
package protocol FrameEvents: AnyObject {
    /// The connection is encrypted and may be used.
    func connected(_ context: any FrameContext)
    func received(_ message: [UInt8], request: UInt32) throws(WireViolation)
    /// - Parameter bytes: valid during the call only.
    func received(_ bytes: UnsafeRawBufferPointer, request: UInt32) throws(WireViolation)
    /// The peer broke the protocol: it is told, and the connection ends.
    func violated(_ violation: WireViolation)
    /// The connection is gone; the last event.
    func disconnected(_ error: (any Error)?)
}

/// What a connection's events may do to the connection, on its event loop.
package protocol FrameContext: AnyObject {
    var channel: any Channel { get }
    /// The longest message that is read, in bytes.
    func allowMessages(ofBytes count: Int)
    /// Stops reading, so that the peer has to wait, until ``resumeReading()``.
    func pauseReading()
    func resumeReading()
    /// Sends what is still to be sent, and closes the connection.
    func finish(_ lastBytes: [UInt8])
}

/// Reads frames from an encrypted connection and tells what they are.
package final class FrameHandler: ChannelDuplexHandler, FrameContext {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private let events: any FrameEvents
    private let counter: WireCounter?
    private var reader: FrameReader
    private var context: ChannelHandlerContext?
    private var isPaused = false
    private var isReadWanted = false
    private var isFinished = false
    private var isConnected = false
    private var failure: (any Error)?
    /// What had been received when reading was paused.
    private var unread: [ByteBuffer] = []

    package init(_ events: any FrameEvents, messageBytesMax: Int, counter: WireCounter? = nil) {
        self.events = events
        self.counter = counter
        reader = FrameReader(messageBytesMax: messageBytesMax)
    }

    package var channel: any Channel {
        guard let context else { preconditionFailure("A connection was used before it was there.") }
        return context.channel
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let negotiated = ApplicationProtocol(ofHandshake: event), !isConnected {
            if negotiated == .minivault {
                isConnected = true
                events.connected(self)
            } else {
                failure = OtherProtocol()
                context.close(promise: nil)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        counter?.addReceived(bytes.readableBytes)
        if isPaused { unread.append(bytes) } else { read(bytes) }
    }

    package func read(context: ChannelHandlerContext) {
        if isPaused { isReadWanted = true } else { context.read() }
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        counter?.addSent(unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = failure ?? error
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        isFinished = true
        events.disconnected(failure)
        context.fireChannelInactive()
    }

    package func allowMessages(ofBytes count: Int) {
        reader.messageBytesMax = count
    }

    package func pauseReading() {
        isPaused = true
    }

    package func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        while !isPaused, !unread.isEmpty { read(unread.removeFirst()) }
        if !isPaused, isReadWanted {
            isReadWanted = false
            context?.read()
        }
    }

    package func finish(_ lastBytes: [UInt8]) {
        guard !isFinished, let context else { return }
        isFinished = true
        let bytes = context.channel.allocator.buffer(bytes: lastBytes)
        counter?.addSent(bytes.readableBytes)
        let isGone = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(NIOAny(bytes), promise: isGone)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        isGone.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
    }

    private func read(_ bytes: ByteBuffer) {
        var bytes = bytes
        bytes.readWithUnsafeReadableBytes { input -> Int in
            var rest = input
            while !isFinished, !isPaused {
                do throws(WireViolation) {
                    guard let event = try reader.next(&rest) else { break }
                    switch event {
                    case .message(let message, let request): try events.received(message, request: request)
                    case .data(let data, let request): try events.received(data, request: request)
                    }
                } catch {
                    events.violated(error)
                    rest = UnsafeRawBufferPointer(rebasing: rest[rest.count...])
                }
            }
            return input.count - rest.count
        }
        // What is behind the message that paused the reading waits.
        if isPaused, !isFinished, bytes.readableBytes > 0 { unread.insert(bytes, at: 0) }
    }
}

extension FrameHandler {
    /// Sends bytes of our own, without waiting.
    package func send(_ bytes: [UInt8]) {
        guard !isFinished, let context else { return }
        let buffer = context.channel.allocator.buffer(bytes: bytes)
        counter?.addSent(buffer.readableBytes)
        context.writeAndFlush(NIOAny(buffer), promise: nil)
    }
}
