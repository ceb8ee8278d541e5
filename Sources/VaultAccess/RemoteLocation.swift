package import VaultClient
package import VaultModel
import VaultWire

/// Opens vaults on servers: finds out whom to trust and as whom to log in.
package enum RemoteLocation {
    /// What a user chooses for connections to a server.
    package struct Choices: Sendable {
        /// The most bytes of content a second; nil for no limit.
        package var bandwidth: UInt64?
        /// Told that a connection was lost or is there again; nil for nobody.
        package var tell: (@Sendable (String) -> Void)?

        package init(bandwidth: UInt64? = nil, tell: (@Sendable (String) -> Void)? = nil) {
            self.bandwidth = bandwidth
            self.tell = tell
        }
    }

    /// Whether a word names a vault on a server.
    package static func isURL(_ word: [UInt8]) -> Bool { word.firstRange(of: "://".utf8) != nil }

    /// Connects to the vault that a URL names.
    ///
    /// - Throws: `login` where the server is not known here, or nothing to log in with is.
    package static func open(_ word: [UInt8], _ choices: Choices) async throws(VaultError) -> RemoteVault {
        let url = try url(word)
        let user = try user(of: url)
        var options = RemoteVault.Options()
        options.bandwidth = choices.bandwidth.map { BandwidthLimit(bytesPerSecond: $0) }
        options.onEvent = { event in
            switch event {
            case .lost(let error): choices.tell?("\(error.message) Trying again…")
            case .reconnected: choices.tell?("connected again.")
            }
        }
        return try await RemoteVault.connect(
            to: url, trust: try trust(in: url), as: try identity(of: user, at: url), options: options)
    }

    /// - Throws: `invalid` for bytes that are no URL of a server.
    package static func url(_ word: [UInt8]) throws(VaultError) -> ServerURL {
        guard let text = String(validating: word, as: UTF8.self) else {
            throw VaultError(.invalid, "'\(printable(word))' is not a server's URL, which is text in UTF-8.")
        }
        return try ServerURL(text)
    }

    /// What makes the server the right one.
    package static func trust(in url: ServerURL) throws(VaultError) -> ServerTrust {
        let servers = KnownServers(file: try ClientFiles.knownServers)
        let known = try servers.trust(of: url)
        let isReadable = (try? FileStatus(of: ClientFiles.authorities, followsLinks: true)) != nil
        guard known != nil || isReadable else {
            throw VaultError(
                .login, "\(url.place) is not known here: run 'minivault login \(url)' to look at its key and trust it.")
        }
        let verifier = try ServerVerifier(known ?? .authorities, url: url, authorities: ClientFiles.authorities)
        return ServerTrust { (chain) throws(VaultError) in try await verifier.verify(chain) }
            .withIterations(in: servers, of: url)
    }

    /// By what the user logs in: this device's key, or a password from the environment.
    private static func identity(of user: UserName, at url: ServerURL) throws(VaultError) -> ClientIdentity {
        do throws(VaultError) {
            return .deviceKey(user: user, key: try deviceKey(of: user, at: url))
        } catch  where error.code == .login {
            guard let password = try EnvironmentVariable.text("MINIVAULT_PASSWORD") else { throw error }
            return .password(user: user, password: try PasswordText(password))
        }
    }

    /// The user as whom a URL logs in: the one that it names, or the one who runs this program.
    package static func user(of url: ServerURL) throws(VaultError) -> UserName {
        try UserName(url.user ?? VaultLocation.userName)
    }

    /// This device's key for logging in as a user.
    ///
    /// - Throws: `login` where it has none.
    package static func deviceKey(of user: UserName, at url: ServerURL) throws(VaultError) -> any DeviceSigner {
        guard let key = try DeviceKeys(directory: ClientFiles.deviceKeys).load(for: user.text, at: url) else {
            throw VaultError(
                .login,
                "\(user) has not logged in to \(url.place) from this device: run 'minivault login \(url.withUser(user.text))'."
            )
        }
        return key
    }
}
