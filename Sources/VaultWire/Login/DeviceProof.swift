package import Crypto
import Foundation
package import VaultModel

/// What a device key signs to log in: this login, of this user, to this server, on a connection that ends in
/// this certificate.
///
/// Both sides make the proof from what they know themselves; only the nonces and the signature travel.
package struct DeviceProof: Sendable {
    /// The bytes of each side's random nonce.
    package static let nonceBytes = 32
    /// No other signature of a device key starts so.
    private static let label = Array("minivault device login 1\0".utf8)

    /// The bytes that are signed.
    package let message: [UInt8]

    /// - Throws: `invalid` for a nonce of the peer that has another length than 32 bytes.
    package init(
        user: UserName, clientNonce: [UInt8], serverNonce: [UInt8], certificate: CertificateIdentity
    ) throws(VaultError) {
        guard clientNonce.count == DeviceProof.nonceBytes, serverNonce.count == DeviceProof.nonceBytes else {
            throw VaultError(.invalid, "A nonce of the login by device key does not have 32 bytes.")
        }
        message = DeviceProof.message(
            user: user, clientNonce: clientNonce, serverNonce: serverNonce, certificate: certificate)
    }

    /// A proof that another process has made.
    ///
    /// - Throws: `invalid` for what is no proof of a login.
    package init(message: [UInt8]) throws(VaultError) {
        guard message.starts(with: DeviceProof.label) else {
            throw VaultError(.invalid, "What a device key is to sign is no login.")
        }
        self.message = message
    }

    /// The label, both nonces, the binding behind its length, the key's fingerprint, the user behind its length;
    /// lengths are one byte.
    private static func message(
        user: UserName, clientNonce: [UInt8], serverNonce: [UInt8], certificate: CertificateIdentity
    ) -> [UInt8] {
        var writer = ByteWriter(reserving: 256)
        writer.write(label)
        writer.write(clientNonce)
        writer.write(serverNonce)
        writer.writeString(certificate.endPointBinding)
        writer.write(certificate.keyFingerprint)
        writer.writeString(user.text.utf8)
        return writer.bytes
    }

    /// The Ed25519 signature (RFC 8032) of the device's key, 64 bytes.
    ///
    /// - Throws: `internal` where the signature cannot be made.
    package func sign(with key: Curve25519.Signing.PrivateKey) throws(VaultError) -> [UInt8] {
        do {
            return Array(try key.signature(for: message))
        } catch {
            throw VaultError(error)
        }
    }

    /// Whether `signature` is that of the key; false also for bytes that are no signature or no key.
    package func isValid(_ signature: [UInt8], publicKey: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: message)
    }
}
