package import VaultModel

/// What a vault in a directory has besides its catalog and its packs.
struct VaultHome: Sendable {
    let directory: LocalPath
    let reserve: DiskReserve
    let use: VaultUse
}

extension StoredVault {
    package var directory: LocalPath? { home?.directory }

    /// Opens the vault in `directory`.
    ///
    /// - Parameters:
    ///   - savedBy: who is named as the saver of new versions.
    ///   - clock: seconds since 1970 UTC.
    /// - Throws: `notFound` where there is no vault and none may be made, `integrity` where packs have
    ///   lost their catalog or it is damaged, `invalid` for a newer format or a directory with
    ///   something else in it, `denied` where permissions forbid.
    package static func open(
        _ directory: LocalPath, access: Access = .readWrite, savedBy: String = "",
        files: any StoreFiles = SystemFiles(), clock: @escaping @Sendable () -> Int64 = currentSeconds
    ) async throws(VaultError) -> StoredVault {
        guard !directory.bytes.isEmpty, !directory.bytes.contains(0) else {
            throw VaultError(.invalid, "'\(directory)' is not the path of a directory.", path: directory)
        }
        let layout = VaultLayout(directory)
        var state = try layout.state
        if state == .packsOnly {
            // Unless a repair is just about to put the new catalog there.
            try VaultUse(layout.lock, isExclusive: false, isReadOnly: access == .readOnly).end()
            state = try layout.state
        }
        switch (state, access) {
        case (.vault, _): break
        case (.absent, .create): try layout.make(files)
        case (.absent, _):
            throw .noVault(in: directory)
        case (.packsOnly, _):
            throw VaultError(
                .integrity,
                "The vault in '\(directory)' has lost its catalog: run 'minivault verify --repair' to rebuild it.",
                path: directory)
        case (.other, _):
            throw VaultError(
                .invalid, "'\(directory)' is not empty and holds no vault.", path: directory)
        }
        let use = try VaultUse(layout.lock, isExclusive: false, isReadOnly: access == .readOnly)
        let hasPacks = try layout.hasPacks
        let reserve = DiskReserve(layout.reserve)
        func openCatalog() async throws(VaultError) -> SQLiteCatalog {
            try await SQLiteCatalog(
                layout.catalog, files: files, creating: access == .create && !hasPacks ? UniqueID() : nil,
                isReadOnly: access == .readOnly)
        }
        let catalog: SQLiteCatalog
        let reserved = reserve.size
        if access != .readOnly { reserve.makeRoomToOpen() }
        defer { if reserve.size < reserved { reserve.fill(before: reserved) } }
        do throws(VaultError) {
            catalog = try await openCatalog()
        } catch {
            // On a full disk SQLite may lack the few pages that it needs to open a file at all.
            guard error.code == .quota, access != .readOnly, reserve.giveUp(StoreLimits.reserveBytesMin) else {
                throw error
            }
            catalog = try await openCatalog()
        }
        return StoredVault(
            catalog.vault, catalog, DirectoryPackStore(layout.packs, vault: catalog.vault, files: files),
            place: "\(directory)",
            home: VaultHome(directory: directory, reserve: reserve, use: use), access: access,
            savedBy: savedBy, clock: clock)
    }

    /// Whether there is a vault in `directory`, or what is left of one.
    package static func isPresent(in directory: LocalPath) throws(VaultError) -> Bool {
        switch try VaultLayout(directory).state {
        case .vault, .packsOnly: true
        case .absent, .other: false
        }
    }

    /// Makes a vault in `directory`, which is made too where it is missing.
    ///
    /// - Throws: `exists` where there is a vault, `integrity` where one has lost its catalog, `invalid` for an empty
    ///   path and for a directory with something else in it, `denied` where permissions forbid.
    package static func make(in directory: LocalPath) async throws(VaultError) {
        if directory.bytes.isEmpty { throw VaultError(.invalid, "A vault's directory has a name.", path: directory) }
        if try VaultLayout(directory).state == .vault {
            throw VaultError(.exists, "There is a vault in '\(directory)' already.", path: directory)
        }
        try await open(directory, access: .create).close()
    }

    /// Runs a change that makes room in the end; on a full disk with the room that is kept for it.
    func makingRoom<Value: Sendable>(
        _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        guard let home else { return try await body() }
        return try await home.reserve.duringChange(body)
    }
}

extension VaultError {
    static func noVault(in directory: LocalPath) -> VaultError {
        VaultError(
            .notFound,
            "There is no vault in '\(directory)': 'minivault init' makes one, unless the path is mistyped or its disk is not "
                + "mounted.", path: directory)
    }
}
