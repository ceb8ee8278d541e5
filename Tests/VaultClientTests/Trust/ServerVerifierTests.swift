import Crypto
import SwiftASN1
import TestSupport
import Testing
import VaultClient
import VaultModel
import VaultWire
import X509

@Suite struct ServerVerifierTests {
    private let directory: TemporaryDirectory
    private let authority: Issued
    private let url: ServerURL
    private let roots: LocalPath

    init() throws {
        directory = try TemporaryDirectory()
        authority = try Issued.authority("Test CA")
        url = try ServerURL("minivault://anna@vault.example/photos")
        roots = try directory.pem("roots.pem", try Issued.authority("Another CA"), authority)
    }

    private func refusal(
        _ chain: [[UInt8]], of address: String? = nil, trust: Trust = .authorities, at time: Int64 = now
    ) async throws -> VaultError? {
        let url = try address.map { try ServerURL("minivault://\($0)") } ?? self.url
        let verifier = try ServerVerifier(trust, url: url, authorities: roots)
        let error = await failure { try await verifier.verify(chain, now: time) }
        if let error { #expect(error.code == .login, "\(error)") }
        return error
    }

    private func problem(_ chain: [[UInt8]], at time: Int64 = now) async throws -> AuthorityProblem.Kind? {
        try await CertificateAuthorities(file: roots).problem(with: chain, of: url, now: time)?.kind
    }

    // MARK: Pins

    @Test func takesAPinnedKeyWhateverItsCertificateSays() async throws {
        let server = try authority.server([.dnsName("elsewhere")], from: now - 9 * day, to: now - 8 * day)
        let pin = try CertificateIdentity(der: server.der).keyFingerprint
        #expect(try await refusal([server.der], trust: .pinned(pin)) == nil)
        let renewed = try Issued.authority("new").server(key: server.key)
        #expect(try await refusal([renewed.der], trust: .pinned(pin)) == nil)
    }

    @Test func refusesAChangedKeyAndNamesBoth() async throws {
        let (old, new) = (try authority.server(), try authority.server())
        let pin = try CertificateIdentity(der: old.der).keyFingerprint
        // A certificate of the old key behind the new one proves nothing.
        let error = try #require(try await refusal([new.der, old.der], trust: .pinned(pin)))
        #expect(error.message.contains(pin.fingerprint))
        #expect(error.message.contains(try CertificateIdentity(der: new.der).keyFingerprint.fingerprint))
        #expect(error.message.contains("minivault login minivault://vault.example --forget\n"))
        #expect(error.message.hasSuffix("minivault login minivault://anna@vault.example/photos"))
    }

    @Test func refusesAnEmptyChain() async throws {
        #expect(try await refusal([], trust: .pinned(VaultModel.Digest(of: []))) != nil)
        #expect(try await refusal([]) != nil)
        #expect(try await refusal([[], [0x30]]) != nil)
        #expect(try await refusal([[0x30, 0x00]], trust: .pinned(VaultModel.Digest(of: []))) != nil)
    }

    // MARK: Authorities

    @Test func takesWhatAnAuthorityVouchesFor() async throws {
        let server = try authority.server([.dnsName("other"), .dnsName("Vault.Example")])
        #expect(try await refusal([server.der]) == nil)
        let between = try Issued.authority("Between", by: authority)
        let below = try between.server()
        #expect(try await refusal([below.der, between.der]) == nil)
        // Authorities are often sent along, and out of order.
        #expect(try await refusal([below.der, authority.der, try authority.server().der, between.der]) == nil)
        #expect(try await problem([below.der]) == .unknownAuthority)
        let keys = [
            Certificate.PrivateKey(P384.Signing.PrivateKey()), Certificate.PrivateKey(Curve25519.Signing.PrivateKey()),
        ]
        for key in keys { #expect(try await refusal([try authority.server(key: key).der]) == nil) }
    }

    @Test(arguments: [
        ("a.vault.example", true), ("vault.example", false), ("a.b.vault.example", false), ("192.0.2.1", true),
        ("192.0.2.2", false), ("[2001:db8::1]", true), ("[2001:db8::2]", false), ("text.example", false),
    ])
    func comparesTheHost(_ host: String, _ isTaken: Bool) async throws {
        let address6: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
        let server = try authority.server([
            .dnsName("*.vault.example"), .ipAddress(ASN1OctetString(contentBytes: [192, 0, 2, 1])),
            .ipAddress(ASN1OctetString(contentBytes: address6[...])),
        ])
        #expect(try await (refusal([server.der], of: host) == nil) == isTaken)
    }

    @Test func namesWhatTheCertificateIsFor() async throws {
        let names = ["a.example", "evil\u{1B}[2J", "c", "d", "e", "f", "g"].map { GeneralName.dnsName($0) }
        let error = try #require(try await refusal([try authority.server(names).der]))
        #expect(
            error.message.contains("'a.example', 'evil\\x1B[2J', 'c', 'd', 'e', 2 more, and not for 'vault.example'"))
    }

    @Test func tellsTheDatesOfWhatExpired() async throws {
        let server = try authority.server(to: now - 60)
        let error = try #require(try await refusal([server.der]))
        #expect(error.message.contains("expired on 2026-11-23T23:59:00Z"))
        #expect(error.message.contains("clock says 2026-11-24T00:00:00Z"))
        #expect(try await refusal([server.der], at: now - 61) == nil)
        let between = try Issued.authority("Between", by: authority, to: now - day)
        #expect(try await problem([try between.server().der, between.der]) == .expired)
    }

    @Test func suspectsTheClockBeforeItsStart() async throws {
        let error = try #require(try await refusal([try authority.server(from: now + 1).der], at: 0))
        #expect(error.message.contains("is not valid before 2026-11-24T00:00:01Z"))
        #expect(error.message.contains("clock says 1970-01-01T00:00:00Z, which is probably wrong"))
    }

    @Test func offersToPinAnUnknownServer() async throws {
        let alone = try Issued.authority("vault.example")
        let forged = try Issued.authority("Test CA").server()
        for chain in [[try alone.der], [try forged.der]] {
            let error = try #require(try await refusal(chain))
            #expect(error.message.contains("minivault login minivault://anna@vault.example/photos"))
            #expect(try await problem(chain) == .unknownAuthority)
        }
    }

    @Test func refusesCertificatesOfOtherUse() async throws {
        #expect(try await problem([try authority.server(uses: [.clientAuth]).der]) == .unfit)
        #expect(try await problem([try authority.server(uses: [.any]).der]) == nil)
        let odd = Certificate.Extension(oid: [1, 2, 3, 4], critical: true, value: [5, 0])
        #expect(try await problem([try authority.server(extra: odd).der]) == .unfit)
        let plain = Certificate.Extension(oid: [1, 2, 3, 4], critical: false, value: [5, 0])
        #expect(try await problem([try authority.server(extra: plain).der]) == nil)
    }

    @Test func refusesAServerThatPosesAsAnAuthority() async throws {
        let server = try authority.server()
        let below = try server.server()
        #expect(try await problem([below.der, server.der]) == .unfit)
        let narrow = try Issued.authority("Narrow", by: authority, pathLength: 0)
        let deeper = try Issued.authority("Deeper", by: narrow)
        #expect(try await problem([try deeper.server().der, deeper.der, narrow.der]) == .unfit)
    }

    @Test func judgesByTheFileThatTheTrustNames() async throws {
        let own = try Issued.authority("Own CA")
        let file = try directory.pem("own.pem", own)
        #expect(try await refusal([try own.server().der], trust: .authority(file)) == nil)
        #expect(try await refusal([try authority.server().der], trust: .authority(file)) != nil)
    }

    @Test func refusesAFileWithoutAuthorities() async throws {
        try SmallFile.write(Array("nothing".utf8), to: directory("empty.pem"), mode: 0o600, .isKept)
        for name in ["missing.pem", "empty.pem", "."] {
            let error = await failure {
                _ = try ServerVerifier(.authority(directory(name)), url: url, authorities: roots)
            }
            #expect(error?.code == .login && error?.message.contains("--ca") == true)
        }
    }

    // MARK: Hostile servers

    @Test func takesNoChainOfWhichASignedByteChanged() async throws {
        let between = try Issued.authority("Between", by: authority, pathLength: 3)
        let (leaf, above) = (try between.server().der, try between.der)
        let authorities = try CertificateAuthorities(file: roots)
        for (index, chain) in [(0, [leaf, above]), (1, [leaf, above])] {
            for position in chain[index].indices {
                for change: UInt8 in [0x01, 0x80, 0xFF] {
                    var changed = chain
                    changed[index][position] ^= change
                    _ = try? CertificateIdentity(der: changed[0])
                    if await authorities.problem(with: changed, of: url, now: now) != nil { continue }
                    // Around what is signed, a certificate can be written in more than one way.
                    let (before, after) = (
                        try Certificate(derEncoded: chain[index]), try Certificate(derEncoded: changed[index])
                    )
                    #expect(after.tbsCertificateBytes == before.tbsCertificateBytes, "byte \(position) of \(index)")
                }
            }
            for count in chain[index].indices {
                var cut = chain
                cut[index].removeSubrange(count...)
                #expect(await authorities.problem(with: cut, of: url, now: now) != nil)
            }
        }
    }

    @Test func triesNoEndlessWaysThroughAChain() async throws {
        // Authorities of one name and one key vouch for each other in every order.
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let twins = try (0..<40).map { _ in try Issued.authority("Twin", key: key).der }
        let leaf = try Issued.authority("Twin", key: key).server().der
        #expect(try await problem([leaf] + twins) == .unreadable)
        #expect(try await problem([leaf] + twins.prefix(5)) == .unknownAuthority)
        #expect(try await problem([leaf + [UInt8](repeating: 0, count: 70_000)]) == .unreadable)
    }
}
