import Crypto
import CryptoExtras
import Foundation
import Glibc
import SwiftASN1
import TestSupport
import Testing
import VaultModel
import VaultServer
import VaultWire
import X509

@Suite struct ServerCertificateTests {
    /// 2026-11-24 00:00:00 UTC.
    private let now: Int64 = 1_795_478_400
    private let day: Int64 = 86_400
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private var certificate: LocalPath { directory("certificate.pem") }
    private var key: LocalPath { directory("key.pem") }

    private func make(host: String? = "vault.lan") throws -> ServerCertificate {
        try ServerCertificate.loadOrMake(in: directory.path, host: host, now: now)
    }

    private func load() throws -> ServerCertificate {
        try ServerCertificate.load(certificate: certificate, key: key)
    }

    private func write(_ text: String, to path: LocalPath, mode: mode_t = 0o600) throws {
        try SmallFile.write(Array(text.utf8), to: path, mode: mode, .isReplaced)
    }

    private func text(_ path: LocalPath) throws -> String {
        String(decoding: try SmallFile.read(path, bytesMax: 1 << 20), as: UTF8.self)
    }

    private func failure(_ body: () throws -> Void) -> VaultError? {
        do {
            try body()
            return nil
        } catch {
            return VaultError(error)
        }
    }

    // MARK: The server's own

    @Test func makesACertificateThatLasts() throws {
        let made = try make()
        #expect(made.chain.count == 1)
        #expect(made.fingerprint == (try CertificateIdentity(der: made.chain[0]).keyFingerprint.fingerprint))
        let parsed = try Certificate(derEncoded: made.chain[0])
        #expect(parsed.publicKey.isValidSignature(parsed.signature, for: parsed))
        #expect(P256.Signing.PublicKey(parsed.publicKey) != nil)
        #expect(made.notValidBefore < now && made.notValidAfter > now + 20 * 365 * day)
        #expect(parsed.subject.description == "CN=minivault" && parsed.serialNumber.bytes.count > 15)
        let names = try #require(try parsed.extensions.subjectAlternativeNames)
        #expect(
            Array(names) == [
                .dnsName("vault.lan"), .dnsName("localhost"),
                .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
                .ipAddress(ASN1OctetString(contentBytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
            ])
        #expect(try FileStatus(of: key).mode == 0o600 && FileStatus(of: certificate).mode == 0o644)
        #expect(made.warnings(now: now).isEmpty)
    }

    @Test(arguments: [nil, "", "localhost", "bücher", "a b", "x\u{0}"])
    func leavesOutANameThatNoCertificateHolds(_ host: String?) throws {
        let parsed = try Certificate(derEncoded: try make(host: host).chain[0])
        #expect(try parsed.extensions.subjectAlternativeNames?.count == 3)
    }

    @Test func loadsTheSameTheNextTime() throws {
        let made = try make()
        let again = try make(host: "other")
        #expect(again.chain == made.chain && again.keyPEM == made.keyPEM)
        #expect(try DirectoryListing(directory.path).names.count == 2)
    }

    @Test func makesTheCertificateThatACrashLeftOut() throws {
        let made = try make()
        #expect(try SmallFile.remove(certificate))
        let again = try make()
        #expect(again.fingerprint == made.fingerprint && again.chain != made.chain)
    }

    @Test func takesNoOtherKeyForOneThatWasLost() throws {
        _ = try make()
        #expect(try SmallFile.remove(key))
        let error = try #require(failure { _ = try make() })
        #expect(error.code == .notFound && error.message.contains("key.pem"))
        #expect(failure { _ = try FileStatus(of: key) } != nil)
    }

    @Test func makesOneCertificateForManyAtOnce() async throws {
        let (directory, now) = (directory, now)
        let made = await withTaskGroup(of: String?.self) { group in
            for _ in 0..<8 {
                group.addTask { try? ServerCertificate.loadOrMake(in: directory.path, host: nil, now: now).fingerprint }
            }
            return await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(made.count == 1 && !made.contains(nil))
    }

    // MARK: The operator's

    private func issue(
        _ key: Certificate.PrivateKey, by issuer: Certificate.PrivateKey? = nil, to end: Int64? = nil,
        from start: Int64? = nil
    ) throws -> String {
        let name = try DistinguishedName { CommonName("operator") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSince1970: Double(start ?? now - day)),
            notValidAfter: Date(timeIntervalSince1970: Double(end ?? now + 90 * day)), issuer: name, subject: name,
            extensions: Certificate.Extensions(), issuerPrivateKey: issuer ?? key)
        return try certificate.serializeAsPEM().pemString + "\n"
    }

    @Test func loadsAChainThroughLinks() throws {
        let (own, above) = (
            Certificate.PrivateKey(P384.Signing.PrivateKey()), Certificate.PrivateKey(P256.Signing.PrivateKey())
        )
        try write("a comment\n" + issue(own, by: above) + issue(above), to: directory("chain"), mode: 0o644)
        try write(try own.serializeAsPEM().pemString, to: directory("private"), mode: 0o400)
        #expect(
            certificate.withCString { symlink("chain", $0) } == 0 && key.withCString { symlink("private", $0) } == 0)
        let loaded = try load()
        #expect(loaded.chain.count == 2 && loaded.warnings(now: now).isEmpty)
        #expect(try Certificate.PrivateKey(pemEncoded: loaded.keyPEM).publicKey == own.publicKey)
    }

