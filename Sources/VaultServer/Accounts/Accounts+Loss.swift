package import VaultModel
package import VaultStore

/// Accounts that are lost beside their vaults, and vaults that the accounts do not know.
extension Accounts {
    /// The vaults in a data directory whose accounts are lost, in the order of their ids; none while accounts are there.
    package static func vaultsWithoutAccounts(in directory: LocalPath) throws(VaultError) -> [UniqueID] {
        if try holdsSomething(directory.appending("server.sqlite")) { return [] }
        return try DirectoryPlaces(directory).ids()
    }

    /// The vaults that are there and that the accounts do not know, in the order of their ids.
    ///
    /// A vault that is being made or removed, or whose making or removal was cut short, is none of them.
    package func orphanedVaults() async throws(VaultError) -> [UniqueID] {
        // One that appears meanwhile is known afterwards, and one that goes was known before.
        let before = try knownIDs()
        let there = try await places.ids()
        let known = before.union(try knownIDs())
        return there.filter { !known.contains($0.description) }
    }

    /// Names an orphaned vault, and grants it in full to the user of that name, if there is one.
    ///
    /// - Returns: whether there is such a user.
    /// - Throws: `notFound` for a vault that is not there, `exists` for one that has a name and for a name that is taken,
    ///   `integrity` for a vault that does not open or whose catalog and packs do not belong together.
    package func adoptVault(_ id: UniqueID, as name: UserName) async throws(VaultError) -> Bool {
        let now = clock()
        return try await changingVaults { () async throws(VaultError) in
            try await Accounts.requireSound(id, in: places)
            return try write { session in
                if let known = try session.first("SELECT name FROM vault WHERE id = ?", [.text("\(id)")]) {
                    throw VaultError(
                        .exists, "The vault \(id) is no orphan: its name is '\(printable(known.text(0)))'.")
                }
                guard try session.first("SELECT 1 FROM vault WHERE name = ?", [.text(name.text)]) == nil else {
                    throw VaultError(.exists, "There is a vault '\(name)' already: give \(id) another name.")
                }
                try session.execute(
                    "INSERT INTO vault (id, name, created_at) VALUES (?, ?, ?)",
                    [.text("\(id)"), .text(name.text), .int(now)])
                let user = try session.first("SELECT 1 FROM \"user\" WHERE name = ?", [.text(name.text)])
                if user != nil {
                    try Accounts.put(Grant(prefix: .all, rights: .full), of: name.text, in: "\(id)", session)
                }
                let event = AuditEvent(
                    .vaultAdopted, user: user == nil ? "" : name.text, detail: "\(name): \(id)", time: now)
                try Accounts.record(event, session)
                return user != nil
            }
        }
    }

    /// Looks whether a vault opens, and whether its catalog and its packs are those of one vault. Changes nothing.
    ///
    /// - Throws: why it is not sound; `notFound` where it is not there.
    package static func requireSound(_ id: UniqueID, in places: any VaultPlaces) async throws(VaultError) {
        let vault = try await places.open(id.description, access: .readOnly)
        do {
            try await vault.checkIdentity()
        } catch {
            await vault.close()
            throw error
        }
        await vault.close()
    }

    /// Whether there is a file that is not empty.
    static func holdsSomething(_ path: LocalPath) throws(VaultError) -> Bool {
        guard try isThere(path) else { return false }
        return try FileStatus(of: path).size > 0
    }

    static func isThere(_ path: LocalPath) throws(VaultError) -> Bool {
        do throws(VaultError) {
            _ = try FileStatus(of: path)
            return true
        } catch  where error.code == .notFound {
            return false
        }
    }

    /// Refuses to begin anew where vaults tell that there have been accounts.
    ///
    /// - Parameter isThere: asked after the vaults have been found, since another process may have made both just now.
    static func refuseLoss(
        of path: LocalPath, in directory: LocalPath, unless isThere: () throws(VaultError) -> Bool
    ) throws(VaultError) {
        let count = try DirectoryPlaces(directory).ids().count
        if count == 0 { return }
        if try isThere() { return }
        throw VaultError(
            .integrity,
            "'\(path)' is lost, which held the users of this server and the names of its vaults; the vaults are there "
                + "(\(count)). Restore the file from a backup. To go on without one, name the vaults again by 'minivault "
                + "user adopt-vault ID NAME --data \(directory)', which makes new accounts, and add the users again; "
                + "'minivault user vaults --data \(directory)' lists the ids.", path: path)
    }

    private func knownIDs() throws(VaultError) -> Set<String> {
        try read { session in
            Set(try session.rows("SELECT id FROM vault UNION SELECT id FROM unfinished_vault").map { $0.text(0) })
        }
    }
}
