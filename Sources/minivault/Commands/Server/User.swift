import ArgumentParser
import VaultLua
import VaultModel
import VaultServer
import VaultWire

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Manage who may use a server, while it runs or not.",
        subcommands: [
            UserAdd.self, UserRemove.self, UserList.self, UserPassword.self, UserGrant.self, UserRevoke.self,
            UserKeys.self, UserForgetKey.self, UserVaults.self, UserAddVault.self, UserAdoptVault.self,
            UserRemoveVault.self, UserQuota.self,
        ])
}

struct UserAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Make a user, with a vault of the same name that is the user's own.")

    @OptionGroup var data: DataOptions
    @Argument(help: "The name: letters from a to z, digits, '.', '_' and '-'.")
    var name: String
    @Option(help: ArgumentHelp("How much the vault may store, such as 10G.", valueName: "size"))
    var quota: ByteSize?
    @Option(help: ArgumentHelp("A file whose first line is the password.", valueName: "file"))
    var passwordFile: String?

    func run() async throws {
        let user = try UserName(name)
        let accounts = try await data.open(creating: true)
        if try accounts.credentials(for: user.text).isKnown {
            throw VaultError(.exists, "There is a user \(user) already: change the password with 'user passwd'.")
        }
        let password = try PasswordPrompt.newPassword(of: user, file: passwordFile)
        let isNew = try await accounts.addUser(user, Accounts.credentials(of: password), quota: quota?.bytes)
        Output.note(
            isNew
                ? "\(user) may log in, and has the new vault '\(user)'."
                : "\(user) may log in, and has the vault '\(user)', which was there already, with all that is in it.")
        Output.note("On \(user)'s computer: minivault login minivault://\(user)@HOST")
    }
}

struct UserRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a user; open sessions end at once. The vaults stay.")

    @OptionGroup var data: DataOptions
    @Argument var name: String
    @Flag(help: "Remove the user's own vault too, with all versions of all that is in it.")
    var withVault = false

    func run() async throws {
        let user = try UserName(name)
        let accounts = try await data.open()
        try accounts.removeUser(user)
        Output.note("\(user) may no longer log in.")
        guard let vault = try accounts.vault(named: user.text) else { return }
        if withVault {
            try await accounts.removeVault(vault.name)
            Output.note("The vault '\(vault.name)' is removed.")
        } else {
            Output.note(
                "The vault '\(vault.name)' stays; 'minivault user remove-vault \(vault.name)' removes it, and a new "
                    + "user \(user) would get it.")
        }
    }
}

struct UserList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List users with what they may do and from which devices.")

    @OptionGroup var data: DataOptions
    @Flag(help: "Print one JSON object a user.")
    var json = false

    func run() async throws {
        for user in try await data.open().users() {
            if json {
                Output.line(Format.json(user).text)
                continue
            }
            Output.line(user.name)
            for (vault, grant) in user.access { Output.line("  vault \(vault): \(grant)") }
            for key in user.keys {
                Output.line("  device \(key.label), since \(Format.time(key.enrolledAt)), \(key.fingerprint)")
            }
        }
    }
}

struct UserPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "passwd", abstract: "Give a user another password.")

    @OptionGroup var data: DataOptions
    @Argument var name: String
    @Option(help: ArgumentHelp("A file whose first line is the password.", valueName: "file"))
    var passwordFile: String?

    func run() async throws {
        let user = try UserName(name)
        let accounts = try await data.open()
        guard try accounts.credentials(for: user.text).isKnown else {
            throw VaultError(.notFound, "There is no user \(user).")
        }
        let password = try PasswordPrompt.newPassword(of: user, file: passwordFile)
        try accounts.setPassword(of: user, Accounts.credentials(of: password))
        Output.note("The password of \(user) is changed. Devices that are enrolled stay so: see 'user forget-key'.")
    }
}

struct UserGrant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grant", abstract: "Let a user do something in a vault, everywhere or below a prefix.")

    @OptionGroup var data: DataOptions
    @Argument var user: String
    @Argument(help: "The vault's name.")
    var vault: String
    @Argument(help: "'full', or some of read, save, remove and append, with commas between.")
    var rights: String
    @Option(help: ArgumentHelp("Only below this prefix.", valueName: "prefix"))
    var prefix: String?

    func run() async throws {
        let grant = Grant(prefix: try CommandText.prefix(prefix), rights: try Rights(rights))
        try await data.open().grant(grant, to: try UserName(user), in: vault)
        Output.note("\(user) may now, in the vault '\(printable(vault))': \(grant)")
    }
}

struct UserRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Take back what a user may do in a vault; open sessions lose it at once.")

    @OptionGroup var data: DataOptions
    @Argument var user: String
    @Argument(help: "The vault's name.")
    var vault: String
    @Option(
        help: ArgumentHelp(
            "Only what was granted by this prefix; '/' for what was granted everywhere.", valueName: "prefix"))
    var prefix: String?

    func run() async throws {
        try await data.open().revoke(
            try prefix.map { try CommandText.prefix($0) }, of: try UserName(user), in: vault)
        Output.note("Taken back from \(user) in the vault '\(printable(vault))'.")
    }
}
