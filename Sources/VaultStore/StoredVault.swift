import Synchronization
package import VaultModel

/// A vault whose records are in packs and whose index is a catalog: in a directory, or in other engines.
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

    /// Where the vault is, as people are told.
    package let place: String
    let id: UniqueID
    let catalog: any Catalog
    let packs: any PackStore
    /// Nil for a vault in other engines.
    let home: VaultHome?
    /// Nil where nothing is fetched from far away.
    let cache: (any ChunkCache)?
    let ahead = ReadAhead()
    let committer: Committer
    /// Who changes the vault, where an operation does not say.
    let caller: Caller
    let access: Access
    let clock: @Sendable () -> Int64
    let uploads = Mutex<[UploadID: UploadState]>([:])
    let reads = Mutex<[ReadID: ReadState]>([:])
    let lease = LeaseHolder()
    let adoption = AsyncLock()
    let hasAdopted = Atomic<Bool>(false)
    let waste = WasteWatch()

    /// - Parameters:
    ///   - id: the vault's identity, which is in the header of every record.
    ///   - place: where the vault is, as people are told.
    ///   - savedBy: who is named as the saver of new versions.
    ///   - cache: keeps what is read often near; nil for none.
    ///   - clock: seconds since 1970 UTC, the same for all who use the vault.
    package convenience init(
        _ id: UniqueID, catalog: any Catalog, packs: any PackStore, place: String, savedBy: String = "",
        cache: (any ChunkCache)? = nil, clock: @escaping @Sendable () -> Int64
    ) {
        self.init(
            id, catalog, packs, place: place, home: nil, cache: cache, access: .readWrite, savedBy: savedBy,
            clock: clock)
    }

    init(
        _ id: UniqueID, _ catalog: any Catalog, _ packs: any PackStore, place: String, home: VaultHome?,
        cache: (any ChunkCache)? = nil, access: Access, savedBy: String, clock: @escaping @Sendable () -> Int64
    ) {
        self.id = id
        self.catalog = catalog
        self.packs = packs
        self.place = place
        self.home = home
        self.cache = cache
        self.access = access
        caller = Caller(user: savedBy)
        self.clock = clock
        committer = Committer(catalog: catalog, packs: packs, clock: clock)
    }

    package func close() async {
        await endLeases()
        await packs.close()
        await catalog.close()
        home?.use.end()
    }
}

/// The time, seconds since 1970 UTC.
package func currentSeconds() -> Int64 {
    currentNanoseconds() / 1_000_000_000
}
