import SwiftProtobuf

/// Puts messages into frames.
package enum FrameWriter {
    /// The frames of a message, one behind the other.
    package static func frames(of message: WireClientMessage, request: UInt32) -> [UInt8] {
        frames(of: encode(message), request: request)
    }

    package static func frames(of message: WireServerMessage, request: UInt32) -> [UInt8] {
        frames(of: encode(message), request: request)
    }

    static func frames(of message: [UInt8], request: UInt32) -> [UInt8] {
        let first = min(message.count, WireLimits.frameBytesMax)
        var bytes = FrameHeader(
            length: first, request: request, kind: .message, isLast: first == message.count
        ).encoded
        bytes.reserveCapacity(FrameHeader.byteCount + message.count)
        bytes += message[..<first]
        for start in stride(from: first, to: message.count, by: WireLimits.frameBytesMax) {
            let end = min(start + WireLimits.frameBytesMax, message.count)
            bytes +=
                FrameHeader(
                    length: end - start, request: request, kind: .message, isLast: end == message.count
                ).encoded
            bytes += message[start..<end]
        }
        return bytes
    }

    fileprivate static func encode(_ message: some Message) -> [UInt8] {
        do {
            return try message.serializedBytes()
        } catch {
            // Only required fields and extensions can fail, and proto3 has neither.
            preconditionFailure("A message of our own cannot be encoded: \(error)")
        }
    }
}

extension WireOneChange {
    /// Bytes that the change takes in a message.
    package var byteCount: Int { FrameWriter.encode(self).count }
}

extension WireClientMessage {
    /// - Throws: for bytes that are no message of a client.
    package init(decoding bytes: [UInt8]) throws(WireViolation) {
        self = try decoded(bytes, partsMax: WireLimits.clientMessagePartsMax)
        if body == nil { throw WireViolation("a message of a kind that this version does not know") }
        guard elementCount <= WireLimits.clientMessageElementsMax else {
            throw WireViolation("a message of more than \(WireLimits.clientMessageElementsMax) elements")
        }
    }
}

extension WireServerMessage {
    /// - Throws: for bytes that are no message of a server.
    package init(decoding bytes: [UInt8]) throws(WireViolation) {
        self = try decoded(bytes, partsMax: WireLimits.serverMessagePartsMax)
        if body == nil { throw WireViolation("a message of a kind that this version does not know") }
    }
}

extension WireHookEvents {
    package var encoded: [UInt8] { FrameWriter.encode(self) }

    package init(decoding bytes: [UInt8]) throws(WireViolation) {
        self = try decoded(bytes, partsMax: WireLimits.serverMessagePartsMax)
    }
}

extension WireHookReport {
    package var encoded: [UInt8] { FrameWriter.encode(self) }

    package init(decoding bytes: [UInt8]) throws(WireViolation) {
        self = try decoded(bytes, partsMax: WireLimits.serverMessagePartsMax)
    }
}

private func decoded<Value: Message>(_ bytes: [UInt8], partsMax: Int) throws(WireViolation) -> Value {
    guard MessageParts.count(in: bytes) <= partsMax else {
        throw WireViolation("a message of more than \(partsMax) parts")
    }
    var options = BinaryDecodingOptions()
    options.messageDepthLimit = WireLimits.messageDepthMax
    options.discardUnknownFields = true
    do {
        return try Value(serializedBytes: bytes, options: options)
    } catch {
        throw WireViolation("a message that is not well formed")
    }
}
