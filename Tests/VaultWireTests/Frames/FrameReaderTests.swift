import Testing

@testable import VaultWire

@Suite struct FrameReaderTests {
    private static let first = [UInt8](1...20)
    private static let content = [UInt8](100...150)
    private static let long = [UInt8](repeating: 7, count: WireLimits.frameBytesMax + 5)

    /// A message, content, and a message of two frames.
    private static var stream: [UInt8] {
        FrameWriter.frames(of: first, request: 3)
            + FrameHeader(length: content.count, request: 4, kind: .data).encoded + content
            + FrameWriter.frames(of: long, request: 5)
    }

    @Test func readsWhatWasWrittenSplitAtEveryByte() throws {
        let stream = FrameReaderTests.stream
        // Beyond the header of the long message, one place is like another.
        let places = Array(0..<130) + stride(from: 130, to: stream.count, by: 10_007)
        for place in places {
            var reader = FrameReader(messageBytesMax: 1 << 20)
            var heard = Heard()
            try heard.read(Array(stream[..<place]), with: &reader)
            try heard.read(Array(stream[place...]), with: &reader)
            #expect(heard.messages == [3: FrameReaderTests.first, 5: FrameReaderTests.long], "split at \(place)")
            #expect(heard.content == [4: FrameReaderTests.content])
        }
    }

    @Test func readsByteByByte() throws {
        var reader = FrameReader(messageBytesMax: 1 << 20)
        var heard = Heard()
        for byte in FrameReaderTests.stream { try heard.read([byte], with: &reader) }
        #expect(heard.messages == [3: FrameReaderTests.first, 5: FrameReaderTests.long])
        #expect(heard.content == [4: FrameReaderTests.content])
    }

    @Test func contentMayComeBetweenTheFramesOfAMessage() throws {
        let long = FrameWriter.frames(of: FrameReaderTests.long, request: 5)
        let firstFrame = FrameHeader.byteCount + WireLimits.frameBytesMax
        let content = FrameHeader(length: 2, request: 4, kind: .data).encoded + [8, 9]
        var reader = FrameReader(messageBytesMax: 1 << 20)
        var heard = Heard()
        try heard.read(Array(long[..<firstFrame]) + content + Array(long[firstFrame...]), with: &reader)
        #expect(heard.messages == [5: FrameReaderTests.long])
        #expect(heard.content == [4: [8, 9]])
    }

    @Test func rejectsAFrameLongerThanTheLimit() {
        #expect(throws: WireViolation.self) { try read([1, 0, 4, 0, 0, 0, 0, 0, 2, 1, 0, 0]) }
    }

    @Test func rejectsHeadersThatNoPeerSends() {
        for header: [UInt8] in [
            [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0],
            [1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0],
            [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        ] { #expect(throws: WireViolation.self, "\(header)") { try read(header) } }
    }

    @Test func rejectsAMessageLongerThanTheLimitBeforeItHasCome() throws {
        var reader = FrameReader(messageBytesMax: 100)
        var heard = Heard()
        try heard.read(FrameHeader(length: 60, request: 1, kind: .message, isLast: false).encoded, with: &reader)
        try heard.read([UInt8](repeating: 0, count: 60), with: &reader)
        let next = FrameHeader(length: 41, request: 1, kind: .message).encoded
        #expect(throws: WireViolation.self) { try heard.read(next, with: &reader) }
    }

    @Test func rejectsAMessageWithinAnother() throws {
        var reader = FrameReader(messageBytesMax: 100)
        var heard = Heard()
        let part = FrameHeader(length: 1, request: 1, kind: .message, isLast: false).encoded + [0]
        try heard.read(part, with: &reader)
        let other = FrameHeader(length: 1, request: 2, kind: .message).encoded
        #expect(throws: WireViolation.self) { try heard.read(other, with: &reader) }
    }

    private func read(_ bytes: [UInt8]) throws {
        var reader = FrameReader(messageBytesMax: 1 << 20)
        var heard = Heard()
        try heard.read(bytes, with: &reader)
    }
}

/// What a reader has told.
private struct Heard {
    var messages: [UInt32: [UInt8]] = [:]
    var content: [UInt32: [UInt8]] = [:]

    mutating func read(_ bytes: [UInt8], with reader: inout FrameReader) throws {
        try bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while let event = try reader.next(&rest) {
                switch event {
                case .message(let message, let request): messages[request] = message
                case .data(let data, let request): content[request, default: []] += data
                }
            }
        }
    }
}
