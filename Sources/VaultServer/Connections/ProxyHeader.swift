import NIOCore

/// What a balancer in front of the server says at the start of a connection: for whom it connects.
///
/// The PROXY protocol of HAProxy, versions 1 and 2 (proxy-protocol.txt, sections 2.1 and 2.2).
enum ProxyHeader: Equatable {
    /// The address of the client.
    case client(String)
    /// The balancer connects for itself, or for somebody without an address.
    case itself

    /// The bytes are no such header.
    struct Malformed: Error {}

    /// Takes a header off the start of what was received.
    ///
    /// - Returns: nil where it goes on behind that.
    static func take(from received: inout ByteBuffer) throws(Malformed) -> ProxyHeader? {
        if received.starts(with: signature) { return try takeBinary(from: &received) }
        if received.starts(with: Array("PROXY ".utf8)) { return try takeText(from: &received) }
        throw Malformed()
    }

    /// What begins a header of version 2.
    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    private static func takeBinary(from received: inout ByteBuffer) throws(Malformed) -> ProxyHeader? {
        let fixedBytes = signature.count + 4
        guard let kind = received.getBytes(at: received.readerIndex + signature.count, length: 2),
            let length = received.getInteger(at: received.readerIndex + fixedBytes - 2, as: UInt16.self)
        else { return nil }
        let (version, command, family) = (kind[0] >> 4, kind[0] & 0xF, kind[1] >> 4)
        guard version == 2, command <= 1, family <= 3, length <= ServerLimits.proxyHeaderBytesMax else {
            throw Malformed()
        }
        guard received.readableBytes >= fixedBytes + Int(length) else { return nil }
        received.moveReaderIndex(forwardBy: fixedBytes)
        guard let addresses = received.readSlice(length: Int(length)) else { throw Malformed() }
        // The source and the target, then their ports; what follows them is of no interest.
        let addressBytes = [0, 4, 16, 0][Int(family)]
        if command == 0 || addressBytes == 0 { return .itself }
        guard addresses.readableBytes >= 2 * addressBytes + 4,
            let source = addresses.getSlice(at: addresses.readerIndex, length: addressBytes),
            let text = (try? SocketAddress(packedIPAddress: source, port: 0))?.ipAddress
        else { throw Malformed() }
        return .client(text)
    }

    private static func takeText(from received: inout ByteBuffer) throws(Malformed) -> ProxyHeader? {
        let bytes = received.readableBytesView.prefix(ServerLimits.proxyLineBytesMax)
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
            if bytes.count == ServerLimits.proxyLineBytesMax { throw Malformed() }
            return nil
        }
        let words = String(decoding: bytes[..<end], as: UTF8.self).split(
            separator: " ", omittingEmptySubsequences: false)
        guard bytes[..<end].last == UInt8(ascii: "\r"), words.count > 1 else { throw Malformed() }
        received.moveReaderIndex(to: end + 1)
        if words[1] == "UNKNOWN" || words[1] == "UNKNOWN\r" { return .itself }
        guard words.count == 6, let source = try? SocketAddress(ipAddress: String(words[2]), port: 0),
            words[1] == (source.protocol == .inet ? "TCP4" : "TCP6"), let text = source.ipAddress
        else { throw Malformed() }
        return .client(text)
    }
}

extension ByteBuffer {
    /// Whether these bytes, or as many as there are, are the first of what is readable.
    fileprivate func starts(with bytes: [UInt8]) -> Bool {
        let count = Swift.min(readableBytes, bytes.count)
        return readableBytesView.prefix(count).elementsEqual(bytes[..<count])
    }
}
