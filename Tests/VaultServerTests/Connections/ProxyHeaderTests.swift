import NIOCore
import Testing

@testable import VaultServer

@Suite struct ProxyHeaderTests {
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let two: [UInt8] = [192, 0, 2, 7, 192, 0, 2, 1, 0x30, 0x39, 0x1B, 0xCD]
    private static let six =
        [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [9] + [UInt8](repeating: 1, count: 20)

    /// A header of version 2.
    private static func binary(_ command: UInt8, _ family: UInt8, _ content: [UInt8]) -> [UInt8] {
        signature + [command, family, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
    }

    static let headers: [([UInt8], ProxyHeader)] = [
        (Array("PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n".utf8), .client("192.0.2.7")),
        (Array("PROXY TCP6 2001:db8::9 ::1 4124 443\r\n".utf8), .client("2001:db8::9")),
        (Array("PROXY UNKNOWN\r\n".utf8), .itself),
        (Array("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".utf8), .itself),
        (binary(0x21, 0x11, two), .client("192.0.2.7")),
        // What follows the addresses tells more that nobody asked for.
        (binary(0x21, 0x11, two + [UInt8](repeating: 4, count: 300)), .client("192.0.2.7")),
        (binary(0x21, 0x21, six), .client("2001:db8::9")),
        (binary(0x20, 0x00, []), .itself), (binary(0x20, 0x11, two), .itself),
        (binary(0x21, 0x31, [UInt8](repeating: 0x41, count: 216)), .itself), (binary(0x21, 0x00, []), .itself),
    ]

    @Test(arguments: headers) func aHeaderIsTakenOffHoweverItComes(_ bytes: [UInt8], _ header: ProxyHeader) throws {
        for count in 0..<bytes.count {
            var received = ByteBuffer(bytes: bytes[..<count])
            #expect(try ProxyHeader.take(from: &received) == nil)
            #expect(received.readableBytes == count)
        }
        var received = ByteBuffer(bytes: bytes + [0x16, 0x03])
        #expect(try ProxyHeader.take(from: &received) == header)
        #expect(Array(received.readableBytesView) == [0x16, 0x03])
    }

    @Test(arguments: [
        [0x16, 0x03, 0x01], Array("GET / HTTP/1.1\r\n".utf8), Array("PROXY\r\n".utf8), Array("PROXY \r\n".utf8),
        Array("PROXY TCP4 192.0.2.7\r\n".utf8), Array("PROXY TCP4 2001:db8::9 ::1 4124 443\r\n".utf8),
        Array("PROXY TCP4 localhost 192.0.2.1 1 2\r\n".utf8), Array("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n".utf8),
        Array("PROXY TCP4 ".utf8) + [UInt8](repeating: 0x30, count: 200), binary(0x31, 0x11, two),
        binary(0x22, 0x11, two), binary(0x21, 0x11, Array(two.dropLast())), binary(0x21, 0x21, two),
        binary(0x21, 0x41, two), signature + [0x21, 0x11, 0xFF, 0xFF],
    ])
    func whatIsNoHeaderIsRefused(_ bytes: [UInt8]) {
        var received = ByteBuffer(bytes: bytes)
        #expect(throws: ProxyHeader.Malformed.self) { try ProxyHeader.take(from: &received) }
    }
}
