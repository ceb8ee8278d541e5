import VaultAccess
import VaultClient
import VaultModel
import VaultWire

/// The other vaults that hooks may open, as the user that the server runs as.
enum HookConnections {
    /// The URL of a vault that hooks may open.
    ///
    /// - Throws: `denied` for a directory, and for a host that is not among `hosts`.
    static func url(_ word: [UInt8], _ hosts: [String]) throws(VaultError) -> ServerURL {
        guard RemoteLocation.isURL(word) else {
            throw VaultError(.denied, "Hooks connect to vaults on servers only, by minivault://user@host.")
        }
        let url = try RemoteLocation.url(word)
        guard hosts.contains(url.host) else {
            throw VaultError(
                .denied,
                "Hooks may not connect to '\(printable(url.host))': 'serve --hooks-connect \(printable(url.host))' lets them."
            )
        }
        return url
    }

    /// The user as whom the server logs in, and the public key by which.
    ///
    /// - Throws: `login` where the server does not know the other one, or has no key for it.
    static func account(_ url: ServerURL) throws(VaultError) -> [[UInt8]] {
        _ = try RemoteLocation.trust(in: url)
        let user = try RemoteLocation.user(of: url)
        return [Array(user.text.utf8), try RemoteLocation.deviceKey(of: user, at: url).publicKeyBytes]
    }

    /// Judges the certificates that a server has shown.
    static func verify(_ url: ServerURL, _ chain: [[UInt8]]) async throws(VaultError) {
        try await RemoteLocation.trust(in: url).verify(chain)
    }

    /// Signs a login, and nothing else.
    static func sign(_ url: ServerURL, _ message: [UInt8]) throws(VaultError) -> [UInt8] {
        let user = try RemoteLocation.user(of: url)
        return try RemoteLocation.deviceKey(of: user, at: url).sign(try DeviceProof(message: message))
    }
}
