/// What ties a SCRAM login to the connection that it is made on (RFC 5802, section 6).
enum ChannelBinding: Sendable {
    /// SCRAM-SHA-256 without -PLUS: only the tests of the RFC's examples use it.
    case none
    /// The hash of the server's certificate (RFC 5929, section 4).
    case tlsServerEndPoint([UInt8])

    /// The first field of the gs2-header.
    var flag: [UInt8] {
        switch self {
        case .none: Array("n".utf8)
        case .tlsServerEndPoint: Array("p=tls-server-end-point".utf8)
        }
    }

    /// The gs2-header without an authorization identity.
    var header: [UInt8] { flag + Array(",,".utf8) }

    /// The value of the attribute `c`.
    var input: String {
        switch self {
        case .none: base64(header)
        case .tlsServerEndPoint(let hash): base64(header + hash)
        }
    }
}
