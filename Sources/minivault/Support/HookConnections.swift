import VaultAccess
import VaultClient
import VaultModel

/// The other vaults that hooks may open.
enum HookConnections {
    /// - Throws: `denied` for a directory, and for a host that is not among `hosts`.
    static func open(_ url: [UInt8], _ hosts: [String]) async throws(VaultError) -> any Vault {
        guard RemoteLocation.isURL(url) else {
            throw VaultError(.denied, "Hooks connect to vaults on servers only, by minivault://user@host.")
        }
        let host = try RemoteLocation.url(url).host
        guard hosts.contains(host) else {
            throw VaultError(
                .denied,
                "Hooks may not connect to '\(printable(host))': 'serve --hooks-connect \(printable(host))' lets them.")
        }
        return try await RemoteLocation.open(url, RemoteLocation.Choices())
    }
}
