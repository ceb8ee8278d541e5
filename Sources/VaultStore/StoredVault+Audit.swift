package import VaultModel

extension StoredVault {
    /// What was changed over the network, oldest first. Kept for 400 days.
    ///
    /// - Parameters:
    ///   - time: seconds since 1970 UTC; `Int64.min` for the beginning.
    ///   - sequence: the last sequence of the record that a next page starts behind.
    package func audit(
        since time: Int64 = .min, after sequence: UInt64 = 0, limit: Int
    ) async throws(VaultError) -> [AuditRecord] {
        try await catalog.audit(since: time, after: sequence, limit: limit)
    }
}
