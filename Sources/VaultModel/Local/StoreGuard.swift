import Glibc

/// Tells the directories of vaults and servers from those of users' files.
///
/// No operation on a tree saves, writes to or removes what is in one: a vault that saved itself would grow with each
/// push, and a pull would put an old index over the one that is in use.
package struct StoreGuard: Sendable {
    /// The owner of a directory.
    package enum Kind: Sendable {
        case vault
        case server
    }

    /// The vaults in use and their packs, which may be on a disk of their own: they are known by any path that leads to
    /// them, and whatever is in them.
    private let inUse: Set<FileIdentity>

    /// - Parameter vaults: those that the operation works on.
    package init(_ vaults: [any Vault] = []) {
        inUse = Set(
            vaults.compactMap(\.directory).flatMap { [$0, $0.appending(StoreGuard.packs)] }.compactMap {
                try? FileStatus(of: $0, followsLinks: true).identity
            })
    }

    /// The owner of a directory, by the names of what is in it; nil where it is a user's.
    func kind(of directory: TreeDirectory, holding children: [DirectoryListing.Child]) -> Kind? {
        if inUse.contains(directory.identity) { return .vault }
        let mayBe = children.contains { child in StoreGuard.hints.contains { child.name.elementsEqual($0.utf8) } }
        guard mayBe, let open = try? directory.open() else { return nil }
        return StoreGuard.kind(of: open)
    }

    /// The same, asking the system for the few names that tell.
    func kind(of directory: TreeDirectory) throws(VaultError) -> Kind? {
        if inUse.contains(directory.identity) { return .vault }
        return StoreGuard.kind(of: try directory.open())
    }

    /// Refuses the directory of a vault in use: whoever closes one of its files drops the locks that SQLite has on it.
    ///
    /// - Throws: `invalid`, naming it.
    func checkInUse(_ directory: LocalPath) throws(VaultError) {
        guard let identity = try? FileStatus(of: directory, followsLinks: true).identity, inUse.contains(identity)
        else { return }
        throw VaultError(
            .invalid, "'\(directory)' is the directory of a vault, which only MiniVault itself reads and changes.",
            path: directory)
    }

    /// Refuses a directory that is that of a vault or a server, or is in one. Where a server's hooks work is none.
    ///
    /// - Throws: `invalid`, naming the vault's or server's directory.
    package func check(_ path: LocalPath) throws(VaultError) {
        var directory: OpenFile
        do throws(VaultError) {
            directory = try OpenFile(path, flags: StoreGuard.flags)
        } catch {
            // A missing directory is made in the nearest directory above it.
            guard error.code == .notFound, path.parent != path else { return }
            return try check(path.parent)
        }
        var identity = try directory.status.identity
        var below: FileIdentity?
        while true {
            if let below, StoreGuard.identity(of: StoreGuard.workers, in: directory) == below { return }
            if let kind = inUse.contains(identity) ? Kind.vault : StoreGuard.kind(of: directory) {
                throw VaultError(
                    .invalid,
                    "'\(path)' is in the directory of \(kind), which only MiniVault itself reads and changes.",
                    path: path)
            }
            // Nobody can ask for the directory above one that cannot be searched.
            guard
                let above = try? OpenFile(path, at: directory, component: Array("..".utf8), flags: StoreGuard.flags),
                let next = try? above.status.identity, next != identity
            else { return }
            (directory, below, identity) = (above, identity, next)
        }
    }

    /// `O_PATH` of open(2), which needs no right to read the directory, and `O_DIRECTORY`.
    private static let flags = 0o10000000 | O_DIRECTORY

    // MARK: The names that tell

    private static let packs = "packs"
    private static let accounts = "server.sqlite"
    private static let vaults = "vaults"
    private static let shared = "shared"
    private static let workers = "workers"
    /// Each store has one of these.
    private static let hints = [packs, accounts, vaults, shared]

    private static func kind(of directory: OpenFile) -> Kind? {
        func has(_ name: String) -> Bool { identity(of: name, in: directory) != nil }
        // A vault that has lost its catalog is one all the more: its packs are all that is left.
        if has(packs), has("catalog.sqlite") || has("lock") && has("reserve") || hasPacks(directory) { return .vault }
        if has(accounts), has(vaults) || has("certificate.pem") && has("key.pem") { return .server }
        if has(vaults), hasVaults(directory) { return .server }
        // One that keeps its vaults in engines has no accounts of its own.
        let isOfEngines = has("shared/certificate.pem") && has("shared/key.pem")
        return isOfEngines && (has(workers) || has("cache")) ? .server : nil
    }

    /// Whether there is a pack where a vault has its packs.
    private static func hasPacks(_ directory: OpenFile) -> Bool {
        children(of: packs, in: directory).contains { part in
            part.utf8.count == 2
                && children(of: "\(packs)/\(part)", in: directory).contains {
                    $0.hasSuffix(".pack") && UniqueID($0.dropLast(5)) != nil
                }
        }
    }

    /// Whether there is a vault where a server has its vaults.
    private static func hasVaults(_ directory: OpenFile) -> Bool {
        children(of: vaults, in: directory).contains {
            UniqueID($0) != nil && identity(of: "\(vaults)/\($0)/\(packs)", in: directory) != nil
        }
    }

    private static func children(of name: String, in directory: OpenFile) -> [String] {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        guard
            let open = try? OpenFile(directory.path, at: directory, component: Array(name.utf8), flags: flags),
            let listing = try? DirectoryListing(open)
        else { return [] }
        return listing.names.map { String(decoding: $0, as: UTF8.self) }
    }

    private static func identity(of name: String, in directory: OpenFile) -> FileIdentity? {
        try? FileStatus(of: Array(name.utf8), in: directory).identity
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
