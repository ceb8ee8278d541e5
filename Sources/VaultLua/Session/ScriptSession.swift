package import LuaEngine
package import VaultModel

/// What one Lua state knows of vaults: the default one, those it has connected to, and how to wait.
///
/// Confined to the state's thread.
package final class ScriptSession {
    /// Opens the vault that scripts act on when they name none.
    package typealias Opener = @Sendable () async throws(VaultError) -> any Vault
    /// Opens the vault that a script names by a directory or URL.
    package typealias Connector = @Sendable (String) async throws(VaultError) -> any Vault

    unowned(unsafe) let state: LuaState
    let interrupt: LuaInterrupt
    let connector: Connector
    let log: @Sendable (LogLevel, String) -> Void
    private let opener: Opener
    private var defaultVault: (any Vault)?
    private var scoped: [any Vault] = []
    /// Whether a progress function is running.
    var isReporting = false
    /// `debug.traceback`, `string.format` and `tonumber` as they were before the script could change them.
    var traceback: LuaReference?
    var format: LuaReference?
    var toNumber: LuaReference?

    package enum LogLevel: String, Sendable {
        case debug, info, warn, error
    }

    /// - Parameter log: where `vault.log` goes.
    package init(
        _ state: LuaState, opening opener: @escaping Opener, connecting connector: @escaping Connector,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) {
        self.state = state
        interrupt = state.interrupt
        self.opener = opener
        self.connector = connector
        self.log = log
    }

    /// The vault that functions without a connection act on, opened on first use.
    var vault: any Vault {
        get throws {
            if let vault = scoped.last ?? defaultVault { return vault }
            let opener = opener
            let vault = try wait { () async throws(VaultError) in try await opener() }
            defaultVault = vault
            return vault
        }
    }

    /// Runs `body` with another default vault.
    func with<Value>(_ vault: any Vault, _ body: () throws -> Value) rethrows -> Value {
        scoped.append(vault)
        defer { scoped.removeLast() }
        return try body()
    }

    /// Closes the default vault. The state must not be used after.
    package func close() async {
        await defaultVault?.close()
        defaultVault = nil
    }
}
