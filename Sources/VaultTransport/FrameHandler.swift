package import NIOCore
package import VaultWire

/// What happens on a connection, told on its event loop.
package protocol FrameEvents: AnyObject {
    /// The connection is encrypted and may be used.
    func connected(_ context: any FrameContext)
    func received(_ message: [UInt8], request: UInt32) throws(WireViolation)
    /// A message has not come whole yet, and takes memory.
    func gathered(messageBytes count: Int)
    /// - Parameter bytes: valid during the call only.
    func received(_ bytes: UnsafeRawBufferPointer, request: UInt32) throws(WireViolation)
    /// The peer broke the protocol: it is told, and the connection ends.
    func violated(_ violation: WireViolation)
    /// Much that was sent waits for the peer to take it, or no longer does.
    func backlogged(_ isBacklogged: Bool)
    /// The connection is gone, or about to be; the last event.
    func disconnected(_ error: (any Error)?)
}

extension FrameEvents {
    /// Who sends no more than it is asked for, as a client does, must read on: both sides would wait for ever.
    package func backlogged(_ isBacklogged: Bool) {}

    package func gathered(messageBytes count: Int) {}
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
    /// When the peer last took something, as far as was seen by looking; nil where nothing waits for it.
    func waitsForPeer(since now: NIODeadline) -> NIODeadline?
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
    /// Whether others have their turn on the event loop before more is read.
    private var isYielding = false
    private var isReading = false
    /// Whether the peer has sent the last it will.
    private var isAtEnd = false
    private var isFlushNeeded = false
    private var isReadWanted = false
    private var isFinished = false
    private var isConnected = false
    private var isGone = false
    /// What the peer has not taken yet, and when it last took something, or the first of these was written.
    private var waiting = Waiting()
    private var lastTaken = NIODeadline.now()
    /// Bytes that waited to be taken when it was looked at last.
    private var lastLeft: Int?
    private var isBacklogged = false
    private var failure: (any Error)?
    /// What had been received when reading was paused.
    private var unread: [ByteBuffer] = []

    /// Messages that are dealt with at once, until it is the turn of other connections.
    private static let messagesMax = 256

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
        if isFinished { return }
        unread.append(bytes)
        readUnread()
    }

    package func read(context: ChannelHandlerContext) {
        if isPaused || isYielding, !isFinished { isReadWanted = true } else { context.read() }
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isFinished {
            promise?.fail(ChannelError.ioOnClosedChannel)
        } else {
            write(data, context, promise)
        }
    }

    package func waitsForPeer(since now: NIODeadline) -> NIODeadline? {
        guard waiting.writes > 0 else { return nil }
        // A slow peer takes a long write bit by bit.
        let left = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        if left != lastLeft { lastTaken = now }
        lastLeft = left
        return lastTaken
    }

    private func write(_ data: NIOAny, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        let bytes = unwrapOutboundIn(data).readableBytes
        counter?.addSent(bytes)
        if waiting.writes == 0 { lastTaken = .now() }
        waiting.add(1, bytes)
        let promise = promise ?? context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { [self] _ in
            waiting.add(-1, -bytes)
            lastTaken = .now()
            tellBacklog()
        }
        context.write(data, promise: promise)
        tellBacklog()
    }

    private func tellBacklog() {
        guard !isFinished, isBacklogged ? waiting.isLittle : waiting.isMuch else { return }
        isBacklogged.toggle()
        events.backlogged(isBacklogged)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = failure ?? error
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        // Messages from before the end count, also where others had their turn first.
        isAtEnd = true
        isYielding = false
        readUnread()
        isFinished = true
        tellEnd()
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
        goOnReading()
    }

    private func goOnReading() {
        readUnread()
        if !isReading, !isPaused, !isYielding, !isFinished, isReadWanted {
            isReadWanted = false
            context?.read()
        }
    }

    /// Lets other connections have their turn, then goes on reading.
    private func yield() {
        isYielding = true
        context?.eventLoop.assumeIsolated().execute { [self] in
            isYielding = false
            goOnReading()
        }
    }

    /// The peer, which may be in the middle of sending, would lose the last bytes if its own were refused: they are
    /// read and dropped until it has closed its side, or for a while.
    package func finish(_ lastBytes: [UInt8]) {
        guard !isFinished, let context else { return }
        let isSent = context.eventLoop.makePromise(of: Void.self)
        write(NIOAny(context.channel.allocator.buffer(bytes: lastBytes)), context, isSent)
        isFinished = true
        unread = []
        context.flush()
        isSent.futureResult.assumeIsolated().whenComplete { _ in context.close(mode: .output, promise: nil) }
        context.eventLoop.assumeIsolated().scheduleTask(in: FrameHandler.lingering) { context.close(promise: nil) }
        if isReadWanted { context.read() }
        tellEnd()
    }

    private static let lingering = TimeAmount.seconds(2)

    private func tellEnd() {
        if isGone { return }
        isGone = true
        events.disconnected(failure)
    }

    /// Reads what has been received, until that is paused or enough for a turn.
    private func readUnread() {
        // An answer that is sent meanwhile may resume the reading, and the loop below goes on then.
        if isReading { return }
        isReading = true
        var messages = 0
        while !isFinished, !isPaused, !isYielding, !unread.isEmpty {
            var bytes = unread.removeFirst()
            read(&bytes, &messages)
            if !isFinished, bytes.readableBytes > 0 { unread.insert(bytes, at: 0) }
            if !isFinished, reader.gatheredBytes > 0 { events.gathered(messageBytes: reader.gatheredBytes) }
            if !isFinished, !isAtEnd, messages >= FrameHandler.messagesMax { yield() }
            if isFlushNeeded {
                isFlushNeeded = false
                context?.flush()
            }
        }
        isReading = false
    }

    private func read(_ bytes: inout ByteBuffer, _ messages: inout Int) {
        bytes.readWithUnsafeReadableBytes { input -> Int in
            var rest = input
            while !isFinished, !isPaused, isAtEnd || messages < FrameHandler.messagesMax {
                do throws(WireViolation) {
                    guard let event = try reader.next(&rest) else { break }
                    switch event {
                    case .message(let message, let request):
                        messages += 1
                        try events.received(message, request: request)
                    case .data(let data, let request): try events.received(data, request: request)
                    }
                } catch {
                    events.violated(error)
                    rest = UnsafeRawBufferPointer(rebasing: rest[rest.count...])
                }
            }
            return input.count - rest.count
        }
    }

    /// Sends bytes of our own, without waiting: those that answer what is being read, together.
    ///
    /// - Parameter memory: held until the peer has taken them.
    package func send(_ bytes: [UInt8], holding memory: (any Sendable)? = nil) {
        guard !isFinished, let context else { return }
        let promise = memory.map { memory in
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.whenComplete { _ in withExtendedLifetime(memory) {} }
            return promise
        }
        write(NIOAny(context.channel.allocator.buffer(bytes: bytes)), context, promise)
        if isReading { isFlushNeeded = true } else { context.flush() }
    }
}

/// Writes that wait to be sent.
private struct Waiting {
    private(set) var writes = 0
    private var bytes = 0

    /// More than the pieces of a few contents that are sent at once, or than a client asks for at once.
    var isMuch: Bool { writes > 256 || bytes > 4 << 20 }
    var isLittle: Bool { writes <= 128 && bytes <= 2 << 20 }

    mutating func add(_ writes: Int, _ bytes: Int) {
        self.writes += writes
        self.bytes += bytes
    }
}
