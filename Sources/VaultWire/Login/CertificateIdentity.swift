import SwiftASN1
package import VaultModel

/// What a login needs to know of a server's certificate: the binding of its connections, and its key.
///
/// Only the frame of the certificate is read (RFC 5280, section 4.1), so that every kind of key has an identity.
/// Whether the certificate is to be trusted is not decided here.
package struct CertificateIdentity: Hashable, Sendable {
    /// The channel binding `tls-server-end-point` (RFC 5929, section 4.1): the hash of the whole certificate by
    /// the hash function of its signature.
    package let endPointBinding: [UInt8]
    /// The SHA-256 of the key (DER SubjectPublicKeyInfo), the same in every certificate of that key.
    package let keyFingerprint: Digest

    /// - Parameter der: the certificate, as it came in the handshake.
    /// - Throws: `invalid` for bytes that are no certificate, or one whose signature has no single hash function.
    package init(der: [UInt8]) throws(VaultError) {
        guard der.count <= WireLimits.certificateBytesMax else {
            throw VaultError(
                .invalid, "The server's certificate has more than \(WireLimits.certificateBytesMax) bytes.")
        }
        let parts: Parts
        do {
            parts = try Parts(der)
        } catch {
            throw VaultError(.invalid, "The server's certificate is not one that can be read.", cause: "\(error)")
        }
        // RFC 5280, section 4.1.1.2. Only the one within is signed, and only the other is said to be hashed by.
        guard parts.signedAlgorithm == parts.algorithm.encodedBytes else {
            throw VaultError(.invalid, "The server's certificate names two different algorithms for its signature.")
        }
        guard let hash = SignatureHash(parts.algorithm) else {
            throw VaultError(
                .invalid,
                "The server's certificate is signed by an algorithm without a hash function that MiniVault knows: "
                    + "logins cannot be bound to it.")
        }
        endPointBinding = hash(der)
        keyFingerprint = Digest(of: parts.key)
    }
}

/// The fields of a certificate that tell its identity, as they are in its bytes.
private struct Parts {
    let algorithm: ASN1Node
    let signedAlgorithm: ArraySlice<UInt8>
    let key: [UInt8]

    init(_ der: [UInt8]) throws {
        let root = try DER.parse(der)
        self = try DER.sequence(root, identifier: .sequence) { fields in
            let signed = try Parts.next(&fields)
            let algorithm = try Parts.next(&fields)
            _ = try ASN1BitString(derEncoded: &fields)
            let (signedAlgorithm, key) = try Parts.algorithmAndKey(signed)
            return Parts(algorithm: algorithm, signedAlgorithm: signedAlgorithm, key: key)
        }
    }

    private init(algorithm: ASN1Node, signedAlgorithm: ArraySlice<UInt8>, key: [UInt8]) {
        self.algorithm = algorithm
        self.signedAlgorithm = signedAlgorithm
        self.key = key
    }

    private static func algorithmAndKey(_ signed: ASN1Node) throws -> (ArraySlice<UInt8>, [UInt8]) {
        try DER.sequence(signed, identifier: .sequence) { fields in
            _ = try DER.optionalExplicitlyTagged(&fields, tagNumber: 0, tagClass: .contextSpecific) { $0 }
            let serial = try next(&fields)
            guard serial.identifier == .integer else { throw ASN1Error.unexpectedFieldType(serial.identifier) }
            let algorithm = try next(&fields)
            // The issuer, the time of validity and the subject.
            for _ in 0..<3 {
                let field = try next(&fields)
                guard field.identifier == .sequence else { throw ASN1Error.unexpectedFieldType(field.identifier) }
            }
            let key = try next(&fields)
            try DER.sequence(key, identifier: .sequence) { parts in
                _ = try next(&parts)
                _ = try ASN1BitString(derEncoded: &parts)
            }
            // Unique identifiers and extensions say nothing about the key.
            while fields.next() != nil {}
            return (algorithm.encodedBytes, Array(key.encodedBytes))
        }
    }

    private static func next(_ fields: inout ASN1NodeCollection.Iterator) throws -> ASN1Node {
        guard let node = fields.next() else { throw ASN1Error.invalidASN1Object(reason: "a field is missing") }
        return node
    }
}
