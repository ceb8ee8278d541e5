import NIOCore
import NIOEmbedded
import Testing
import VaultWire

@testable import VaultTransport

@Suite struct FrameHandlerTests {
    @Test func answersToWhatCameTogetherAreSentTogether() throws {
        let flushes = FlushCounter()
        let answering = Answering()
        let channel = EmbeddedChannel(handlers: [flushes, answering.handler])
        try channel.writeInbound(ByteBuffer(bytes: Answering.messages(100)))
        #expect(flushes.count == 1)
        var answers = 0
        while try channel.readOutbound(as: ByteBuffer.self) != nil { answers += 1 }
        #expect(answers == 100)
        answering.handler.send([1])
        #expect(flushes.count == 2)
        _ = try channel.finish()
    }

    @Test func whoSendsMuchLeavesOthersTheirTurn() throws {
        let answering = Answering()
        let channel = EmbeddedChannel(handlers: [answering.handler])
        try channel.writeInbound(ByteBuffer(bytes: Answering.messages(1000)))
        let first = answering.received.count
        #expect(first > 0 && first < 1000)
        var received = 0
        channel.embeddedEventLoop.execute { received = answering.received.count }
        channel.embeddedEventLoop.run()
        #expect(received >= first && received < 1000)
        #expect(answering.received == Array(1...1000))
        _ = try channel.finish()
    }

    @Test func whatCameBeforeTheEndCounts() throws {
        let answering = Answering()
        let channel = EmbeddedChannel(handlers: [answering.handler])
        try channel.writeInbound(ByteBuffer(bytes: Answering.messages(1000)))
        #expect(answering.received.count < 1000)
        channel.pipeline.fireChannelInactive()
        #expect(answering.received == Array(1...1000) && answering.ends == 1)
        channel.embeddedEventLoop.run()
        #expect(answering.received.count == 1000 && answering.ends == 1)
    }

    @Test func whatIsPausedWaitsAndKeepsItsOrder() throws {
        let answering = Answering()
        answering.pausesAt = [3, 4, 400]
        let channel = EmbeddedChannel(handlers: [answering.handler])
        let bytes = Answering.messages(500)
        // The cut is in the middle of a frame.
        try channel.writeInbound(ByteBuffer(bytes: bytes[..<45]))
        try channel.writeInbound(ByteBuffer(bytes: bytes[45...]))
        for last in [3, 4, 400, 500] as [UInt32] {
            channel.embeddedEventLoop.run()
            #expect(answering.received.last == last)
            answering.handler.resumeReading()
        }
        #expect(answering.received == Array(1...500))
        _ = try channel.finish()
    }
}

/// Answers each message, and takes note of its request.
private final class Answering: FrameEvents {
    private(set) var received: [UInt32] = []
    private(set) var ends = 0
    /// Requests behind which reading is paused.
    var pausesAt: Set<UInt32> = []
    private(set) lazy var handler = FrameHandler(self, messageBytesMax: 100)

    /// Frames of messages without content, whose requests are counted from 1.
    static func messages(_ count: UInt32) -> [UInt8] {
        (1...count).flatMap { FrameHeader(length: 0, request: $0, kind: .message).encoded }
    }

    func connected(_ context: any FrameContext) {}
    func received(_ message: [UInt8], request: UInt32) throws(WireViolation) {
        received.append(request)
        handler.send([0])
        if pausesAt.contains(request) { handler.pauseReading() }
    }
    func received(_ bytes: UnsafeRawBufferPointer, request: UInt32) throws(WireViolation) {}
    func violated(_ violation: WireViolation) {}
    func disconnected(_ error: (any Error)?) { ends += 1 }
}

private final class FlushCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private(set) var count = 0

    func flush(context: ChannelHandlerContext) {
        count += 1
        context.flush()
    }
}
