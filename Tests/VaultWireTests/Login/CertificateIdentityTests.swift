import Crypto
import Foundation
import TestSupport
import Testing
import VaultModel

@testable import VaultWire

@Suite struct CertificateIdentityTests {
    private typealias Fixture = CertificateFixture

    /// The values that OpenSSL computes for the same certificates.
    @Test func agreesWithOpenSSL() throws {
        let p256 = try CertificateIdentity(der: Fixture.p256)
        #expect(hex(p256.endPointBinding) == "075d0d520fdfb73c117046add8a49d2317587727ec9edacb10561e7026987f81")
        #expect(p256.keyFingerprint.fingerprint == "SHA256:bCRlKcTWY3hDL8XKt3v1jdmg8iNHbRvaLuKzrGVOjgw")
        let pss = try CertificateIdentity(der: Fixture.pss)
        #expect(
            hex(pss.endPointBinding)
                == "38bd99bcc41475224d0a8e7882f43452c27bc59fa8f817b9d3713a918d5a8c88466a67a41a4375ef10a1845f1353af30")
        #expect(pss.keyFingerprint.fingerprint == "SHA256:VIIGVSkranNMGwDmg6zIPeK6k7aXz+60WA98WomBWvc")
    }

    @Test(arguments: [
        ([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 4], 32),  // MD5 with RSA
        ([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 5], 32),  // SHA-1 with RSA
        ([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11], 32),
        ([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 12], 48),
        ([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 13], 64),
        ([0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1], 32),  // SHA-1 with ECDSA
        ([0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2], 32),
        ([0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3], 48),
        ([0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 4], 64),
        ([0x2B, 0x65, 0x70], 64),  // Ed25519
    ])
    func hashesByTheHashOfTheSignature(_ identifier: [UInt8], _ length: Int) throws {
        let der = Fixture.signed(by: Fixture.algorithm(identifier, [5, 0]))
        let hash: [UInt8] =
            switch length {
            case 32: Array(SHA256.hash(data: der))
            case 48: Array(SHA384.hash(data: der))
            case _: Array(SHA512.hash(data: der))
            }
        #expect(try CertificateIdentity(der: der).endPointBinding == hash)
    }

    @Test(
        arguments: [
            [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 2],  // MD2 with RSA
            [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 14],  // SHA-224 with RSA
            [0x2B, 0x65, 0x71],  // Ed448
            [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10],  // RSASSA-PSS without its parameters
            [0x2A, 3],
        ] as [[UInt8]])
    func refusesASignatureWithoutAHashThatIsKnown(_ identifier: [UInt8]) {
        #expect(code { try CertificateIdentity(der: Fixture.signed(by: Fixture.algorithm(identifier))) } == .invalid)
    }

    @Test func takesTheHashOfPSSFromItsParameters() throws {
        let pss: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10]
        let mgf1: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 8]
        func hash(_ number: UInt8) -> [UInt8] { Fixture.algorithm([0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, number]) }
        func binding(_ hashes: [UInt8], _ mask: [UInt8]) throws -> [UInt8] {
            let parameters = Fixture.der(0x30, hashes, mask)
            return try CertificateIdentity(der: Fixture.signed(by: Fixture.algorithm(pss, parameters))).endPointBinding
        }
        func maskedBy(_ number: UInt8) -> [UInt8] { Fixture.der(0xA1, Fixture.algorithm(mgf1, hash(number))) }
        // Without any, both are SHA-1, in whose place SHA-256 is used.
        #expect(try binding([], []).count == 32)
        #expect(try binding(Fixture.der(0xA0, hash(1)), maskedBy(1)).count == 32)
        #expect(try binding(Fixture.der(0xA0, hash(3)), maskedBy(3)).count == 64)
        #expect(code { try binding(Fixture.der(0xA0, hash(3)), maskedBy(1)) } == .invalid)
        #expect(code { try binding(Fixture.der(0xA0, hash(3)), []) } == .invalid)
        #expect(code { try binding(Fixture.der(0xA0, hash(9)), maskedBy(9)) } == .invalid)
    }

    @Test func refusesTwoAlgorithmsForOneSignature() {
        let sha256 = Fixture.algorithm([0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2])
        let sha384 = Fixture.algorithm([0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3])
        #expect(code { try CertificateIdentity(der: Fixture.signed(by: sha256, within: sha384)) } == .invalid)
    }

    @Test(arguments: [Fixture.p256, Fixture.pss]) func refusesACertificateCutAnywhere(_ der: [UInt8]) {
        for length in der.indices {
            #expect(code { try CertificateIdentity(der: Array(der[..<length])) } == .invalid)
        }
        #expect(code { try CertificateIdentity(der: der + [0]) } == .invalid)
    }

    @Test(arguments: [Fixture.p256, Fixture.pss]) func noChangedByteGivesTheSameIdentity(_ der: [UInt8]) throws {
        let identity = try CertificateIdentity(der: der)
        for index in der.indices {
            for mask in [0x01, 0x20, 0x80, 0xFF] as [UInt8] {
                var changed = der
                changed[index] ^= mask
                let other = try? CertificateIdentity(der: changed)
                #expect(other?.endPointBinding != identity.endPointBinding)
            }
        }
    }

    @Test func readsNoiseWithoutATrap() {
        for seed in 0..<2_000 as Range<UInt64> {
            let noise = randomBytes(Int(seed % 97), seed: seed)
            #expect(code { try CertificateIdentity(der: noise) } == .invalid)
            #expect(code { try CertificateIdentity(der: [0x30, UInt8(noise.count)] + noise) } == .invalid)
        }
        let deep = (0..<1_000).reduce(into: [UInt8]()) { nested, _ in nested = Fixture.der(0x30, nested) }
        #expect(code { try CertificateIdentity(der: deep) } == .invalid)
        #expect(code { try CertificateIdentity(der: [UInt8](repeating: 0x30, count: 100_000)) } == .invalid)
    }

    @Test func readsTheFingerprintThatItPrints() throws {
        let digest = Digest(of: [1, 2, 3])
        let text = digest.fingerprint
        #expect(text.count == 50)
        #expect(try Digest(fingerprint: text) == digest)
        for wrong in [
            "", "SHA256:", String(text.dropLast()), text + "=", text + "A", "MD5:" + text.dropFirst(7),
            "sha256:" + text.dropFirst(7), String(text.dropLast()) + "B", text + "\n", "SHA256:" + text,
        ] {
            #expect(code { try Digest(fingerprint: wrong) } == .invalid, "\(wrong)")
        }
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
