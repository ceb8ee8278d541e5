/// Takes a connection's bytes apart into messages and content.
///
/// Content is handed on in the pieces in which it comes, without a copy; messages are put together. The
/// frames of one message follow each other with nothing but data frames between them. Nothing is kept of
/// a frame that is longer than its bound: its header is the violation.
package struct FrameReader: Sendable {
    package enum Event {
        case message([UInt8], request: UInt32)
        /// A piece of content. The bytes are those of the input, valid as long as it is.
        case data(UnsafeRawBufferPointer, request: UInt32)
    }

    private enum State {
        case header([UInt8])
        case message(FrameHeader, missing: Int)
        case data(FrameHeader, missing: Int)
    }

    /// The longest message, in bytes; it grows with the login.
    package var messageBytesMax: Int
    private var state = State.header([])
    /// The message under construction, and whose it is.
    private var message: [UInt8] = []
    private var messageRequest: UInt32?

    /// Bytes of a message that has not come whole yet.
    package var gatheredBytes: Int { message.count }

    package init(messageBytesMax: Int) {
        self.messageBytesMax = messageBytesMax
    }

    /// The next event of `input`, whose bytes are taken away; nil once more bytes must come.
    ///
    /// - Throws: what the peer must not do; nothing may be read after that.
    package mutating func next(_ input: inout UnsafeRawBufferPointer) throws(WireViolation) -> Event? {
        while true {
            switch state {
            case .header(var bytes):
                let taken = FrameReader.take(FrameHeader.byteCount - bytes.count, from: &input)
                bytes.append(contentsOf: taken)
                guard bytes.count == FrameHeader.byteCount else {
                    state = .header(bytes)
                    return nil
                }
                try begin(FrameHeader(decoding: bytes))
            case .message(let header, let missing):
                let taken = FrameReader.take(missing, from: &input)
                message.append(contentsOf: taken)
                guard taken.count == missing else {
                    state = .message(header, missing: missing - taken.count)
                    return nil
                }
                state = .header([])
                guard header.isLast else { continue }
                messageRequest = nil
                defer { message = [] }
                return .message(message, request: header.request)
            case .data(let header, let missing):
                if input.isEmpty { return nil }
                let taken = FrameReader.take(missing, from: &input)
                state = taken.count == missing ? .header([]) : .data(header, missing: missing - taken.count)
                return .data(taken, request: header.request)
            }
        }
    }

    private mutating func begin(_ header: FrameHeader) throws(WireViolation) {
        switch header.kind {
        case .data:
            guard header.length > 0, header.isLast else { throw WireViolation("a data frame without data") }
            state = .data(header, missing: header.length)
        case .message:
            guard messageRequest == nil || messageRequest == header.request else {
                throw WireViolation("a message in the middle of another one")
            }
            guard message.count + header.length <= messageBytesMax else {
                throw WireViolation("a message of more than \(messageBytesMax) bytes")
            }
            guard header.isLast || header.length > 0 else { throw WireViolation("a part of a message without bytes") }
            messageRequest = header.isLast ? nil : header.request
            state = .message(header, missing: header.length)
        }
    }

    private static func take(_ count: Int, from input: inout UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let count = min(count, input.count)
        defer { input = UnsafeRawBufferPointer(rebasing: input[count...]) }
        return UnsafeRawBufferPointer(rebasing: input[..<count])
    }
}
