import VaultModel

@testable import VaultStore

/// Runs `body` with a vault in `directory`, and closes it.
@discardableResult
func withVault<Result: Sendable>(
    _ directory: LocalPath, access: StoredVault.Access = .create, clock: ManualClock = ManualClock(),
    files: any StoreFiles = SystemFiles(), _ body: (StoredVault) async throws -> Result
) async throws -> Result {
    let vault = try await StoredVault.open(
        directory, access: access, savedBy: "anna", files: files, clock: { clock.now })
    do {
        let result = try await body(vault)
        await vault.close()
        return result
    } catch {
        await vault.close()
        throw error
    }
}
