import ArgumentParser
import Glibc
import VaultModel
import VaultServer
import VaultStore

#if Engines
    import VaultEngines
#endif

/// The options that name a server's data directory, and the engines that it shares with others.
struct DataOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The server's data directory.", valueName: "directory"))
    var data: String?
    #if Engines
        @Option(
            help: ArgumentHelp(
                "Keep accounts and catalogs in this PostgreSQL database, which other servers use too.",
                valueName: "postgres://..."))
        var catalog: String?
        @Option(
            help: ArgumentHelp(
                "Keep packs in this object store; AWS_* variables name its endpoint, region and keys.",
                valueName: "s3://bucket/prefix"))
        var packs: String?

        func validate() throws {
            // Everybody on the machine can list the arguments of a process.
            if let catalog, PostgresDatabase.hasSecret(catalog) {
                throw ValidationError(
                    """
                    --catalog holds a password, which everybody on this machine can see: take it out of there, and give it \
                    in a file that PGPASSFILE names (host:port:database:user:password, mode 600), or in PGPASSWORD.
                    """)
            }
            if (catalog == nil) != (packs == nil) { throw ValidationError("--catalog and --packs go together.") }
        }
    #endif

    /// The directory that is named, or `$XDG_DATA_HOME/minivault/server`.
    var directory: LocalPath {
        get throws(VaultError) {
            if let data { return CommandText.path(data) }
            return try UserDirectories.current.dataHome.appending("minivault/server")
        }
    }

    /// Whether it names engines.
    var isShared: Bool {
        #if Engines
            catalog != nil
        #else
            false
        #endif
    }

    /// The accounts in the engines that are named; nil for none.
    ///
    /// - Parameter cacheBytes: how much of what is read often is kept in the data directory.
    func openShared(cacheBytes: UInt64? = nil) async throws(VaultError) -> Accounts? {
        #if Engines
            guard let catalog, let packs else { return nil }
            var kept: DiskChunkCache?
            if let cacheBytes {
                kept = try DiskChunkCache(directory.appending("cache"), bytesMax: Int(clamping: cacheBytes))
            }
            let engines = try await Engines.open(
                catalog: CommandText.text(catalog), packs: CommandText.text(packs),
                environment: ProcessEnvironment.variables, directories: .current, cache: kept)
            return try Accounts(try engines.tables(), EnginePlaces(engines), clock: engines.time)
        #else
            return nil
        #endif
    }

    /// Opens the accounts to name a vault again that they do not know; makes new ones where they are lost.
    ///
    /// - Throws: `notFound` or `integrity` where the vault is not there or not sound; nothing is made then.
    func open(adopting vault: UniqueID) async throws(VaultError) -> Accounts {
        if let shared = try await openShared() { return shared }
        let directory = try directory
        try await Accounts.requireSound(vault, in: DirectoryPlaces(directory))
        return try Accounts.open(directory, besideVaults: true)
    }

    /// Opens the accounts; making them where a directory was mistyped would only hide that.
    func open(creating: Bool = false) async throws(VaultError) -> Accounts {
        if let shared = try await openShared() { return shared }
        return try Accounts.open(directory, creating: creating)
    }
}
