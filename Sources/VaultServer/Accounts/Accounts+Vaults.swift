package import VaultModel
import VaultStore

extension Accounts {
    /// Makes a vault that nobody may use yet.
    ///
    /// - Parameter quota: bytes that it may store; nil for no limit.
    /// - Throws: `exists` for a name that is taken.
    package func addVault(_ name: UserName, quota: UInt64? = nil) async throws(VaultError) {
        try await changingVaults { () async throws(VaultError) in
            guard try vault(named: name.text) == nil else {
                throw VaultError(.exists, "There is a vault '\(name)' already.")
            }
            try await makeVault(name.text, quota: quota) { (session, vault) in
                try Accounts.record(AuditEvent(.vaultAdded, user: "", detail: vault.name, time: clock()), session)
            }
        }
    }

    /// Removes a vault with all that is in it and all grants in it. Who has changed it stays in the audit trail.
    ///
    /// A crash in between leaves it there or makes it invisible at once; what is left of it then goes with the next
    /// change, or as a server starts.
    ///
    /// - Throws: `notFound` for a vault that is not there.
    package func removeVault(_ name: String) async throws(VaultError) {
        try await changingVaults { () async throws(VaultError) in
            let vault = try knownVault(name)
            try await keepTrail(of: vault)
            try write { session in
                try session.execute("DELETE FROM vault WHERE id = ?", [.text(vault.id)])
                try session.execute(
                    "INSERT INTO unfinished_vault (id, is_removal) VALUES (?, 1)", [.text(vault.id)])
                try Accounts.record(AuditEvent(.vaultRemoved, user: "", detail: name, time: clock()), session)
            }
            try await finishVaults()
        }
    }

    /// Removes what is left of vaults whose making or removal was cut short.
    package func removeLeftovers() async throws(VaultError) {
        guard try read({ try $0.first("SELECT 1 FROM unfinished_vault") }) != nil else { return }
        try await changingVaults { () async throws(VaultError) in }
    }

    /// Runs `body` while nobody else makes or removes vaults, and nothing is unfinished.
    func changingVaults<Value: Sendable>(
        _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        try await tables.withLock { () async throws(VaultError) in
            try await finishVaults()
            return try await body()
        }
    }

    /// Makes a vault, and then lets it and what `body` inserts be known in one transaction.
    func makeVault(
        _ name: String, quota: UInt64?, _ body: (any TableSession, Vault) throws -> Void
    ) async throws(VaultError) {
        let vault = try beginVault(name)
        do throws(VaultError) {
            try await places.make(vault.id, quota: quota)
            let now = clock()
            try write { session in
                try session.execute(
                    "INSERT INTO vault (id, name, created_at) VALUES (?, ?, ?)",
                    [.text(vault.id), .text(vault.name), .int(now)])
                try body(session, vault)
                // Whoever has taken the lock away meanwhile has removed it for unfinished.
                guard try Accounts.forget(vault.id, session) == 1 else {
                    throw VaultError(
                        .unavailable, "Another process came in the way of making '\(name)': try again.",
                        isRetryable: true)
                }
            }
        } catch {
            // Only the database knows whether a commit that failed took place.
            try? await finishVaults()
            throw error
        }
    }

    /// Notes a vault as one that is being made.
    func beginVault(_ name: String) throws(VaultError) -> Vault {
        let vault = Vault(id: UniqueID().description, name: name)
        try write { session in
            try session.execute("INSERT INTO unfinished_vault (id, is_removal) VALUES (?, 0)", [.text(vault.id)])
        }
        return vault
    }

    private func finishVaults() async throws(VaultError) {
        let unfinished = try read { session in
            try session.rows("SELECT id, is_removal FROM unfinished_vault").map { row in
                (id: row.text(0), isRemoval: row.int(1) != 0)
            }
        }
        for (id, isRemoval) in unfinished {
            // Accounts put back from an older copy can take a vault in use for one that is being made.
            let isUsed = isRemoval ? false : try await places.hasContent(id)
            if !isUsed { try await places.remove(id) }
            try write { try Accounts.forget(id, $0) }
        }
    }

    @discardableResult
    private static func forget(_ id: String, _ session: any TableSession) throws -> Int {
        try session.execute("DELETE FROM unfinished_vault WHERE id = ?", [.text(id)])
    }
}
