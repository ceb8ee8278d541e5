import ArgumentParser
import VaultLua
import VaultModel
import VaultServer
import VaultStore

struct UserVaults: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vaults",
        abstract: "List the vaults of a server with their places, and those that have lost their name.")

    @OptionGroup var data: DataOptions
    @Flag(help: "Print one JSON object a vault.")
    var json = false

    func run() async throws {
        let lost = data.isShared ? [] : try Accounts.vaultsWithoutAccounts(in: data.directory)
        guard lost.isEmpty else {
            let directory = try data.directory
            tell(orphans: lost, in: DirectoryPlaces(directory))
            return Output.note("The accounts of these vaults, '\(directory.appending("server.sqlite"))', are lost.")
        }
        let accounts = try await data.open()
        for vault in try accounts.vaults() { tell(vault.name, vault.id, accounts.places) }
        tell(orphans: try await accounts.orphanedVaults(), in: accounts.places)
    }

    private func tell(orphans: [UniqueID], in places: any VaultPlaces) {
        for id in orphans { tell(nil, id.description, places) }
        if !orphans.isEmpty {
            Output.note(
                "Nobody can use a vault without a name: 'minivault user adopt-vault ID NAME' gives it one, the id being the "
                    + "last part of its place.")
        }
    }

    private func tell(_ name: String?, _ id: String, _ places: any VaultPlaces) {
        let place = places.place(of: id)
        Output.line(
            json
                ? Format.json(vault: name, id: id, place: place).text
                : [name ?? "(orphaned)", place].joined(separator: Output.isTerminal ? "  " : "\t"))
    }
}

struct UserAdoptVault: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt-vault", abstract: "Name a vault again that the accounts do not know.",
        discussion: """
            'minivault user vaults' lists the ids of such vaults: those of a server whose accounts are lost, or were restored \
            from a backup older than the vault. Where the accounts are lost, new ones are made, and a user is added by \
            'minivault user add'. The vault is granted in full to the user of its name, if there is one.
            """)

    @OptionGroup var data: DataOptions
    @Argument(help: "The vault's id, 32 hexadecimal digits.")
    var id: String
    @Argument(help: "The name, made like a user's.")
    var name: String

    func validate() throws {
        if UniqueID(id) == nil {
            throw ValidationError(
                "'\(printable(id))' is not a vault's id, 32 hexadecimal digits: 'minivault user vaults' lists them.")
        }
    }

    func run() async throws {
        guard let id = UniqueID(id) else { return }
        let name = try UserName(name)
        let isLost = try !data.isShared && !Accounts.vaultsWithoutAccounts(in: data.directory).isEmpty
        let accounts = try await data.open(adopting: id)
        if isLost {
            Output.note("The accounts were lost, and new ones are made: add the users by 'minivault user add'.")
        }
        Output.note(
            try await accounts.adoptVault(id, as: name)
                ? "The vault \(id) is '\(name)' again, granted in full to the user \(name)."
                : "The vault \(id) is '\(name)' again: 'minivault user add \(name)' makes a user for it, 'minivault user "
                    + "grant USER \(name) RIGHTS' lets others use it.")
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
