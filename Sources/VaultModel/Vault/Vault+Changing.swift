extension Vault {
    /// Carries out one change.
    package func changing(_ change: Change) async throws(VaultError) -> ChangeOutcome {
        guard let result = try await self.change([change]).first else {
            throw VaultError(.internal, "The vault did not answer.")
        }
        return try result.get()
    }
}
