import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func usage() async throws(VaultError) -> VaultUsage {
        try read { database in
            let query = try Query(database, "SELECT stored_bytes, quota FROM vault")
            defer { query.finish() }
            guard try query.step() else { throw CatalogDamage(what: "the vault's row is missing") }
            return VaultUsage(storedBytes: query.unsigned(0), quota: query.isNull(1) ? nil : query.unsigned(1))
        }
    }

    package func setQuota(_ bytes: UInt64?) async throws(VaultError) {
        try await write { database in
            var update = try Query(database, "UPDATE vault SET quota = ?")
            // SQLite's numbers are signed.
            if let bytes { update.bind(min(bytes, UInt64(Int64.max))) } else { update.bindNull() }
            try update.first()
        }
    }
}
