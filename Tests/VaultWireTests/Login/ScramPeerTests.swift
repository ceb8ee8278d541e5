import Foundation
import Testing
import VaultModel

@testable import VaultWire

/// The RFCs have no example with a channel binding, so that another implementation takes its place.
@Suite(.enabled(if: ScramPeer.isInstalled, "python3 cannot import scramp, which 'scripts/packages test' installs."))
struct ScramPeerTests {
    private let user = "ada.lovelace"
    /// Its preparation drops a soft hyphen, makes a space plain, and puts a letter and its accent together.
    private let password = "I\u{AD}X \u{FB01}\u{A0}e\u{301}\u{2168}"
    private let identity: CertificateIdentity

    init() throws {
        identity = try CertificateIdentity(der: CertificateFixture.p256)
    }

    private func serverPeer(password: String) throws -> ScramPeer {
        let certificate =
            "-----BEGIN CERTIFICATE-----\n"
            + Data(CertificateFixture.p256).base64EncodedString(options: .lineLength64Characters)
            + "\n-----END CERTIFICATE-----\n"
        return try ScramPeer([
            "side": "server", "user": user, "password": password, "iterations": 5_000, "certificate": certificate,
        ])
    }

    private func clientPeer(password: String, binding: [UInt8]) throws -> ScramPeer {
        let binding = binding.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        return try ScramPeer(["side": "client", "user": user, "password": password, "binding": binding])
    }

    private func client(binding: [UInt8]) throws -> ScramClient {
        ScramClient(
            user: try UserName(user), password: try PasswordText(password), binding: binding,
            nonce: ScramNonce(random: [UInt8](repeating: 9, count: 24)))
    }

    @Test func logsInToTheServerOfAnother() throws {
        let peer = try serverPeer(password: password)
        var client = try client(binding: identity.endPointBinding)
        try peer.say(client.first())
        try peer.say(try client.respond(to: try peer.hear()))
        try client.verify(try peer.hear())
        #expect(text(try peer.hear()) == "accepted")
    }

    @Test func theServerOfAnotherRefusesAWrongPasswordAndAWrongBinding() throws {
        for (password, binding) in [("wrong", identity.endPointBinding), (password, [UInt8](repeating: 0, count: 32))] {
            let peer = try serverPeer(password: password)
            var client = try client(binding: binding)
            try peer.say(client.first())
            try peer.say(try client.respond(to: try peer.hear()))
            #expect(text(try peer.hear()).hasPrefix("refused"))
        }
    }

    @Test func acceptsTheClientOfAnother() throws {
        let peer = try clientPeer(password: password, binding: identity.endPointBinding)
        var server = server
        #expect(try server.begin(try peer.hear()) == user)
        try peer.say(server.challenge(try credentials))
        try peer.say(try server.verify(try peer.hear()))
        #expect(text(try peer.hear()) == "accepted")
    }

    @Test func refusesTheClientOfAnotherWithAWrongPasswordOrBinding() throws {
        for (password, binding) in [("wrong", identity.endPointBinding), (password, [UInt8](repeating: 0, count: 32))] {
            let peer = try clientPeer(password: password, binding: binding)
            var server = server
            _ = try server.begin(try peer.hear())
            try peer.say(server.challenge(try credentials))
            let answer = try peer.hear()
            let error = #expect(throws: VaultError.self) { try server.verify(answer) }
            #expect(error?.code == .login)
        }
    }

    private var server: ScramServer {
        ScramServer(binding: identity.endPointBinding, nonce: ScramNonce(random: [UInt8](repeating: 8, count: 24)))
    }

    private var credentials: ScramCredentials {
        get throws {
            ScramCredentials(
                password: try PasswordText(password), salt: Array("0123456789abcdef".utf8), iterations: 4_096)
        }
    }
}
