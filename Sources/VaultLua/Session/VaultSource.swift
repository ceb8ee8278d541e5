import Synchronization
import VaultModel

/// A vault that is opened by the first operation that needs it.
final class VaultSource: Sendable {
    private let opener: ScriptSession.Host.Opener
    private let opening = AsyncLock()
    private let vault: Mutex<(any Vault)?>

    init(opening opener: @escaping ScriptSession.Host.Opener) {
        self.opener = opener
        vault = Mutex(nil)
    }

    init(_ vault: any Vault) {
        opener = { () throws(VaultError) in vault }
        self.vault = Mutex(vault)
    }

    func opened() async throws(VaultError) -> any Vault {
        if let vault = vault.withLock({ $0 }) { return vault }
        return try await opening.withLock { () async throws(VaultError) in
            if let vault = vault.withLock({ $0 }) { return vault }
            let opened = try await opener()
            vault.withLock { $0 = opened }
            return opened
        }
    }

    /// Closes the vault, if it has been opened.
    func close() async {
        await vault.withLock { $0 }?.close()
    }
}
