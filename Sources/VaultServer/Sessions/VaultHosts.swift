import Synchronization
import VaultModel
import VaultStore

/// The vaults that a server has open; each is opened when it is first used and stays so.
final class VaultHosts: Sendable {
    private let accounts: Accounts
    private let opening = AsyncLock()
    private let open = Mutex<[String: HostedVault]>([:])

    init(_ accounts: Accounts) {
        self.accounts = accounts
    }

    var all: [HostedVault] { open.withLock { Array($0.values) } }

    func vault(_ id: String) async throws(VaultError) -> HostedVault {
        if let vault = open.withLock({ $0[id] }) { return vault }
        return try await opening.withLock { () async throws(VaultError) in
            if let vault = self.open.withLock({ $0[id] }) { return vault }
            let local = try await LocalVault.open(self.accounts.directory(ofVault: id), access: .readWrite)
            let vault = HostedVault(id: id, local: local)
            self.open.withLock { $0[id] = vault }
            return vault
        }
    }

    /// Closes a vault that is no longer served.
    func close(_ id: String) async {
        await open.withLock { $0.removeValue(forKey: id) }?.local.close()
    }

    func closeAll() async {
        let vaults = open.withLock { open in
            defer { open = [:] }
            return Array(open.values)
        }
        for vault in vaults { await vault.local.close() }
    }
}
