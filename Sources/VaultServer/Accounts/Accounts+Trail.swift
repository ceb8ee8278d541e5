package import VaultModel
package import VaultStore

/// The audit of vaults that have been removed: who changed what stays told when the vault is gone.
extension Accounts {
    /// Records that are copied at once.
    private static let trailPage = 1000

    /// Copies the audit of a vault that is about to be removed, as far as there is one to be read.
    func keepTrail(of vault: Vault) async throws(VaultError) {
        let local: StoredVault
        do throws(VaultError) {
            local = try await places.open(vault.id, access: .readOnly)
        } catch  where [.notFound, .integrity, .invalid].contains(error.code) {
            return
        }
        let result: Result<Void, VaultError>
        do throws(VaultError) {
            try await copyTrail(of: vault, from: local)
            result = .success(())
        } catch {
            result = error.code == .integrity ? .success(()) : .failure(error)
        }
        await local.close()
        try result.get()
    }

    private func copyTrail(of vault: Vault, from local: StoredVault) async throws(VaultError) {
        let now = clock()
        try write(isNoticed: false) { session in
            // The rows of an earlier try go, and those that are too old.
            try session.execute(
                "DELETE FROM former_audit WHERE vault = ? OR at < ?",
                [.text(vault.id), .int(now - StoreLimits.auditSeconds)])
        }
        var after: UInt64 = 0
        while true {
            let page = try await local.audit(since: .min, after: after, limit: Accounts.trailPage)
            guard let last = page.last else { return }
            after = last.sequences.upperBound
            try write(isNoticed: false) { session in
                for record in page { try Accounts.keep(record, of: vault, session) }
            }
        }
    }

    private static func keep(_ record: AuditRecord, of vault: Vault, _ session: any TableSession) throws {
        try session.execute(
            """
            INSERT INTO former_audit (vault, name, first_sequence, last_sequence, at, "user", peer, action, subject, count)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .text(vault.id), .text(vault.name), .int(Int64(clamping: record.sequences.lowerBound)),
                .int(Int64(clamping: record.sequences.upperBound)), .int(record.time), .text(record.user),
                .text(record.peer), .text(record.action.rawValue), .bytes(record.name?.bytes ?? []), .int(record.count),
            ])
    }

    /// The audit of vaults that are gone, each in its order.
    package func trailsOfRemovedVaults() throws(VaultError) -> [(vault: Vault, records: [AuditRecord])] {
        let rows = try read { session in
            try session.rows(
                """
                SELECT vault, name, first_sequence, last_sequence, at, "user", peer, action, subject, count
                FROM former_audit ORDER BY vault, first_sequence
                """)
        }
        var trails: [(vault: Vault, records: [AuditRecord])] = []
        for row in rows {
            let vault = Vault(id: row.text(0), name: row.text(1))
            guard let first = UInt64(exactly: row.int(2)), let last = UInt64(exactly: row.int(3)), first <= last,
                let action = AuditRecord.Action(rawValue: row.text(7))
            else { continue }
            if trails.last?.vault != vault { trails.append((vault, [])) }
            trails[trails.count - 1].records.append(
                AuditRecord(
                    sequences: first...last, time: row.int(4), user: row.text(5), peer: row.text(6), action: action,
                    name: Name(exactly: row.bytes(8)), count: Int(row.int(9))))
        }
        return trails
    }
}
