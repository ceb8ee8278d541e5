import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func usage() async throws(VaultError) -> VaultUsage {
        try read { database in
            let query = try Query(database, "SELECT stored_bytes, quota FROM vault")
            defer { query.finish() }
            guard try query.step() else { throw CatalogDamage(what: "the vault's row is missing") }
            return VaultUsage(storedBytes: try query.count(0), quota: query.isNull(1) ? nil : try query.count(1))
        }
    }

    package func setQuota(_ bytes: UInt64?) async throws(VaultError) {
        try await write { database in
            var update = try Query(database, "UPDATE vault SET quota = ?")
            if let bytes { update.bind(min(bytes, StoreLimits.numberMax)) } else { update.bindNull() }
            try update.first()
        }
    }
}