    @Test func skipsTheParametersOfACurve() throws {
        let made = try make()
        try write("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + text(key), to: key)
        #expect(try load().keyPEM == made.keyPEM)
    }

    @Test func refusesAKeyOfAnotherCertificate() throws {
        let (own, above) = (
            Certificate.PrivateKey(P256.Signing.PrivateKey()), Certificate.PrivateKey(P256.Signing.PrivateKey())
        )
        try write(try own.serializeAsPEM().pemString, to: key)
        try write(try issue(above), to: certificate)
        #expect(failure { _ = try load() }?.message.contains("do not belong together") == true)
        try write(try issue(above) + issue(own, by: above), to: certificate)
        #expect(failure { _ = try load() }?.message.contains("The first certificate") == true)
    }

    @Test func refusesAKeyThatOthersMayRead() throws {
        _ = try make()
        for mode: mode_t in [0o644, 0o604, 0o620, 0o602] {
            #expect(key.withCString { chmod($0, mode) } == 0)
            let error = try #require(failure { _ = try load() }, "\(mode)")
            #expect(error.code == .denied && error.message.contains("chmod 600"))
        }
        #expect(key.withCString { chmod($0, 0o640) } == 0)
        let warnings = try load().warnings(now: now)
        #expect(warnings.count == 1 && warnings[0].contains("by its group"))
    }

    @Test func namesTheFileThatIsWrong() throws {
        #expect(
            failure { _ = try load() }.map { $0.code == .notFound && $0.message.contains("certificate.pem") } == true)
        let good = try make()
        let (pem, keyText) = (try text(certificate), try text(key))
        try write("no PEM", to: certificate)
        #expect(failure { _ = try load() }?.message.contains("certificate.pem' holds no certificate") == true)
        try write("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", to: certificate)
        #expect(failure { _ = try load() }?.message.contains("certificate.pem' cannot be read") == true)
        try write("-----BEGIN CERTIFICATE-----\n!\n", to: certificate)
        #expect(failure { _ = try load() }?.message.contains("certificate.pem' is not a certificate") == true)
        try write(pem, to: certificate)
        try write(pem, to: key)
        #expect(failure { _ = try load() }?.message.contains("key.pem' holds no private key") == true)
        let locked = keyText.replacing("PRIVATE KEY", with: "ENCRYPTED PRIVATE KEY")
        try write(locked, to: key)
        #expect(failure { _ = try load() }?.message.contains("passphrase") == true)
        let traditional = """
            -----BEGIN RSA PRIVATE KEY-----
            Proc-Type: 4,ENCRYPTED
            DEK-Info: AES-128-CBC,E571B4BA630C6735E8ECE98513003734

            MAA=
            -----END RSA PRIVATE KEY-----
            """
        try write(traditional, to: key)
        #expect(failure { _ = try load() }?.message.contains("passphrase") == true)
        try write("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", to: key)
        #expect(failure { _ = try load() }?.message.contains("key.pem' is of no kind") == true)
        try write(keyText, to: key)
        #expect(try load().chain == good.chain)
    }

    @Test func refusesKeysThatNoClientTakes() throws {
        let keys = [
            Certificate.PrivateKey(Curve25519.Signing.PrivateKey()), Certificate.PrivateKey(P521.Signing.PrivateKey()),
        ]
        for own in keys {
            try write(try own.serializeAsPEM().pemString, to: key)
            try write(try issue(own), to: certificate)
            #expect(failure { _ = try load() }?.message.contains("key.pem' is of no kind") == true)
        }
    }

    @Test func loadsAnRSAKey() throws {
        let own = Certificate.PrivateKey(try _RSA.Signing.PrivateKey(keySize: .bits2048))
        try write(try own.serializeAsPEM().pemString, to: key)
        try write(try issue(own), to: certificate)
        #expect(try load().chain.count == 1)
    }

    @Test func warnsOfDates() throws {
        let own = Certificate.PrivateKey(P256.Signing.PrivateKey())
        try write(try own.serializeAsPEM().pemString, to: key)
        try write(try issue(own, to: now - 1), to: certificate)
        #expect(try load().warnings(now: now).map { $0.contains("expired on 2026-11-23T23:59:59Z") } == [true])
        try write(try issue(own, to: now + 5 * day), to: certificate)
        #expect(try load().warnings(now: now).map { $0.contains("expires on 2026-11-29") } == [true])
        try write(try issue(own, from: now + 60), to: certificate)
        #expect(try load().warnings(now: now).map { $0.contains("not valid before 2026-11-24T00:01:00Z") } == [true])
    }
}
