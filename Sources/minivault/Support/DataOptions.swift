import ArgumentParser
import Glibc
import VaultAccess
import VaultModel
import VaultServer

/// The option that names a server's data directory.
struct DataOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The server's data directory.", valueName: "directory"))
    var data: String?

    /// The directory that is named, or `$XDG_DATA_HOME/minivault/server`.
    var directory: LocalPath {
        data.map { CommandText.path($0) } ?? VaultLocation.dataHome.appending("minivault/server")
    }

    /// Opens the accounts there; making them where a name was mistyped would only hide that.
    func open(creating: Bool = false) throws(VaultError) -> Accounts {
        try Accounts.open(directory, creating: creating)
    }
}
