package import VaultModel

/// Where a server's vaults are: directories of its own, or engines that it shares with others.
package protocol VaultPlaces: Sendable {
    /// - Throws: `notFound` for a vault that is not there.
    func open(_ id: String, access: StoredVault.Access) async throws(VaultError) -> StoredVault
    /// Makes a vault with nothing in it.
    func make(_ id: String, quota: UInt64?) async throws(VaultError)
    /// Whether anything has been stored in a vault.
    func hasContent(_ id: String) async throws(VaultError) -> Bool
    /// Removes a vault with all that is in it; one that is not there is no error.
    func remove(_ id: String) async throws(VaultError)
    /// The vaults that are there, known to somebody or not, in the order of their ids.
    func ids() async throws(VaultError) -> [UniqueID]
    /// Looks whether vaults can be reached at all.
    ///
    /// - Throws: why they cannot.
    func look() async throws(VaultError)
    /// Where a vault is, as people are told.
    func place(of id: String) -> String
}
