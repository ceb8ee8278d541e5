import Logging
import Synchronization
import VaultModel
import VaultStore

/// The vaults that a server has open; each is opened when it is first used and stays so.
final class VaultHosts: Sendable {
    private let accounts: Accounts
    private let logger: Logger
    private let hooks = Mutex<HookPool?>(nil)
    private struct State {
        var open: [String: HostedVault] = [:]
        /// One for each vault: one that somebody repairs must not hold up the others.
        var opening: [String: AsyncLock] = [:]
    }

    private let state = Mutex(State())

    init(_ accounts: Accounts, _ logger: Logger) {
        self.accounts = accounts
        self.logger = logger
    }

    /// Has vaults that are opened from now on decided on by hooks.
    func use(_ pool: HookPool) { hooks.withLock { $0 = pool } }

    var all: [HostedVault] { state.withLock { Array($0.open.values) } }

    func vault(_ id: String) async throws(VaultError) -> HostedVault {
        let (known, opening) = state.withLock { state in
            let opening = state.opening[id] ?? AsyncLock()
            state.opening[id] = opening
            return (state.open[id], opening)
        }
        if let known { return known }
        return try await opening.withLock { () async throws(VaultError) in
            if let vault = self.state.withLock({ $0.open[id] }) { return vault }
            guard OpenFileLimit.hasRoom(for: ServerLimits.filesOfVault) else {
                throw VaultError(
                    .unavailable, "The server has too many files open for another vault; try again later.",
                    isRetryable: true)
            }
            let local = try await self.accounts.places.open(id, access: .readWrite)
            let name = try self.accounts.vaults().first { $0.id == id }?.name ?? id
            let vault = HostedVault(
                id: id, name: name, local: local, hooks: self.hooks.withLock { $0 }, logger: self.logger)
            self.state.withLock { $0.open[id] = vault }
            return vault
        }
    }

    /// Lets go of a vault that is no longer served: it closes once the last request on it has ended.
    func forget(_ id: String) {
        let vault = state.withLock { state in
            state.opening[id] = nil
            return state.open.removeValue(forKey: id)
        }
        vault?.outbox?.stop()
    }

    func closeAll() async {
        let vaults = state.withLock { state in
            defer { state.open = [:] }
            return Array(state.open.values)
        }
        for vault in vaults { await vault.close() }
    }
}
