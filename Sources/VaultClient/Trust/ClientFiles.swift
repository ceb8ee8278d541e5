import Glibc
package import VaultModel

/// Where a user's trust and keys are, by the XDG Base Directory Specification.
package enum ClientFiles {
    /// The servers that the user trusts: `$XDG_CONFIG_HOME/minivault/known-servers`.
    package static var knownServers: LocalPath { directory.appending("known-servers") }

    /// The directory of this device's keys: `$XDG_CONFIG_HOME/minivault/keys`.
    package static var deviceKeys: LocalPath { directory.appending("keys") }

    /// The file of the certificate authorities: `MINIVAULT_CA`, or the machine's own.
    package static var authorities: LocalPath {
        environment("MINIVAULT_CA").map { LocalPath($0) } ?? systemAuthorities
    }

    /// Debian and its like, Arch and Alpine first; then Fedora.
    private static var systemAuthorities: LocalPath {
        let paths = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"].map { LocalPath($0) }
        return paths.first { (try? FileStatus(of: $0, followsLinks: true)) != nil } ?? paths[0]
    }

    private static var directory: LocalPath {
        // The specification has relative paths ignored.
        let named = environment("XDG_CONFIG_HOME").flatMap { $0.first == UInt8(ascii: "/") ? LocalPath($0) : nil }
        return (named ?? home.appending(".config")).appending("minivault")
    }

    private static var home: LocalPath {
        if let home = environment("HOME") { return LocalPath(home) }
        guard let user = getpwuid(getuid()) else { return LocalPath("/") }
        return LocalPath(String(cString: user.pointee.pw_dir))
    }

    private static func environment(_ name: String) -> [UInt8]? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }
}
