import Crypto
import Foundation
import SwiftASN1

/// The hash function by which a certificate is hashed for `tls-server-end-point` (RFC 5929, section 4.1): that of
/// its signature's algorithm, or SHA-256 where that is MD5 or SHA-1.
///
/// For RSASSA-PSS it is the one among its parameters. Ed25519 is given SHA-512, which it is built on (RFC 8032):
/// the RFC leaves algorithms without a hash function of their own undefined, and other implementations take the
/// same. Ed448 (SHAKE256), and SHA-224, SHA-3 and MD2, have none here.
enum SignatureHash: Equatable {
    case sha256
    case sha384
    case sha512

    /// The hash function of an AlgorithmIdentifier; nil where there is none, or not one alone.
    init?(_ algorithm: ASN1Node) {
        guard let (identifier, parameters) = try? SignatureHash.parts(algorithm) else { return nil }
        if identifier == SignatureHash.pss {
            guard let hash = try? SignatureHash.ofPSS(parameters) else { return nil }
            self = hash
        } else {
            guard let hash = SignatureHash.signatures[identifier] else { return nil }
            self = hash
        }
    }

    func callAsFunction(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .sha256: Array(SHA256.hash(data: bytes))
        case .sha384: Array(SHA384.hash(data: bytes))
        case .sha512: Array(SHA512.hash(data: bytes))
        }
    }

    /// RFC 3279, RFC 4055, RFC 5758, RFC 8410.
    private static let signatures: [ASN1ObjectIdentifier: SignatureHash] = [
        [1, 2, 840, 113549, 1, 1, 4]: .sha256,  // MD5 with RSA
        [1, 2, 840, 113549, 1, 1, 5]: .sha256,  // SHA-1 with RSA
        [1, 2, 840, 113549, 1, 1, 11]: .sha256,
        [1, 2, 840, 113549, 1, 1, 12]: .sha384,
        [1, 2, 840, 113549, 1, 1, 13]: .sha512,
        [1, 2, 840, 10040, 4, 3]: .sha256,  // SHA-1 with DSA
        [2, 16, 840, 1, 101, 3, 4, 3, 2]: .sha256,  // with DSA
        [1, 2, 840, 10045, 4, 1]: .sha256,  // SHA-1 with ECDSA
        [1, 2, 840, 10045, 4, 3, 2]: .sha256,
        [1, 2, 840, 10045, 4, 3, 3]: .sha384,
        [1, 2, 840, 10045, 4, 3, 4]: .sha512,
        [1, 3, 101, 112]: .sha512,  // Ed25519
    ]

    private static let hashes: [ASN1ObjectIdentifier: SignatureHash] = [
        sha1: .sha256,
        [2, 16, 840, 1, 101, 3, 4, 2, 1]: .sha256,
        [2, 16, 840, 1, 101, 3, 4, 2, 2]: .sha384,
        [2, 16, 840, 1, 101, 3, 4, 2, 3]: .sha512,
    ]

    private static let pss: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 1, 10]
    private static let mgf1: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 1, 8]
    private static let sha1: ASN1ObjectIdentifier = [1, 3, 14, 3, 2, 26]

    /// The identifier and the parameters of an AlgorithmIdentifier.
    private static func parts(_ algorithm: ASN1Node) throws -> (ASN1ObjectIdentifier, ASN1Node?) {
        try DER.sequence(algorithm, identifier: .sequence) { fields in
            (try ASN1ObjectIdentifier(derEncoded: &fields), fields.next())
        }
    }

    /// The hash function among RSASSA-PSS-params (RFC 4055, section 3.1); nil where the mask is made by another
    /// one, so that there are two.
    private static func ofPSS(_ parameters: ASN1Node?) throws -> SignatureHash? {
        guard let parameters else { return nil }
        return try DER.sequence(parameters, identifier: .sequence) { fields in
            let hash = try DER.optionalExplicitlyTagged(&fields, tagNumber: 0, tagClass: .contextSpecific) {
                try parts($0).0
            }
            let mask = try DER.optionalExplicitlyTagged(&fields, tagNumber: 1, tagClass: .contextSpecific) {
                let (function, hash) = try parts($0)
                guard function == mgf1, let hash else {
                    throw ASN1Error.invalidASN1Object(reason: "an unknown mask generation function")
                }
                return try parts(hash).0
            }
            // The length of the salt and the trailer do not matter.
            while fields.next() != nil {}
            return (hash ?? sha1) == (mask ?? sha1) ? hashes[hash ?? sha1] : nil
        }
    }
}
