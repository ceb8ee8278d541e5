import Crypto
import Foundation
import TestSupport
import Testing
import VaultModel

@testable import VaultWire

@Suite struct DeviceProofTests {
    private let key = Curve25519.Signing.PrivateKey()
    private let clientNonce = [UInt8](repeating: 1, count: 32)
    private let serverNonce = [UInt8](repeating: 2, count: 32)

    private func proof(
        _ user: String = "ada", _ clientNonce: [UInt8]? = nil, _ serverNonce: [UInt8]? = nil,
        certificate: [UInt8] = CertificateFixture.p256
    ) throws -> DeviceProof {
        try DeviceProof(
            user: try UserName(user), clientNonce: clientNonce ?? self.clientNonce,
            serverNonce: serverNonce ?? self.serverNonce, certificate: try CertificateIdentity(der: certificate))
    }

    @Test func signsTheWholeLogin() throws {
        let identity = try CertificateIdentity(der: CertificateFixture.p256)
        var message = utf8("minivault device login 1\0") + clientNonce + serverNonce
        message += [32] + identity.endPointBinding + identity.keyFingerprint.bytes + [3] + utf8("ada")
        #expect(try proof().message == message)
    }

    @Test func isValidForTheSameLoginAlone() throws {
        let publicKey = Array(key.publicKey.rawRepresentation)
        let signature = try proof().sign(with: key)
        #expect(try proof().isValid(signature, publicKey: publicKey))
        #expect(try !proof("bob").isValid(signature, publicKey: publicKey))
        #expect(try !proof("ada", serverNonce, clientNonce).isValid(signature, publicKey: publicKey))
        #expect(try !proof(certificate: CertificateFixture.pss).isValid(signature, publicKey: publicKey))
        let other = Array(Curve25519.Signing.PrivateKey().publicKey.rawRepresentation)
        #expect(try !proof().isValid(signature, publicKey: other))
    }

    @Test func refusesASignatureChangedOrCutAnywhere() throws {
        let publicKey = Array(key.publicKey.rawRepresentation)
        let proof = try proof()
        let signature = try proof.sign(with: key)
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 1
            #expect(!proof.isValid(changed, publicKey: publicKey))
            #expect(!proof.isValid(Array(signature[..<index]), publicKey: publicKey))
        }
        #expect(!proof.isValid(signature + [0], publicKey: publicKey))
        for length in 0...40 where length != 32 {
            #expect(!proof.isValid(signature, publicKey: [UInt8](repeating: 0, count: length)))
        }
    }

    @Test(arguments: [0, 31, 33]) func refusesANonceOfAnotherLength(_ count: Int) {
        let nonce = [UInt8](repeating: 0, count: count)
        #expect(code { try proof("ada", nonce, nil) } == .invalid)
        #expect(code { try proof("ada", nil, nonce) } == .invalid)
    }
}
