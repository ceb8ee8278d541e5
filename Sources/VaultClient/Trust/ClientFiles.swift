package import VaultModel

/// The places of a user's trust and keys: see ``VaultModel/UserDirectories``.
package enum ClientFiles {
    /// The servers that the user trusts: `$XDG_CONFIG_HOME/minivault/known-servers`.
    package static var knownServers: LocalPath { get throws(VaultError) { try directory.appending("known-servers") } }

    /// The directory of this device's keys: `$XDG_CONFIG_HOME/minivault/keys`.
    package static var deviceKeys: LocalPath { get throws(VaultError) { try directory.appending("keys") } }

    /// The file of the certificate authorities: `MINIVAULT_CA`, or the machine's own.
    package static var authorities: LocalPath {
        EnvironmentVariable.bytes("MINIVAULT_CA").map { LocalPath($0) } ?? systemAuthorities
    }

    /// Debian and its like, Arch and Alpine first; then Fedora.
    private static var systemAuthorities: LocalPath {
        let paths = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"].map { LocalPath($0) }
        return paths.first { (try? FileStatus(of: $0, followsLinks: true)) != nil } ?? paths[0]
    }

    private static var directory: LocalPath {
        get throws(VaultError) { try UserDirectories.current.configHome.appending("minivault") }
    }
}
