import ArgumentParser
import Glibc
import VaultAccess
import VaultModel
import VaultServer

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

        @Option(
            help: ArgumentHelp(
                "Keep up to so much of what is read from the object store again and again in DATA/cache, such as 10G.",
                valueName: "size"))
        var cache: ByteSize?

        func validate() throws {
            if cache != nil, packs == nil { throw ValidationError("--cache is for --packs.") }
            if (catalog == nil) != (packs == nil) { throw ValidationError("--catalog and --packs go together.") }
        }
    #endif

    /// The directory that is named, or `$XDG_DATA_HOME/minivault/server`.
    var directory: LocalPath {
        data.map { CommandText.path($0) } ?? VaultLocation.dataHome.appending("minivault/server")
    }

    /// The accounts in the engines that are named; nil for none.
    func openShared() async throws(VaultError) -> Accounts? {
        #if Engines
            guard let catalog, let packs else { return nil }
            var kept: DiskChunkCache?
            if let cache {
                kept = try DiskChunkCache(directory.appending("cache"), bytesMax: Int(clamping: cache.bytes))
            }
            let engines = try await Engines.open(
                catalog: catalog, packs: packs, environment: environment, cache: kept)
            return try Accounts(try engines.tables(), EnginePlaces(engines), clock: engines.time)
        #else
            return nil
        #endif
    }

    /// Opens the accounts; making them where a directory was mistyped would only hide that.
    func open(creating: Bool = false) async throws(VaultError) -> Accounts {
        if let shared = try await openShared() { return shared }
        return try Accounts.open(directory, creating: creating)
    }

    #if Engines
        private var environment: [String: String] { ProcessEnvironment.variables }
    #endif
}
