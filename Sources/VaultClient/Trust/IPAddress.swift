import Glibc

/// An IP address, in the bytes that certificates and packets have it in.
enum IPAddress: Hashable, Sendable {
    case v4([UInt8])
    case v6([UInt8])

    /// The address that `text` is: four numbers, or an IPv6 address without brackets and zone.
    init?(_ text: String) {
        // The text ends at a NUL for the system.
        if text.utf8.contains(0) { return nil }
        if let bytes = IPAddress.parse(text, AF_INET, count: 4) {
            self = .v4(bytes)
        } else if let bytes = IPAddress.parse(text, AF_INET6, count: 16) {
            self = .v6(bytes)
        } else {
            return nil
        }
    }

    /// The address of 4 or 16 bytes; nil for another number.
    init?(bytes: [UInt8]) {
        switch bytes.count {
        case 4: self = .v4(bytes)
        case 16: self = .v6(bytes)
        default: return nil
        }
    }

    /// The shortest way to write the address.
    var text: String {
        let (family, bytes) =
            switch self {
            case .v4(let bytes): (AF_INET, bytes)
            case .v6(let bytes): (AF_INET6, bytes)
            }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = inet_ntop(family, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func parse(_ text: String, _ family: Int32, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }
}
