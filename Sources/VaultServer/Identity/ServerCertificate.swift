import Crypto
import CryptoExtras
import SwiftASN1
package import VaultModel
import VaultWire
import X509

/// The certificate by which clients know a server, the ones that vouch for it, and its key.
package struct ServerCertificate: Sendable {
    /// In DER, the server's own first.
    package let chain: [[UInt8]]
    /// The key of the first certificate, in PEM without a passphrase.
    package let keyPEM: String
    /// The SHA-256 of the key, as people compare it: `SHA256:...`.
    package let fingerprint: String
    /// Seconds since 1970 UTC.
    package let notValidBefore: Int64
    package let notValidAfter: Int64

    private let file: LocalPath
    private let keyFile: LocalPath
    private let isKeyReadByGroup: Bool

    /// Loads a certificate chain and its key from PEM files, which may be links.
    ///
    /// - Throws: `invalid`, `denied` or `notFound`, naming the file that is wrong and why.
    package static func load(certificate: LocalPath, key: LocalPath) throws(VaultError) -> ServerCertificate {
        let chain = try CertificateFile.chain(certificate)
        let (pem, isReadByGroup) = try KeyFile.load(key)
        return try ServerCertificate(chain, certificate, pem, key, isKeyReadByGroup: isReadByGroup)
    }

    private init(
        _ chain: [[UInt8]], _ file: LocalPath, _ key: PEMDocument, _ keyFile: LocalPath, isKeyReadByGroup: Bool
    ) throws(VaultError) {
        let parsed: [Certificate]
        let ownKey: Certificate.PrivateKey
        do {
            parsed = try chain.map { try Certificate(derEncoded: $0) }
        } catch {
            throw VaultError(
                .invalid, "A certificate in '\(file)' cannot be read.", path: file, cause: "\(error)")
        }
        do {
            ownKey = try Certificate.PrivateKey(pemDocument: key)
        } catch {
            throw ServerCertificate.unusable(keyFile)
        }
        guard ServerCertificate.isUsable(ownKey) else { throw ServerCertificate.unusable(keyFile) }
        guard parsed[0].publicKey == ownKey.publicKey else {
            let isLater = parsed.contains { $0.publicKey == ownKey.publicKey }
            throw VaultError(
                .invalid,
                isLater
                    ? "The first certificate in '\(file)' must be the server's own, which has the key in '\(keyFile)'."
                    : "The certificate in '\(file)' has another key than '\(keyFile)': they do not belong together.",
                path: file)
        }
        do throws(VaultError) {
            fingerprint = try CertificateIdentity(der: chain[0]).keyFingerprint.fingerprint
        } catch {
            throw VaultError(
                .invalid, "The certificate in '\(file)' cannot be used. \(error.message)", path: file,
                cause: error.cause)
        }
        (notValidBefore, notValidAfter) = (parsed[0].notValidBefore.seconds, parsed[0].notValidAfter.seconds)
        self.chain = chain
        keyPEM = key.pemString
        (self.file, self.keyFile, self.isKeyReadByGroup) = (file, keyFile, isKeyReadByGroup)
    }

    /// Whether a key is of a kind with which the TLS of clients lets a server sign by default.
    private static func isUsable(_ key: Certificate.PrivateKey) -> Bool {
        P256.Signing.PublicKey(key.publicKey) != nil || P384.Signing.PublicKey(key.publicKey) != nil
            || _RSA.Signing.PublicKey(key.publicKey) != nil
    }

    private static func unusable(_ file: LocalPath) -> VaultError {
        VaultError(
            .invalid,
            "The key in '\(file)' is of no kind that MiniVault serves with: make one of ECDSA (P-256 or P-384) or RSA.",
            path: file)
    }

    /// What the operator should know, each a sentence for the log.
    ///
    /// None of it keeps the server from serving: clients that pin its key do not look at dates.
    ///
    /// - Parameter now: seconds since 1970 UTC.
    package func warnings(now: Int64 = currentNanoseconds() / 1_000_000_000) -> [String] {
        var warnings: [String] = []
        if now > notValidAfter {
            warnings.append(
                "The certificate in '\(file)' expired on \(TimeText.utc(notValidAfter)): clients that trust its authority "
                    + "refuse it. Renew it, then send SIGHUP.")
        } else if now + ServerLimits.certificateNoticeSeconds > notValidAfter {
            warnings.append(
                "The certificate in '\(file)' expires on \(TimeText.utc(notValidAfter)). Renew it, then send SIGHUP.")
        }
        if now < notValidBefore {
            warnings.append(
                "The certificate in '\(file)' is not valid before \(TimeText.utc(notValidBefore)), and this machine's clock "
                    + "says \(TimeText.utc(now)): one of them is wrong.")
        }
        if isKeyReadByGroup {
            warnings.append(
                "The key in '\(keyFile)' can be read by its group: make sure that only the server is in it.")
        }
        return warnings
    }
}
