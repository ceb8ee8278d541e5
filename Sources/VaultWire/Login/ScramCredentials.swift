/// What a server keeps of a password, from which neither the password nor a login follows (RFC 5802, section 3).
package struct ScramCredentials: Sendable {
    /// 8 to 64 random bytes, of each user's own.
    package let salt: [UInt8]
    package let iterations: Int
    package let storedKey: [UInt8]
    package let serverKey: [UInt8]

    /// The credentials that were stored, or made up for a user that does not exist.
    package init(salt: [UInt8], iterations: Int, storedKey: [UInt8], serverKey: [UInt8]) {
        self.salt = salt
        self.iterations = iterations
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// The credentials of a password; computing them takes up to a second of the processor's time.
    ///
    /// - Precondition: clients accept the salt's length and the number of iterations.
    package init(password: PasswordText, salt: [UInt8], iterations: Int) {
        let keys = ScramKeys(password: password, salt: salt, iterations: iterations)
        self.init(salt: salt, iterations: iterations, storedKey: keys.storedKey, serverKey: keys.serverKey)
    }
}

extension ScramCredentials: CustomStringConvertible {
    /// Never the keys: a log could have them.
    package var description: String { "the credentials of a password" }
}
