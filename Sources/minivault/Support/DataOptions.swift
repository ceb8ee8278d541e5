import ArgumentParser
import Glibc
import VaultModel

/// The option that names a server's data directory.
struct DataOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The server's data directory.", valueName: "directory"))
    var data: String?

    /// The directory that is named, or `$XDG_DATA_HOME/minivault/server`.
    var directory: LocalPath {
        data.map { CommandText.path($0) } ?? VaultLocation.dataHome.appending("minivault/server")
    }
}
