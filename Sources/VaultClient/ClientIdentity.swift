package import Crypto
package import VaultModel
package import VaultWire

/// As whom a client logs in, and by what it proves it.
package enum ClientIdentity: Sendable {
    case password(user: UserName, password: PasswordText)
    case deviceKey(user: UserName, key: Curve25519.Signing.PrivateKey)

    package var user: UserName {
        switch self {
        case .password(let user, _), .deviceKey(let user, _): user
        }
    }
}

/// Decides whether a server is the right one, before anything is sent to it.
package struct ServerTrust: Sendable {
    /// Judges the certificates that the server showed, in DER, its own first.
    package var verify: @Sendable (_ chain: [[UInt8]]) async throws(VaultError) -> Void

    package init(_ verify: @escaping @Sendable (_ chain: [[UInt8]]) async throws(VaultError) -> Void) {
        self.verify = verify
    }
}
