import VaultModel

@testable import VaultStore

/// Runs `body` with a vault in `directory`, and closes it.
@discardableResult
func withVault<Result: Sendable>(
    _ directory: LocalPath, access: LocalVault.Access = .create, clock: ManualClock = ManualClock(),
    files: any StoreFiles = SystemFiles(), _ body: (LocalVault) async throws -> Result
) async throws -> Result {
    let vault = try await LocalVault.open(
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
