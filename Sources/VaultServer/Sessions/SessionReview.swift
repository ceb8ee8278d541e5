import VaultModel
import VaultWire

extension ServerServices {
    /// Gives each session the rights that its user has now, and ends those whose user, key or rights are gone.
    func reviewSessions() async throws(VaultError) {
        var ends: [ObjectIdentifier: VaultError] = [:]
        for session in sessions.all {
            let end = try await review(session)
            if let end { ends[ObjectIdentifier(session)] = end }
        }
        let found = ends
        await sessions.end { found[ObjectIdentifier($0)] }
        // An open file of a vault that was removed would keep its space taken.
        let served = Set(try accounts.vaults().map(\.id))
        for host in hosts.all where !served.contains(host.id) { hosts.forget(host.id) }
    }

    /// - Returns: why the session ends; nil where it goes on.
    func review(_ session: Session) async throws(VaultError) -> VaultError? {
        let (credentials, isKnown) = try accounts.credentials(for: session.user)
        guard isKnown else { return VaultError(.denied, "The user \(session.user) has been removed.") }
        if case .password(let storedKey) = session.method, storedKey != credentials.storedKey {
            return VaultError(.login, "The password has been changed: log in again.")
        }
        if case .deviceKey(let key) = session.method, try !accounts.hasKey(key, of: session.user) {
            return VaultError(.login, "This device's key has been removed: log in again.")
        }
        guard try accounts.vault(named: session.vaultName)?.id == session.vault.id else {
            return VaultError(.denied, "The vault '\(session.vaultName)' has been removed.")
        }
        let rules = try accounts.access(of: session.user, in: session.vault.id)
        if rules.grants.isEmpty {
            return VaultError(.denied, "\(session.user) may no longer use the vault '\(session.vaultName)'.")
        }
        if session.rules != rules {
            session.rules = rules
            // What an upload was allowed to share when it began may not be so any more: it is begun again.
            await session.forgetUploads()
        }
        return nil
    }
}
