import Glibc

/// The addresses that count as one peer: one of IPv4, or the 64-bit network of one of IPv6, all of which a
/// single host can use (RFC 6177).
package struct AddressGroup: Hashable, Sendable {
    private let high: UInt64
    private let isIPv6: Bool

    /// The group of an address as text, with or without an IPv6 zone; what is no address, such as the path of
    /// a socket, is in one group of its own.
    package init(ipAddress text: String) {
        let text = String(text.prefix { $0 != "%" })
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 {
            self.init(bytes[..<4])
        } else if inet_pton(AF_INET6, text, &bytes) == 1 {
            self.init(bytes[...])
        } else {
            self.init(high: .max, isIPv6: false)
        }
    }

    /// The group of an address' 4 or 16 bytes, in network order.
    private init(_ bytes: ArraySlice<UInt8>) {
        // An IPv4 peer of a socket for both shows as ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2).
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        let isIPv6 = bytes.count == 16 && !bytes.starts(with: mapped)
        let significant = isIPv6 ? bytes.prefix(8) : bytes.suffix(4)
        self.init(high: significant.reduce(0) { $0 << 8 | UInt64($1) }, isIPv6: isIPv6)
    }

    private init(high: UInt64, isIPv6: Bool) {
        self.high = high
        self.isIPv6 = isIPv6
    }
}
