import NIOTLS

/// The protocol that both sides of a TLS handshake agree on (ALPN, RFC 7301).
package struct ApplicationProtocol: Equatable, Sendable {
    package let text: String?

    package static let minivault = ApplicationProtocol(text: "minivault/1")

    init(text: String?) {
        self.text = text
    }

    /// The protocol that a completed handshake has agreed on; nil for another event.
    init?(ofHandshake event: Any) {
        guard case .handshakeCompleted(let negotiated) = event as? TLSUserEvent else { return nil }
        text = negotiated
    }
}

/// The peer speaks TLS, but not this protocol.
package struct OtherProtocol: Error, Sendable {}
