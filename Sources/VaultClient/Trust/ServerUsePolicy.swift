import SwiftASN1
import VaultModel
import X509

/// Refuses chains that are made for another use than a TLS server (RFC 5280, section 4.2.1.12), or rest on SHA-1.
struct ServerUsePolicy: VerifierPolicy {
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [.X509ExtensionID.extendedKeyUsage]

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) -> PolicyEvaluationResult {
        // The authority itself is trusted by its key: neither its signature nor its uses count.
        let isOfServer = chain.dropLast(chain.count > 1 ? 1 : 0).allSatisfy { certificate in
            let isWeak = certificate.signatureAlgorithm == .sha1WithRSAEncryption
            return !isWeak && ServerUsePolicy.allowsServers(certificate)
        }
        return isOfServer ? .meetsPolicy : .failsToMeetPolicy(reason: "a certificate is not made for TLS servers")
    }

    private static func allowsServers(_ certificate: Certificate) -> Bool {
        do {
            guard let uses = try certificate.extensions.extendedKeyUsage else { return true }
            return uses.contains(.serverAuth) || uses.contains(.any)
        } catch {
            return false
        }
    }
}

extension Certificate {
    /// Whether something in the certificate must be understood that is not understood here.
    var hasUnknownCriticalExtension: Bool {
        let known: [ASN1ObjectIdentifier] = [
            .X509ExtensionID.basicConstraints, .X509ExtensionID.nameConstraints, .X509ExtensionID.keyUsage,
            .X509ExtensionID.subjectAlternativeName, .X509ExtensionID.extendedKeyUsage,
        ]
        return extensions.contains { $0.critical && !known.contains($0.oid) }
    }

    /// The machines that the certificate is for, the first few of them, safe to print.
    var printableNames: [String] {
        let names = (try? extensions.subjectAlternativeNames)?.compactMap { name -> String? in
            switch name {
            case .dnsName(let name) where name.utf8.count <= 253: "'\(printable(name))'"
            case .ipAddress(let octets): IPAddress(bytes: Array(octets.bytes)).map { "'\($0.text)'" }
            default: nil
            }
        }
        guard let names, names.count > Certificate.namesMax else { return names ?? [] }
        return names.prefix(Certificate.namesMax) + ["\(names.count - Certificate.namesMax) more"]
    }

    private static let namesMax = 5
}
