import ArgumentParser
import VaultAccess
import VaultModel

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a vault in a directory.",
        discussion: """
            Only the vault that is used when none is named is made by itself, so that a mistyped path or a disk that is not \
            mounted never becomes an empty vault. On a server, 'minivault user add' makes vaults.
            """)

    @Argument(help: "The directory; the vault that is used when none is named, without one.")
    var directory: String?
    @Option(help: ArgumentHelp("The same as the argument, as with other commands.", valueName: "vault"))
    var vault: String?
    @Flag(name: .shortAndLong, help: "Tell only errors.")
    var quiet = false

    func validate() throws {
        if directory != nil, vault != nil {
            throw ValidationError("Name one directory, by the argument or by --vault.")
        }
    }

    func run() async throws {
        let word = (directory ?? vault).map { CommandText.bytes($0) }
        let made = try await BlockingExecutor.run { () async throws(VaultError) in try await VaultLocation.make(word) }
        if !quiet { Output.note("minivault: made the vault in '\(made)'.") }
    }
}
