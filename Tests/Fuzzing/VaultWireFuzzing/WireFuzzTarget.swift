package import FuzzSupport

/// What a peer's bytes reach below TLS.
package enum WireFuzzTarget: String, FuzzTarget {
    /// The bytes are a connection's, to a server or to a client.
    case connection
    /// The bytes are one message, whose parts become what they mean.
    case message
    /// The bytes choose values, which go to the wire and back.
    case values
    /// The bytes choose what an honest client and an honest server do to each other, and when what arrives.
    case dialogue
    /// The bytes choose what a hostile client does to a server, in every state.
    case hostileClient = "hostile-client"
    /// The bytes choose what a hostile server does to a client, in every state.
    case hostileServer = "hostile-server"
    /// The bytes are messages of a login by password, or choose how somebody changes those of an honest one.
    case login
    /// The bytes are a server's certificate.
    case certificate

    package func run(_ input: [UInt8]) throws(BrokenInvariant) {
        switch self {
        case .connection: try fuzzConnection(input)
        case .message: try fuzzMessage(input)
        case .values: try fuzzValues(input)
        case .dialogue: try fuzzDialogue(input)
        case .hostileClient: try fuzzHostileClient(input)
        case .hostileServer: try fuzzHostileServer(input)
        case .login: try fuzzLogin(input)
        case .certificate: try fuzzCertificate(input)
        }
    }
}
