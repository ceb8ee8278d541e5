package import VaultModel
package import VaultWire

/// The servers that a login can reach.
package protocol LoginServer: Sendable {
    /// Connects far enough to see the server's certificates, in DER, its own first; sends nothing else.
    func certificateChain(of url: ServerURL) async throws(VaultError) -> [[UInt8]]

    /// Logs in.
    ///
    /// - Parameter trust: judges the server on this connection before anything is sent to it.
    /// - Throws: what `trust` throws, and `login` for a user, a password or a key that is refused.
    func logIn(
        to url: ServerURL, as identity: ClientIdentity, trust: ServerTrust
    ) async throws(VaultError) -> any LoginSession
}

/// A session as far as a login needs it.
package protocol LoginSession: Sendable {
    /// Makes a device's key one that its user may log in with; one that is enrolled already stays so.
    func enrol(publicKey: [UInt8], label: String) async throws(VaultError)
    func close() async
}

/// Where a login's dialogue takes place.
package protocol LoginTerminal: Sendable {
    /// Whether somebody is there to answer.
    var isInteractive: Bool { get }
    /// Whether the password comes from elsewhere, so that nobody is asked for it.
    var isPasswordGiven: Bool { get }
    func tell(_ text: String)
    /// The answer without its newline; nil at the end of the input.
    func ask(_ question: String) throws(VaultError) -> String?
    /// The password that is given, or that is typed now without being shown.
    func password(of user: UserName) throws(VaultError) -> PasswordText
}
