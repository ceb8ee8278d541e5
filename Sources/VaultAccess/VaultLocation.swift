import Glibc
package import VaultModel
import VaultStore

/// Finds and opens the vault that a person names: by a directory, by a URL, by the environment, or not at all.
package enum VaultLocation {
    /// What is done with the vault.
    package enum Purpose: Sendable {
        /// Reads it; a vault that cannot be written to will do.
        case read
        /// Changes what is there.
        case change
        /// Brings content, and may make the vault.
        case fill
    }

    /// Opens the vault named by `word`, the environment, or nobody: then the embedded one.
    ///
    /// - Parameter remote: what is chosen for a vault on a server.
    package static func open(
        _ word: String?, for purpose: Purpose, remote: RemoteLocation.Choices = RemoteLocation.Choices()
    ) async throws(VaultError) -> any Vault {
        if let named = word ?? environment("MINIVAULT_VAULT"), RemoteLocation.isURL(named) {
            return try await RemoteLocation.open(named, remote)
        }
        let isNamed = word != nil || environment("MINIVAULT_VAULT") != nil
        let access = isNamed && purpose != .fill ? StoredVault.Access.readWrite : .create
        return try await open(try directory(word), access: access, for: purpose)
    }

    /// The directory of the vault named by `word`, the environment, or nobody.
    ///
    /// - Throws: `invalid` for a vault that is on a server.
    package static func directory(_ word: String?) throws(VaultError) -> LocalPath {
        guard let named = word ?? environment("MINIVAULT_VAULT") else { return embedded }
        if named.contains("://") {
            throw VaultError(
                .invalid, "'\(printable(named))' is on a server: this is for the directory of a vault on this machine.")
        }
        // A URL with a slip in it must not become a directory that takes the backups.
        if named.hasPrefix("minivault:") || (named.contains("@") && !named.contains("/")) {
            throw VaultError(
                .invalid,
                "'\(printable(named))' looks like a server: write minivault://user@host, or ./ before a directory.")
        }
        // A path that is not UTF-8 goes through the argument parser, and the environment, under the escape of names.
        return LocalPath(NameEscape.decode(Array(named.utf8)) ?? Array(named.utf8))
    }

    private static func open(
        _ directory: LocalPath, access: StoredVault.Access, for purpose: Purpose
    ) async throws(VaultError) -> any Vault {
        do {
            return try await StoredVault.open(directory, access: access, savedBy: userName)
        } catch  where purpose == .read && error.code == .denied {
            return try await StoredVault.open(directory, access: .readOnly, savedBy: userName)
        }
    }

    private static var embedded: LocalPath { dataHome.appending("minivault/default") }

    /// `$XDG_DATA_HOME` and `$XDG_STATE_HOME`, by the XDG Base Directory Specification.
    package static var dataHome: LocalPath { directory("XDG_DATA_HOME", "/.local/share") }
    package static var stateHome: LocalPath { directory("XDG_STATE_HOME", "/.local/state") }

    private static func directory(_ variable: String, _ standard: String) -> LocalPath {
        let named = environment(variable).flatMap { $0.hasPrefix("/") ? $0 : nil }
        return LocalPath(named ?? (environment("HOME") ?? "/") + standard)
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    package static var userName: String {
        guard let user = getpwuid(getuid()) else { return "uid \(getuid())" }
        return String(cString: user.pointee.pw_name)
    }
}
