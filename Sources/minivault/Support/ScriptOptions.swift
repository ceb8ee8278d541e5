import ArgumentParser
import VaultAccess
import VaultLua
import VaultModel

/// What the commands that run Lua have in common: the vault that it acts on.
struct ScriptOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("The vault: a directory, or minivault://[user@]host[:port][/vault].", valueName: "vault"))
    var vault: String?
    @Option(help: ArgumentHelp("Send and receive no more than this a second, such as 2M.", valueName: "size"))
    var bandwidth: ByteSize?

    /// Opens the vaults that Lua code asks for, and tells on standard error what it has to tell.
    ///
    /// - Parameters:
    ///   - prefix: what each line of that begins with.
    ///   - draw: shows the progress of transfers.
    ///   - whenOpened: called when a vault has been opened: the sockets of one on a server let no broken pipe be noticed.
    func host(
        prefix: String = "minivault: ", draw: (@Sendable (TransferMeter?) -> Void)? = nil,
        whenOpened: @escaping @Sendable () -> Void = {}
    ) -> ScriptSession.Host {
        let (vault, remote) = (vault, RemoteLocation.Choices(bandwidth: bandwidth?.bytes) { Output.note(prefix + $0) })
        return ScriptSession.Host(
            open: { () async throws(VaultError) in
                let vault = try await VaultLocation.open(vault, for: .fill, remote: remote)
                whenOpened()
                return vault
            },
            connect: { (url) async throws(VaultError) in
                let vault = try await VaultLocation.open(url, for: .fill, remote: remote)
                whenOpened()
                return vault
            },
            log: { level, text in Output.note("\(prefix)\(level.rawValue): \(text)") },
            tell: { text in Output.note(prefix + text) }, draw: draw)
    }
}
