import VaultAccess
import VaultLua
import VaultModel

extension VaultOptions {
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
        let (vault, remote) = (place, remote)
        return ScriptSession.Host(
            open: { () async throws(VaultError) in
                let vault = try await VaultLocation.open(vault, for: .change, remote: remote)
                whenOpened()
                return vault
            },
            connect: { (url) async throws(VaultError) in
                let vault = try await VaultLocation.open(url, for: .change, remote: remote)
                whenOpened()
                return vault
            },
            make: { (url) async throws(VaultError) in _ = try await VaultLocation.make(url) },
            noteFill: { FillHistory.note($0, $1, $2) { Output.note("\(prefix)\($0)") } },
            log: { level, text in Output.note("\(prefix)\(level.rawValue): \(text)") },
            tell: { text in Output.note(prefix + text) }, draw: draw)
    }
}
