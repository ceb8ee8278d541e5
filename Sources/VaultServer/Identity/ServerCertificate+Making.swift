import Crypto
import Foundation
import Glibc
import SwiftASN1
package import VaultModel
import VaultStore
import X509

extension ServerCertificate {
    /// The certificate that the server made for itself in its data directory, made there on first use.
    ///
    /// The key is written first, and never replaced: it is what clients have pinned. A start that was cut short
    /// leaves a key without a certificate, which is then made for it.
    ///
    /// - Parameter now: seconds since 1970 UTC.
    /// - Throws: `notFound` for a certificate whose key was lost, which only the operator can decide about.
    package static func loadOrMake(
        in data: LocalPath, host: String? = machineName, now: Int64 = currentNanoseconds() / 1_000_000_000
    ) throws(VaultError) -> ServerCertificate {
        let (certificate, key) = (data.appending("certificate.pem"), data.appending("key.pem"))
        let hasCertificate = try exists(certificate)
        if try !exists(key) {
            if hasCertificate {
                throw VaultError(
                    .notFound,
                    "'\(certificate)' is there without its key '\(key)': restore the key, or remove the certificate to "
                        + "have both made anew; clients then refuse the server until they forget the old key.",
                    path: key)
            }
            try write(P256.Signing.PrivateKey().pemRepresentation, to: key, mode: 0o600)
        }
        if !hasCertificate {
            let own = try KeyFile.load(key).key
            try write(try selfSigned(own, file: key, host: host, now: now), to: certificate, mode: 0o644)
        }
        return try load(certificate: certificate, key: key)
    }

    /// The name of this machine in its network.
    package static var machineName: String? {
        var name = [CChar](repeating: 0, count: Int(HOST_NAME_MAX) + 1)
        guard gethostname(&name, name.count) == 0 else { return nil }
        return String(validating: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func exists(_ path: LocalPath) throws(VaultError) -> Bool {
        do throws(VaultError) {
            _ = try FileStatus(of: path)
            return true
        } catch  where error.code == .notFound {
            return false
        }
    }

    private static func write(_ pem: String, to path: LocalPath, mode: mode_t) throws(VaultError) {
        do throws(VaultError) {
            try SmallFile.write(Array((pem + "\n").utf8), to: path, mode: mode, .isKept)
            DataOwner.inherit(path)
        } catch  where error.code == .exists {
            // Another process that starts at the same time was faster, and its file is as good.
        }
    }

    /// A certificate that the key signs for itself, in PEM: for twenty years, since nobody would renew it.
    private static func selfSigned(
        _ key: PEMDocument, file: LocalPath, host: String?, now: Int64
    ) throws(VaultError) -> String {
        do {
            let key = try Certificate.PrivateKey(pemDocument: key)
            let name = try DistinguishedName { CommonName("minivault") }
            let day = 86_400.0
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
                // Clocks that are a little late take it too.
                notValidBefore: Date(timeIntervalSince1970: Double(now) - day),
                notValidAfter: Date(timeIntervalSince1970: Double(now) + 20 * 365.25 * day),
                issuer: name, subject: name,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth])
                    SubjectAlternativeNames(names(host))
                },
                issuerPrivateKey: key)
            return try certificate.serializeAsPEM().pemString
        } catch {
            throw VaultError(
                .invalid, "No certificate can be made for the key in '\(file)'.", path: file, cause: "\(error)")
        }
    }

    private static func names(_ host: String?) -> [GeneralName] {
        let own = host.flatMap { isHostName($0) && $0 != "localhost" ? GeneralName.dnsName($0) : nil }
        let loopback4: [UInt8] = [127, 0, 0, 1]
        let loopback6 = [UInt8](repeating: 0, count: 15) + [1]
        return [own, .dnsName("localhost")].compactMap { $0 } + [
            .ipAddress(ASN1OctetString(contentBytes: loopback4[...])),
            .ipAddress(ASN1OctetString(contentBytes: loopback6[...])),
        ]
    }

    /// Whether a machine's name is one that a certificate can hold: letters, digits, hyphens and dots.
    private static func isHostName(_ name: String) -> Bool {
        (1...253).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
