import Glibc
package import VaultModel
import VaultStore

/// Finds and opens the vault that a person names: by a directory, by a URL, by the environment, or not at all.
package enum VaultLocation {
    /// What is done with the vault.
    package enum Purpose: Sendable {
        /// Reads it; a vault that cannot be written to will do.
        case read
        /// Changes what is there, or adds to it.
        case change
    }

    /// Opens the vault named by `word`, the environment, or nobody: then the embedded one, which alone is made where it is
    /// missing, with a line that says so.
    ///
    /// - Parameters:
    ///   - word: a URL, or a path of any bytes.
    ///   - remote: what is chosen for a vault on a server, and who is told.
    /// - Throws: `notFound` where there is no vault: a mistyped path must not become one.
    package static func open(
        _ word: [UInt8]?, for purpose: Purpose, remote: RemoteLocation.Choices = RemoteLocation.Choices()
    ) async throws(VaultError) -> any Vault {
        let named = word ?? EnvironmentVariable.bytes("MINIVAULT_VAULT")
        if let named, RemoteLocation.isURL(named) { return try await RemoteLocation.open(named, remote) }
        let directory = try directory(word)
        if named == nil, try !StoredVault.isPresent(in: directory) {
            try await StoredVault.make(in: directory)
            remote.tell?("made the vault in '\(directory)'.")
        }
        return try await open(directory, for: purpose)
    }

    /// Makes the vault that is named by `word`, the environment, or nobody.
    ///
    /// - Returns: its directory.
    /// - Throws: `exists` where there is a vault already; `invalid` for one on a server, where its operator makes vaults,
    ///   and for a directory with something else in it.
    package static func make(_ word: [UInt8]?) async throws(VaultError) -> LocalPath {
        if let named = word ?? EnvironmentVariable.bytes("MINIVAULT_VAULT"), RemoteLocation.isURL(named) {
            throw VaultError(
                .invalid,
                "'\(printable(named))' is on a server: there 'minivault user add' and 'minivault user add-vault' make vaults."
            )
        }
        let directory = try directory(word)
        try await StoredVault.make(in: directory)
        return directory
    }

    /// The directory of the vault named by `word`, the environment, or nobody.
    ///
    /// - Throws: `invalid` for a vault that is on a server, and for the embedded one of a user without a home.
    package static func directory(_ word: [UInt8]?) throws(VaultError) -> LocalPath {
        guard let named = word ?? EnvironmentVariable.bytes("MINIVAULT_VAULT") else { return try embedded }
        if RemoteLocation.isURL(named) {
            throw VaultError(
                .invalid, "'\(printable(named))' is on a server: this is for the directory of a vault on this machine.")
        }
        // A URL with a slip in it must not become a directory that takes the backups.
        let (at, slash) = (UInt8(ascii: "@"), UInt8(ascii: "/"))
        if named.starts(with: "minivault:".utf8) || (named.contains(at) && !named.contains(slash)) {
            throw VaultError(
                .invalid,
                "'\(printable(named))' looks like a server: write minivault://user@host, or ./ before a directory.")
        }
        return LocalPath(named)
    }

    private static func open(
        _ directory: LocalPath, for purpose: Purpose
    ) async throws(VaultError) -> any Vault {
        do {
            return try await StoredVault.open(directory, savedBy: userName)
        } catch  where purpose == .read && (error.code == .denied || error.code == .quota) {
            return try await StoredVault.open(directory, access: .readOnly, savedBy: userName)
        }
    }

    private static var embedded: LocalPath {
        get throws(VaultError) { try UserDirectories.current.dataHome.appending("minivault/default") }
    }

    package static var userName: String {
        guard let user = getpwuid(getuid()) else { return "uid \(getuid())" }
        return String(cString: user.pointee.pw_name)
    }
}
