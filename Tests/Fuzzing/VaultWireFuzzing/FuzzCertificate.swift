import FuzzSupport
import VaultModel
import VaultWire

/// Reads the identity of a certificate, and makes the proof of a device key of it.
func fuzzCertificate(_ der: [UInt8]) throws(BrokenInvariant) {
    guard let identity = try? CertificateIdentity(der: der) else { return }
    try require([32, 48, 64].contains(identity.endPointBinding.count), "a binding of an impossible length")
    try require(der.count <= WireLimits.certificateBytesMax, "a certificate that is too long")
    try require((try? CertificateIdentity(der: der + [0])) == nil, "a certificate with something behind it")
    try require((try? CertificateIdentity(der: der.dropLast())) == nil, "a certificate without its end")

    let nonce = [UInt8](der.prefix(DeviceProof.nonceBytes))
    guard let user = try? UserName("alice"),
        let proof = try? DeviceProof(user: user, clientNonce: nonce, serverNonce: nonce, certificate: identity)
    else { return }
    let isValid = proof.isValid(Array(der.suffix(64)), publicKey: Array(der.prefix(32)))
    try require(!isValid, "a signature that nobody made")
}
