import Crypto
import Foundation
package import VaultModel

/// The server's side of a login by password: SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677) bound to the server's
/// certificate by `tls-server-end-point` (RFC 5929).
///
/// The order is ``begin(_:)``, ``challenge(_:)``, ``verify(_:)``. For a user that does not exist, challenge with
/// made-up credentials whose salt is the same each time: the login then fails like that of a wrong password. A
/// violation of the client throws and ends the login; calling in another order, or going on after an error, is
/// our bug and traps. Extensions that are not mandatory are passed over, as the RFC wants.
package struct ScramServer: Sendable {
    private enum State {
        case start
        case begun(bare: [UInt8], clientNonce: [UInt8])
        case challenged(bare: [UInt8], challenge: ScramChallenge, credentials: ScramCredentials)
        case done
        case failed
    }

    private let channel: ChannelBinding
    private let nonce: ScramNonce
    private var state = State.start

    /// - Parameter binding: of the certificate that this connection's handshake showed.
    package init(binding: [UInt8], nonce: ScramNonce) {
        self.init(channel: .tlsServerEndPoint(binding), nonce: nonce)
    }

    init(channel: ChannelBinding, nonce: ScramNonce) {
        self.channel = channel
        self.nonce = nonce
    }

    /// Takes the client-first-message, and gives the user that it names, which may be none that exists or not
    /// even a ``UserName``.
    ///
    /// - Throws: `invalid` for a message that breaks the grammar, or that wants to act for another user;
    ///   `login` for a client that does not bind its login to the server's certificate.
    package mutating func begin(_ clientFirst: [UInt8]) throws(VaultError) -> String {
        guard case .start = state else { preconditionFailure("a login begins once") }
        state = .failed
        var reader = try ScramReader(clientFirst)
        guard try reader.field() == channel.flag else {
            throw VaultError(
                .login,
                "Logins by password must be bound to the server's certificate (SCRAM-SHA-256-PLUS with "
                    + "tls-server-end-point).")
        }
        guard try reader.field().isEmpty else {
            throw VaultError(.invalid, "A login cannot act for another user.")
        }
        let bare = reader.rest
        let user = try ScramServer.unescaped(try reader.attribute("n"))
        let clientNonce = try reader.nonce()
        try reader.passOverExtensions()
        // Both halves must fit in what a client takes for a nonce.
        guard clientNonce.count + nonce.text.count <= WireLimits.scramNonceBytesMax else {
            throw ScramReader.malformed("has a nonce that is too long")
        }
        state = .begun(bare: bare, clientNonce: clientNonce)
        return user
    }

    /// The server-first-message.
    package mutating func challenge(_ credentials: ScramCredentials) -> [UInt8] {
        guard case .begun(let bare, let clientNonce) = state else { preconditionFailure("no login has begun") }
        let challenge = ScramChallenge(nonce: clientNonce + nonce.text, credentials: credentials)
        state = .challenged(bare: bare, challenge: challenge, credentials: credentials)
        return challenge.message
    }

    /// The server-final-message for the client-final-message, which proves that the client has the password.
    ///
    /// - Throws: `invalid` for a message that breaks the grammar; `login` for an answer to another challenge, a
    ///   login made for another certificate, or a wrong proof, without saying whether the user exists.
    package mutating func verify(_ clientFinal: [UInt8]) throws(VaultError) -> [UInt8] {
        guard case .challenged(let bare, let challenge, let credentials) = state else {
            preconditionFailure("no challenge was sent")
        }
        state = .failed
        let (answer, proof) = try ScramServer.split(clientFinal)
        var reader = try ScramReader(answer)
        let binding = try reader.attribute("c")
        let nonce = try reader.nonce()
        try reader.passOverExtensions()
        guard Scram.equal(nonce, challenge.nonce) else {
            throw VaultError(.login, "The login answers another challenge.")
        }
        guard Scram.equal(binding, Array(channel.input.utf8)) else {
            throw VaultError(
                .login,
                "The login is bound to another certificate than this server's: something between the two may have "
                    + "taken the server's place.")
        }
        let conversation = Scram.conversation(bare: bare, challenge: challenge.message, answer: answer)
        let signature = Scram.hmac(conversation, key: credentials.storedKey)
        let storedKey = Array(SHA256.hash(data: Scram.exclusiveOr(proof, signature)))
        guard Scram.equal(storedKey, credentials.storedKey) else {
            throw VaultError(.login, "The user name or the password is wrong.")
        }
        state = .done
        return Array("v=\(base64(Scram.hmac(conversation, key: credentials.serverKey)))".utf8)
    }

    /// A client-final-message as what the proof covers and the proof, which is the last attribute.
    private static func split(_ message: [UInt8]) throws(VaultError) -> (answer: [UInt8], proof: [UInt8]) {
        guard message.count <= WireLimits.loginMessageBytesMax else { throw ScramReader.malformed("is too long") }
        guard let end = message.lastIndex(of: comma) else { throw ScramReader.malformed("lacks its proof") }
        var reader = try ScramReader(message[(end + 1)...])
        let proof = try reader.base64("p")
        guard proof.count == SHA256.byteCount else { throw ScramReader.malformed("has a proof of a wrong length") }
        return (Array(message[..<end]), proof)
    }

    /// The user name behind the escapes of a comma and an equals sign.
    private static func unescaped(_ name: [UInt8]) throws(VaultError) -> String {
        var parts = name.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)[...]
        var bytes = Array(parts.removeFirst())
        for part in parts {
            switch String(decoding: part.prefix(2), as: UTF8.self) {
            case "2C": bytes.append(comma)
            case "3D": bytes.append(UInt8(ascii: "="))
            case _: throw ScramReader.malformed("has an escape in its user name that stands for nothing")
            }
            bytes += part.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
