import ArgumentParser
import VaultLua
import VaultModel
import VaultServer

struct UserKeys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "List the devices that may log in as a user without the password.")

    @OptionGroup var data: DataOptions
    @Argument var user: String
    @Flag(help: "Print one JSON object a device.")
    var json = false

    func run() async throws {
        let name = try UserName(user)
        guard let user = try await data.open().users().first(where: { $0.name == name.text }) else {
            throw VaultError(.notFound, "There is no user \(name).")
        }
        for key in user.keys {
            if json {
                Output.line(Format.json(key).text)
                continue
            }
            Output.line(
                [key.fingerprint, Format.time(key.enrolledAt), key.label].joined(
                    separator: Output.isTerminal ? "  " : "\t"))
        }
    }
}

struct UserForgetKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget-key", abstract: "Take a device's key away; its open sessions end at once.")

    @OptionGroup var data: DataOptions
    @Argument var user: String
    @Argument(help: "The key's fingerprint as 'user list' shows it, or its beginning.")
    var key: String

    func run() async throws {
        try await data.open().removeKey(key, of: try UserName(user))
        Output.note("The device may no longer log in as \(user) by its key.")
    }
}
