import Crypto
import Foundation
import SwiftASN1
import TestSupport
import VaultModel
import X509

/// The time of the tests: 2026-11-24 00:00:00 UTC.
let now: Int64 = 1_795_478_400
let day: Int64 = 86_400

/// A certificate with its key, made for a test.
struct Issued {
    var certificate: Certificate
    var key: Certificate.PrivateKey

    var der: [UInt8] {
        get throws {
            var serializer = DER.Serializer()
            try serializer.serialize(certificate)
            return serializer.serializedBytes
        }
    }

    /// An authority, which signs for itself or is signed by another.
    static func authority(
        _ name: String, by issuer: Issued? = nil, key: Certificate.PrivateKey? = nil, pathLength: Int? = nil,
        from start: Int64 = now - 100 * day, to end: Int64 = now + 100 * day
    ) throws -> Issued {
        let key = key ?? Certificate.PrivateKey(P256.Signing.PrivateKey())
        return try issue(name, key, by: issuer, start, end) {
            Critical(BasicConstraints.isCertificateAuthority(maxPathLength: pathLength))
            Critical(KeyUsage(keyCertSign: true))
        }
    }

    /// A server's certificate.
    func server(
        _ names: [GeneralName] = [.dnsName("vault.example")], key: Certificate.PrivateKey? = nil,
        from start: Int64 = now - day, to end: Int64 = now + day, uses: [ExtendedKeyUsage.Usage] = [.serverAuth],
        extra: Certificate.Extension? = nil
    ) throws -> Issued {
        let key = key ?? Certificate.PrivateKey(P256.Signing.PrivateKey())
        var issued = try Issued.issue("server", key, by: self, start, end) {
            Critical(BasicConstraints.notCertificateAuthority)
            Critical(try ExtendedKeyUsage(uses))
            SubjectAlternativeNames(names)
        }
        guard let extra else { return issued }
        var extensions = issued.certificate.extensions
        try extensions.append(extra)
        issued = try Issued.issue("server", key, by: self, start, end, extensions)
        return issued
    }

    private static func issue(
        _ name: String, _ key: Certificate.PrivateKey, by issuer: Issued?, _ start: Int64, _ end: Int64,
        @ExtensionsBuilder _ extensions: () throws -> Result<Certificate.Extensions, any Error>
    ) throws -> Issued {
        try issue(name, key, by: issuer, start, end, try Certificate.Extensions(builder: extensions))
    }

    private static func issue(
        _ name: String, _ key: Certificate.PrivateKey, by issuer: Issued?, _ start: Int64, _ end: Int64,
        _ extensions: Certificate.Extensions
    ) throws -> Issued {
        let subject = try DistinguishedName { CommonName(name) }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSince1970: Double(start)),
            notValidAfter: Date(timeIntervalSince1970: Double(end)), issuer: issuer?.certificate.subject ?? subject,
            subject: subject, extensions: extensions, issuerPrivateKey: issuer?.key ?? key)
        return Issued(certificate: certificate, key: key)
    }
}

extension TemporaryDirectory {
    /// A PEM file of certificates.
    func pem(_ name: String, _ issued: Issued...) throws -> LocalPath {
        let text = try issued.map { try $0.certificate.serializeAsPEM().pemString + "\n" }.joined()
        try SmallFile.write(Array(text.utf8), to: self(name), mode: 0o644, .isReplaced)
        return self(name)
    }
}

/// The error that `body` throws, if any.
func failure(_ body: () async throws -> Void) async -> VaultError? {
    do {
        try await body()
        return nil
    } catch {
        return VaultError(error)
    }
}
