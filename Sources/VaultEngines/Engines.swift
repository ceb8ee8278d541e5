import Synchronization
package import VaultModel
package import VaultStore

/// The engines that many servers share: a PostgreSQL database for the catalogs of their vaults, and an object store for
/// the packs.
package final class Engines: Sendable {
    package let database: PostgresDatabase
    let store: S3Client
    private let cache: DiskChunkCache?
    private let clock: @Sendable () -> Int64
    /// Where they are, as people are told.
    package let place: String

    /// Opens both, looks whether they answer, and makes or updates the tables of the database.
    ///
    /// - Parameters:
    ///   - catalog: a connection URI of libpq.
    ///   - packs: `s3://bucket/prefix`.
    ///   - environment: the variables that name the object store's endpoint, region and credentials.
    ///   - directories: where the files of AWS's programs are; nil for where `environment` says.
    ///   - cache: keeps what is read often near; nil for none.
    ///   - clock: seconds since 1970 UTC; nil for the database's clock, by which all servers live.
    package static func open(
        catalog: String, packs: String, environment: [String: String], directories: UserDirectories? = nil,
        cache: DiskChunkCache? = nil, clock: (@Sendable () -> Int64)? = nil
    ) async throws(VaultError) -> Engines {
        let location = try S3Location(packs, environment: environment, directories: directories)
        let database = try await PostgresDatabase.open(catalog)
        do throws(VaultError) {
            let shared = try await EngineClock(database)
            let clock = clock ?? { shared.now }
            let store = try S3Client(location, clock: currentSeconds)
            do throws(VaultError) {
                try await store.look()
            } catch {
                await store.close()
                throw error
            }
            return Engines(database, store, cache, clock, place: location.place)
        } catch {
            database.close()
            throw error
        }
    }

    private init(
        _ database: PostgresDatabase, _ store: S3Client, _ cache: DiskChunkCache?,
        _ clock: @escaping @Sendable () -> Int64, place: String
    ) {
        self.database = database
        self.store = store
        self.cache = cache
        self.clock = clock
        self.place = place
    }

    /// Looks whether both answer.
    package func look() async throws(VaultError) {
        try database.look()
        try await store.look()
    }

    /// Makes a vault; one that is there stays as it is.
    package func makeVault(_ id: UniqueID, savedBy: String = "") async throws(VaultError) -> StoredVault {
        vault(try await database.makeCatalog(id), savedBy)
    }

    /// - Throws: `notFound` for a vault that is not there.
    package func vault(_ id: UniqueID, savedBy: String = "") async throws(VaultError) -> StoredVault {
        vault(try await database.catalog(id), savedBy)
    }

    private func vault(_ catalog: PostgresCatalog, _ savedBy: String) -> StoredVault {
        StoredVault(
            catalog.vault, catalog: catalog, packs: S3PackStore(store, vault: catalog.vault),
            place: "\(place)\(catalog.vault)", savedBy: savedBy, cache: cache, clock: clock)
    }

    /// Removes a vault with all that is in it; one that is not there is no error.
    package func removeVault(_ id: UniqueID) async throws(VaultError) {
        // What is no longer in the catalog nobody reads; what a crash leaves of the objects, the next try removes.
        try await database.removeCatalog(id)
        let packs = S3PackStore(store, vault: id)
        _ = try await packs.delete(Array(try await packs.list().keys)) { Set($0) }
    }

    /// The small tables of those who share the engines.
    package func tables() throws(VaultError) -> PostgresTables { try database.tables() }

    /// Seconds since 1970 UTC, the same for all who share the engines.
    package var time: @Sendable () -> Int64 { clock }

    package func close() async {
        database.close()
        await store.close()
    }
}

/// The database's clock, read once a minute and carried on by this machine's monotonic one: who shares vaults shares the
/// time, whatever the clocks of their machines say.
private final class EngineClock: Sendable {
    private let reading: Mutex<(time: Int64, at: ContinuousClock.Instant)>

    init(_ database: PostgresDatabase) async throws(VaultError) {
        reading = Mutex((try await database.time(), .now))
        Task { [weak self] in
            while true {
                do { try await Task.sleep(for: .seconds(EngineLimits.clockSeconds)) } catch { return }
                guard let self else { return }
                guard let time = try? await database.time() else { continue }
                self.reading.withLock { $0 = (time, .now) }
            }
        }
    }

    var now: Int64 { reading.withLock { $0.time + ($0.at.duration(to: .now)).components.seconds } }
}
