package import Crypto
package import VaultModel
package import VaultWire

/// As whom a client logs in, and by what it proves it.
package enum ClientIdentity: Sendable {
    case password(user: UserName, password: PasswordText)
    case deviceKey(user: UserName, key: any DeviceSigner)

    package var user: UserName {
        switch self {
        case .password(let user, _), .deviceKey(let user, _): user
        }
    }
}

/// Signs logins by a device key, which may be elsewhere.
package protocol DeviceSigner: Sendable {
    /// The 32 bytes of the key that servers know.
    var publicKeyBytes: [UInt8] { get }

    /// Signs a login; may wait for whoever has the key.
    func sign(_ proof: DeviceProof) throws(VaultError) -> [UInt8]
}

extension Curve25519.Signing.PrivateKey: DeviceSigner {
    package var publicKeyBytes: [UInt8] { Array(publicKey.rawRepresentation) }

    package func sign(_ proof: DeviceProof) throws(VaultError) -> [UInt8] { try proof.sign(with: self) }
}

/// Decides whether a server is the right one, before anything is sent to it.
package struct ServerTrust: Sendable {
    /// Judges the certificates that the server showed, in DER, its own first.
    package var verify: @Sendable (_ chain: [[UInt8]]) async throws(VaultError) -> Void
    /// Judges how often the server wants the user's password hashed, before anything made from it is sent.
    package var judgeIterations: @Sendable (_ count: Int, _ user: UserName) throws(VaultError) -> Void = {
        (_, _) throws(VaultError) in
    }
    /// Notes how often that was, once the server has proven that it knows the password too.
    package var noteIterations: @Sendable (_ count: Int, _ user: UserName) -> Void = { _, _ in }

    package init(_ verify: @escaping @Sendable (_ chain: [[UInt8]]) async throws(VaultError) -> Void) {
        self.verify = verify
    }
}
