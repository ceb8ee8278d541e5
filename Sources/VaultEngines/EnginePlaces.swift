package import VaultModel
package import VaultStore

/// Vaults in the engines, where every server finds them.
package struct EnginePlaces: VaultPlaces {
    private let engines: Engines

    package init(_ engines: Engines) {
        self.engines = engines
    }

    package func place(of id: String) -> String { "\(engines.place)\(id)" }

    package func look() async throws(VaultError) { try await engines.look() }

    package func ids() async throws(VaultError) -> [UniqueID] { try await engines.database.vaults() }

    package func open(_ id: String, access: StoredVault.Access) async throws(VaultError) -> StoredVault {
        try await engines.vault(try EnginePlaces.identity(id))
    }

    package func make(_ id: String, quota: UInt64?) async throws(VaultError) {
        let vault = try await engines.makeVault(try EnginePlaces.identity(id))
        do {
            try await vault.setQuota(quota)
        } catch {
            await vault.close()
            throw error
        }
        await vault.close()
    }

    package func hasContent(_ id: String) async throws(VaultError) -> Bool {
        do {
            let vault = try await open(id, access: .readWrite)
            let sequence = try await vault.sequence()
            await vault.close()
            return sequence > 0
        } catch  where error.code == .notFound {
            return false
        }
    }

    package func remove(_ id: String) async throws(VaultError) {
        try await engines.removeVault(try EnginePlaces.identity(id))
    }

    private static func identity(_ id: String) throws(VaultError) -> UniqueID {
        guard let identity = UniqueID(Substring(id)) else {
            throw VaultError(.internal, "'\(printable(id))' is not the id of a vault.")
        }
        return identity
    }
}
