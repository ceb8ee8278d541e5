import GRDB
package import VaultModel

extension SQLiteCatalog {
    package func usage() async throws(VaultError) -> VaultUsage {
        try read { try SQLiteCatalog.usage($0) }
    }

    static func usage(_ database: Database) throws -> VaultUsage {
        let query = try Query(database, "SELECT stored_bytes, pending_bytes, journal_bytes, quota FROM vault")
        defer { query.finish() }
        guard try query.step() else { throw CatalogDamage(what: "the vault's row is missing") }
        let fileBytes = try pragma("page_count", database) * pageBytes(database)
        return VaultUsage(
            contentBytes: try query.count(0), pendingBytes: try query.count(1), journalBytes: try query.count(2),
            catalogBytes: fileBytes - min(fileBytes, try freeBytes(database)),
            quota: query.isNull(3) ? nil : try query.count(3))
    }

    /// Bytes of the file that hold nothing.
    static func freeBytes(_ database: Database) throws -> UInt64 {
        try pragma("freelist_count", database) * pageBytes(database)
    }

    private static func pageBytes(_ database: Database) throws -> UInt64 { try pragma("page_size", database) }

    /// A number of pages or bytes, which SQLite has checked.
    private static func pragma(_ name: String, _ database: Database) throws -> UInt64 {
        let query = try Query(database, "PRAGMA \(name)")
        defer { query.finish() }
        return try query.step() ? UInt64(UInt32(truncatingIfNeeded: try query.int(0))) : 0
    }

    package func shrink(leaving bytes: UInt64) async throws(VaultError) {
        var free = try read { try SQLiteCatalog.freeBytes($0) }
        // A few pages at a time, so that others have their turn.
        while free > bytes {
            if Task.isCancelled { throw .cancelled }
            let left = try await write { database in
                let query = try Query(database, "PRAGMA incremental_vacuum(\(StoreLimits.pagesGivenBack))")
                defer { query.finish() }
                while try query.step() {}
                return try SQLiteCatalog.freeBytes(database)
            }
            guard left < free else { return }
            free = left
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
