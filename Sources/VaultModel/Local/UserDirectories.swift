import Glibc

/// The directories of the user who runs the program, by the XDG Base Directory Specification, version 0.8.
///
/// Paths are bytes, as the environment and passwd(5) have them. A variable that is empty or a relative path counts as one
/// that is not set.
package struct UserDirectories: Sendable {
    private let variable: @Sendable (String) -> [UInt8]?
    private let accountHome: @Sendable () throws(VaultError) -> [UInt8]?

    /// - Parameters:
    ///   - accountHome: the home directory of the user's entry in passwd(5); nil without an entry.
    ///   - variable: the value of an environment variable; nil for one that is not set.
    package init(
        accountHome: @escaping @Sendable () throws(VaultError) -> [UInt8]? = UserDirectories.entry,
        variable: @escaping @Sendable (String) -> [UInt8]?
    ) {
        self.accountHome = accountHome
        self.variable = variable
    }

    /// The directories by the environment of this process.
    package static let current = UserDirectories { EnvironmentVariable.bytes($0) }

    /// The home directory: `HOME`, or the one that passwd(5) has for the user.
    ///
    /// - Throws: `invalid` where neither names one: the root of the file system is nobody's home.
    package var home: LocalPath {
        get throws(VaultError) {
            if let home = value("HOME"), home.first == slash { return LocalPath(home) }
            if let home = try accountHome(), home.first == slash, home.contains(where: { $0 != slash }) {
                return LocalPath(home)
            }
            throw VaultError(
                .invalid,
                "HOME is not set, and this machine knows no home directory of the user \(getuid()): set HOME, or name "
                    + "the vault and the files that are meant.")
        }
    }

    /// `$XDG_DATA_HOME`, or `~/.local/share`.
    package var dataHome: LocalPath { get throws(VaultError) { try directory("XDG_DATA_HOME", ".local/share") } }
    /// `$XDG_STATE_HOME`, or `~/.local/state`.
    package var stateHome: LocalPath { get throws(VaultError) { try directory("XDG_STATE_HOME", ".local/state") } }
    /// `$XDG_CONFIG_HOME`, or `~/.config`.
    package var configHome: LocalPath { get throws(VaultError) { try directory("XDG_CONFIG_HOME", ".config") } }

    private func directory(_ name: String, _ standard: String) throws(VaultError) -> LocalPath {
        if let named = value(name), named.first == slash { return LocalPath(named) }
        return try home.appending(standard)
    }

    private func value(_ name: String) -> [UInt8]? {
        variable(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The home directory that passwd(5) has for the user of this process.
    ///
    /// - Throws: what getpwuid_r(3) fails with, such as an account service that does not answer.
    package static func entry() throws(VaultError) -> [UInt8]? {
        var buffer = [CChar](repeating: 0, count: 1 << 10)
        while true {
            var user = passwd()
            var found: UnsafeMutablePointer<passwd>?
            let status = getpwuid_r(getuid(), &user, &buffer, buffer.count, &found)
            switch status {
            case 0:
                guard found != nil, let home = user.pw_dir else { return nil }
                return Array(UnsafeRawBufferPointer(start: home, count: strlen(home)))
            case ERANGE where buffer.count < 1 << 20: buffer = [CChar](repeating: 0, count: buffer.count * 2)
            case EINTR: continue
            // Some account services tell so of a user whom they do not know, by getpwuid_r(3).
            case ENOENT, ESRCH, EBADF, EPERM: return nil
            default: throw VaultError(system: status, "look up the user in", LocalPath("/etc/passwd"))
            }
        }
    }
}
