package import VaultModel

/// The client's side of a login by password: SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677) bound to the server's
/// certificate by `tls-server-end-point` (RFC 5929).
///
/// The order is ``first()``, ``respond(to:)``, ``verify(_:)``. A violation of the server throws and ends the
/// login; calling in another order, or going on after an error, is our bug and traps. Extensions that are not
/// mandatory are passed over, as the RFC wants.
package struct ScramClient: Sendable {
    private enum State {
        case start
        case awaitingChallenge(bare: [UInt8])
        case awaitingProof(serverSignature: [UInt8])
        case done
        case failed
    }

    private let user: UserName
    private let password: PasswordText
    private let channel: ChannelBinding
    private let nonce: ScramNonce
    private var state = State.start

    /// - Parameter binding: of the certificate that the server showed on this very connection.
    package init(user: UserName, password: PasswordText, binding: [UInt8], nonce: ScramNonce) {
        self.init(user: user, password: password, channel: .tlsServerEndPoint(binding), nonce: nonce)
    }

    init(user: UserName, password: PasswordText, channel: ChannelBinding, nonce: ScramNonce) {
        self.user = user
        self.password = password
        self.channel = channel
        self.nonce = nonce
    }

    /// The client-first-message.
    package mutating func first() -> [UInt8] {
        guard case .start = state else { preconditionFailure("a login begins once") }
        // A user name has neither of the characters that would have to be escaped.
        let bare = Array("n=\(user.text),r=".utf8) + nonce.text
        state = .awaitingChallenge(bare: bare)
        return channel.header + bare
    }

    /// The client-final-message for the server-first-message; computing it takes up to a second of the
    /// processor's time.
    ///
    /// - Parameter judge: judges the number of iterations, before anything is made from the password.
    /// - Throws: `invalid` for a message that breaks the grammar; `login` for a challenge that answers another
    ///   client, or whose number of iterations or salt is out of bounds; what `judge` throws.
    package mutating func respond(
        to serverFirst: [UInt8], judging judge: (_ iterations: Int) throws(VaultError) -> Void = { _ in }
    ) throws(VaultError) -> [UInt8] {
        guard case .awaitingChallenge(let bare) = state else { preconditionFailure("no challenge is awaited") }
        state = .failed
        let challenge = try ScramChallenge(serverFirst, answering: nonce)
        try judge(challenge.iterations)
        let keys = ScramKeys(password: password, salt: challenge.salt, iterations: challenge.iterations)
        let answer = Array("c=\(channel.input),r=".utf8) + challenge.nonce
        let conversation = Scram.conversation(bare: bare, challenge: serverFirst, answer: answer)
        let signature = Scram.hmac(conversation, key: keys.storedKey)
        let proof = Scram.exclusiveOr(keys.clientKey, signature)
        state = .awaitingProof(serverSignature: Scram.hmac(conversation, key: keys.serverKey))
        return answer + Array(",p=\(base64(proof))".utf8)
    }

    /// Checks the server-final-message: that the server, too, has what was made from the password.
    ///
    /// - Throws: `invalid` for a message that breaks the grammar; `login` where the server refuses the login or
    ///   cannot prove itself.
    package mutating func verify(_ serverFinal: [UInt8]) throws(VaultError) {
        guard case .awaitingProof(let serverSignature) = state else { preconditionFailure("no proof is awaited") }
        state = .failed
        var reader = try ScramReader(serverFinal)
        guard !reader.isNext("e") else {
            throw VaultError(.login, "The server refused the user name or the password.")
        }
        let signature = try reader.base64("v")
        try reader.passOverExtensions()
        guard Scram.equal(signature, serverSignature) else {
            throw VaultError(
                .login, "The server does not know this password, though it let it pass: it may not be the right server."
            )
        }
        state = .done
    }
}
