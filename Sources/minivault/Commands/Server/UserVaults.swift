import ArgumentParser
import VaultModel
import VaultServer
import VaultStore

struct UserVaults: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vaults", abstract: "List the vaults of a server with their places.")

    @OptionGroup var data: DataOptions

    func run() async throws {
        let accounts = try await data.open()
        for vault in try accounts.vaults() {
            Output.line(
                [vault.name, accounts.places.place(of: vault.id)].joined(
                    separator: Output.isTerminal ? "  " : "\t"))
        }
    }
}

struct UserAddVault: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-vault", abstract: "Make a vault that is nobody's own; 'user grant' lets users use it.")

    @OptionGroup var data: DataOptions
    @Argument(help: "The name, made like a user's.")
    var name: String
    @Option(help: ArgumentHelp("How much it may store, such as 10G.", valueName: "size"))
    var quota: ByteSize?

    func run() async throws {
        let name = try UserName(name)
        try await data.open(creating: true).addVault(name, quota: quota?.bytes)
        Output.note("The vault '\(name)' is there: let users use it by 'minivault user grant USER \(name) RIGHTS'.")
    }
}

struct UserRemoveVault: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-vault",
        abstract: "Remove a vault with all versions of all that is in it; open sessions end at once.")

    @OptionGroup var data: DataOptions
    @Argument var name: String

    func run() async throws {
        try await data.open().removeVault(name)
        Output.note("The vault '\(printable(name))' is removed.")
    }
}

struct UserQuota: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quota", abstract: "Set how much a vault may store.")

    @OptionGroup var data: DataOptions
    @Argument(help: "The vault's name.")
    var vault: String
    @Argument(help: "A size such as 10G, or 'none'.")
    var size: String

    func run() async throws {
        let size = size == "none" ? nil : ByteSize(argument: size)
        if self.size != "none", size == nil {
            throw ValidationError("'\(printable(self.size))' is not a size: give '10G', '500M' or 'none'.")
        }
        try await data.open().setQuota(size?.bytes, of: vault)
        Output.note(
            "The vault '\(printable(vault))' may store \(size.map { Format.bytes($0.bytes) } ?? "without limit").")
    }
}
