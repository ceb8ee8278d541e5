import Glibc

/// Tells the directories of vaults and servers from those of users' files.
///
/// No operation on a tree saves, writes to or removes what is in one: a vault that saved itself would grow with each
/// push, and a pull would put an old index over the one that is in use.
package struct StoreGuard: Sendable {
    /// Whose directory it is.
    package enum Kind: Sendable {
        case vault
        case server
    }

    /// The vaults in use, which are known whatever is in their directories.
    private let inUse: Set<FileIdentity>

    /// - Parameter vaults: those that the operation works on.
    package init(_ vaults: [any Vault] = []) {
        inUse = Set(
            vaults.compactMap { vault in
                vault.directory.flatMap { try? FileStatus(of: $0, followsLinks: true).identity }
            })
    }

    /// Whose directory this is, by the names of what is in it; nil for any other.
    func kind(of directory: TreeDirectory, holding children: [DirectoryListing.Child]) -> Kind? {
        if inUse.contains(directory.identity) { return .vault }
        var found: Set<String> = []
        for child in children {
            if let name = StoreGuard.names.first(where: { child.name.elementsEqual($0.utf8) }) { found.insert(name) }
        }
        return found.isEmpty ? nil : StoreGuard.kind { found.contains($0) }
    }

    /// The same, asking the system for the few names that tell.
    func kind(of directory: TreeDirectory) throws(VaultError) -> Kind? {
        if inUse.contains(directory.identity) { return .vault }
        return StoreGuard.kind(of: try directory.open())
    }

    /// Refuses a directory that is that of a vault or a server, or is in one.
    ///
    /// - Throws: `invalid`, naming the vault's or server's directory.
    package func check(_ path: LocalPath) throws(VaultError) {
        var directory: OpenFile
        do throws(VaultError) {
            directory = try OpenFile(path, flags: StoreGuard.flags)
        } catch {
            // What is not there yet is made in the nearest directory above it.
            guard error.code == .notFound, path.parent != path else { return }
            return try check(path.parent)
        }
        var identity = try directory.status.identity
        while true {
            if let kind = inUse.contains(identity) ? Kind.vault : StoreGuard.kind(of: directory) {
                throw VaultError(
                    .invalid,
                    "'\(path)' is in the directory of \(kind), which only MiniVault itself reads and changes.",
                    path: path)
            }
            let above = try OpenFile(path, at: directory, component: Array("..".utf8), flags: StoreGuard.flags)
            let next = try above.status.identity
            if next == identity { return }
            (directory, identity) = (above, next)
        }
    }

    /// `O_PATH` of open(2), which needs no right to read the directory, and `O_DIRECTORY`.
    private static let flags = 0o10000000 | O_DIRECTORY

    // MARK: The names that tell

    private static let catalog = "catalog.sqlite"
    private static let packs = "packs"
    private static let accounts = "server.sqlite"
    private static let certificate = "certificate.pem"
    private static let key = "key.pem"
    private static let vaults = "vaults"
    private static let workers = "workers"
    private static let cache = "cache"
    private static let names = [catalog, packs, accounts, certificate, key, vaults, workers, cache]

    private static func kind(of directory: OpenFile) -> Kind? {
        kind { name in
            LocalPath(name).withCString { faccessat(directory.descriptor, $0, F_OK, AT_SYMLINK_NOFOLLOW) == 0 }
        }
    }

    private static func kind(has: (String) -> Bool) -> Kind? {
        if has(catalog), has(packs) { return .vault }
        let hasIdentity = has(certificate) && has(key)
        if has(accounts), has(vaults) || hasIdentity { return .server }
        // One that keeps its vaults in engines has no accounts of its own.
        return hasIdentity && (has(workers) || has(cache)) ? .server : nil
    }
}

extension StoreGuard.Kind: CustomStringConvertible {
    package var description: String {
        switch self {
        case .vault: "a vault"
        case .server: "a server"
        }
    }
}
