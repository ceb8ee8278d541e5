import Glibc
import Synchronization
package import VaultModel

/// A vault in a directory of this machine: packs hold what is saved, a catalog finds it.
///
/// Several processes may use one vault at once. Operations block in system calls, so callers prefer a
/// `BlockingExecutor`.
package final class StoredVault: Vault {
    package enum Access: Sendable {
        /// Opens a vault, and makes one where the directory is empty or not there.
        case create
        case readWrite
        case readOnly
    }

    package let directory: LocalPath
    let id: UniqueID
    let catalog: any Catalog
    let packs: any PackStore
    let files: any StoreFiles
    let committer: Committer
    /// Who changes the vault, where an operation does not say.
    let caller: Caller
    let access: Access
    let clock: @Sendable () -> Int64
    let uploads = Mutex<[UploadID: UploadState]>([:])
    let reads = Mutex<[ReadID: ReadState]>([:])
    let lease = LeaseHolder()
    let reserve: DiskReserve
    let adoption = AsyncLock()
    let hasAdopted = Atomic<Bool>(false)
    private let use: VaultUse

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
            throw VaultError(.notFound, "There is no vault in '\(directory)'.", path: directory)
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
        let catalog = try await SQLiteCatalog(
            layout.catalog, files: files, creating: access == .create && !hasPacks ? UniqueID() : nil,
            isReadOnly: access == .readOnly)
        return StoredVault(layout, catalog, access: access, savedBy: savedBy, files: files, clock: clock, use: use)
    }

    private init(
        _ layout: VaultLayout, _ catalog: SQLiteCatalog, access: Access, savedBy: String,
        files: any StoreFiles, clock: @escaping @Sendable () -> Int64, use: VaultUse
    ) {
        directory = layout.directory
        id = catalog.vault
        self.catalog = catalog
        packs = DirectoryPackStore(layout.packs, vault: catalog.vault, files: files)
        self.access = access
        self.files = files
        caller = Caller(user: savedBy)
        self.clock = clock
        self.use = use
        reserve = DiskReserve(layout.reserve)
        committer = Committer(catalog: catalog, packs: packs, vault: catalog.vault, clock: clock)
    }

    package func close() async {
        await endLeases()
        await packs.close()
        await catalog.close()
        use.end()
    }
}

/// The time, seconds since 1970 UTC.
package func currentSeconds() -> Int64 {
    currentNanoseconds() / 1_000_000_000
}
