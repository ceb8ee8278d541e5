import Glibc
package import VaultModel

/// Vaults in directories: `DATA/vaults/<id>`.
package struct DirectoryPlaces: VaultPlaces {
    package let data: LocalPath

    /// - Parameter data: the data directory, which is there.
    package init(_ data: LocalPath) {
        self.data = data
    }

    package func directory(of id: String) -> LocalPath { data.appending("vaults").appending(id) }

    package func place(of id: String) -> String { "\(directory(of: id))" }

    package func look() async throws(VaultError) { _ = try FileStatus(of: data) }

    /// The directories that hold a vault, with or without its catalog; not what an interrupted creation leaves.
    package func ids() throws(VaultError) -> [UniqueID] {
        let names: [[UInt8]]
        do throws(VaultError) {
            names = try DirectoryListing(data.appending("vaults")).names
        } catch  where error.code == .notFound {
            return []
        }
        let ids = names.compactMap { UniqueID(String(decoding: $0, as: UTF8.self)) }.sorted {
            $0.bytes.lexicographicallyPrecedes($1.bytes)
        }
        var found: [UniqueID] = []
        for id in ids {
            switch try VaultLayout(directory(of: id.description)).state {
            case .vault, .packsOnly: found.append(id)
            case .absent, .other: continue
            }
        }
        return found
    }

    package func open(_ id: String, access: StoredVault.Access) async throws(VaultError) -> StoredVault {
        try await StoredVault.open(directory(of: id), access: access)
    }

    package func make(_ id: String, quota: UInt64?) async throws(VaultError) {
        let path = directory(of: id)
        let vault = try await StoredVault.open(path, access: .create)
        do {
            try await vault.setQuota(quota)
        } catch {
            await vault.close()
            throw error
        }
        await vault.close()
        try SystemFiles().syncDirectory(path)
        let owner = try DataOwner(data)
        try owner.take(path)
        try owner.takeAlone(path.parent)
    }

    package func hasContent(_ id: String) async throws(VaultError) -> Bool {
        do {
            return try !DirectoryListing(directory(of: id).appending("packs")).names.isEmpty
        } catch  where error.code == .notFound {
            return false
        }
    }

    package func remove(_ id: String) async throws(VaultError) {
        // Under another name first, so that a server that still has it open makes nothing anew in it.
        let removed = directory(of: id + ".removed")
        do {
            try SystemFiles().rename(directory(of: id), to: removed)
        } catch  where error.code == .notFound {}
        try DirectoryPlaces.removeTree(removed)
    }

    /// Removes a file or a directory with all that is in it, never what a link in it points to.
    private static func removeTree(_ path: LocalPath) throws(VaultError) {
        do {
            guard try FileStatus(of: path).kind == .directory else { return try SystemFiles().remove(path) }
            for name in try DirectoryListing(path).names { try removeTree(path.appending(name)) }
            try retrying("remove", path) { path.withCString { rmdir($0) } }
        } catch  where error.code == .notFound {}
    }
}
