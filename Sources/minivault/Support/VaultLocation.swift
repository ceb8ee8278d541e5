import Glibc
import VaultModel
import VaultStore

/// Finds and opens the vault that a command is about.
enum VaultLocation {
    /// What a command does with the vault.
    enum Purpose {
        /// Reads it; a vault that cannot be written to will do.
        case read
        /// Changes what is there.
        case change
        /// Brings content, and may make the vault.
        case fill
    }

    /// Opens the vault named by `word`, the environment, or nobody: then the embedded one.
    static func open(_ word: String?, for purpose: Purpose) async throws(VaultError) -> any Vault {
        let isNamed = word != nil || environment("MINIVAULT_VAULT") != nil
        let access = isNamed && purpose != .fill ? LocalVault.Access.readWrite : .create
        return try await open(try directory(word), access: access, for: purpose)
    }

    /// The directory of the vault named by `word`, the environment, or nobody.
    ///
    /// - Throws: `unavailable` for a vault that is on a server.
    static func directory(_ word: String?) throws(VaultError) -> LocalPath {
        guard let named = word ?? environment("MINIVAULT_VAULT") else { return embedded }
        if named.contains("://") {
            throw VaultError(
                .unavailable, "'\(printable(named))' is on a server: this version opens vaults in directories only.")
        }
        return CommandText.path(named)
    }

    private static func open(
        _ directory: LocalPath, access: LocalVault.Access, for purpose: Purpose
    ) async throws(VaultError) -> any Vault {
        do {
            return try await LocalVault.open(directory, access: access, savedBy: userName)
        } catch  where purpose == .read && error.code == .denied {
            return try await LocalVault.open(directory, access: .readOnly, savedBy: userName)
        }
    }

    /// `$XDG_DATA_HOME/minivault/default`, by the XDG Base Directory Specification.
    private static var embedded: LocalPath {
        let home = environment("HOME") ?? "/"
        let data = environment("XDG_DATA_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil } ?? home + "/.local/share"
        return LocalPath(data).appending("minivault/default")
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    private static var userName: String {
        guard let user = getpwuid(getuid()) else { return "uid \(getuid())" }
        return String(cString: user.pointee.pw_name)
    }
}
