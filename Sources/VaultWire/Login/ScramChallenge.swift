import VaultModel

/// What a server-first-message says, checked as a client must.
struct ScramChallenge {
    /// Both sides' halves.
    let nonce: [UInt8]
    let salt: [UInt8]
    let iterations: Int

    /// - Throws: `invalid` for a message that breaks the grammar; `login` for a nonce that does not extend the
    ///   client's, or for iterations or a salt out of bounds: too few would let the server guess the password
    ///   from the proof, too many would keep the client busy.
    init(_ message: [UInt8], answering clientNonce: ScramNonce) throws(VaultError) {
        var reader = try ScramReader(message)
        let nonce = try reader.nonce()
        let salt = try reader.base64("s")
        let iterations = ScramChallenge.number(try reader.attribute("i"))
        try reader.passOverExtensions()
        guard nonce.count > clientNonce.text.count, nonce.starts(with: clientNonce.text) else {
            throw VaultError(.login, "The server's challenge does not answer this client.")
        }
        guard let iterations, WireLimits.scramIterations.contains(iterations) else {
            throw VaultError(
                .login,
                "The server wants the password hashed too few or too many times: from "
                    + "\(WireLimits.scramIterations.lowerBound) to \(WireLimits.scramIterations.upperBound) are accepted."
            )
        }
        guard WireLimits.scramSaltBytes.contains(salt.count) else {
            throw VaultError(
                .login,
                "The server's salt has \(salt.count) bytes; from \(WireLimits.scramSaltBytes.lowerBound) to "
                    + "\(WireLimits.scramSaltBytes.upperBound) are accepted.")
        }
        self.nonce = nonce
        self.salt = salt
        self.iterations = iterations
    }

    init(nonce: [UInt8], credentials: ScramCredentials) {
        self.nonce = nonce
        salt = credentials.salt
        iterations = credentials.iterations
    }

    /// The server-first-message.
    var message: [UInt8] {
        Array("r=".utf8) + nonce + Array(",s=\(base64(salt)),i=\(iterations)".utf8)
    }

    /// The number that the digits spell in the one way that the grammar has: without a sign or leading zeros.
    private static func number(_ digits: [UInt8]) -> Int? {
        guard let number = Int(String(decoding: digits, as: UTF8.self)), String(number).utf8.elementsEqual(digits)
        else {
            return nil
        }
        return number
    }
}
