import ArgumentParser
import Glibc
import VaultAccess
import VaultModel

struct Read: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write what the vault holds under a name to a local file, or to standard output.")
    static let purpose = VaultLocation.Purpose.read

    @OptionGroup var common: VaultOptions
    @Argument(help: "The name to read.")
    var name: String
    @Argument(help: "The file to write, '-' for standard output; without it the name's last part, here.")
    var local: String?
    @Option(help: ArgumentHelp("An earlier version.", valueName: "n"))
    var version: UInt64?
    @Option(help: CommandText.timeHelp("The state as of a time"))
    var at: String?

    func run(on vault: any Vault) async throws {
        let name = try CommandText.name(name)
        let selector = try CommandText.selector(version: version, at: at)
        if local == "-" { return try await stream(name, selector, from: vault) }
        var path = local.map { CommandText.path($0) } ?? LocalPath(name.lastPathPart)
        if path.bytes.last == UInt8(ascii: "/") { path = path.appending(name.lastPathPart) }
        let target = path
        let entry = try await drawing { (meter) throws(VaultError) in
            do throws(VaultError) {
                return try await FileRead(from: vault, meter: meter).read(name, selector, to: target) {
                    Output.note("minivault: \(TreeReport.unsetText(1))")
                }
            } catch {
                throw await error.explained(selector, by: vault)
            }
        }
        if !common.quiet {
            Output.note("\(target)  \(Format.bytes(entry.size))  version \(entry.version) of \(entry.name)")
        }
    }

    private func stream(_ name: Name, _ selector: VaultModel.Selector, from vault: any Vault) async throws {
        let read: OpenRead
        do throws(VaultError) {
            read = try await vault.openRead(name, selector)
        } catch {
            throw await error.about(name).explained(selector, by: vault)
        }
        do {
            try await Download(from: vault).stream(read) { (bytes) throws(VaultError) in try Output.write(bytes) }
        } catch {
            await vault.closeRead(read.id)
            throw error
        }
        await vault.closeRead(read.id)
    }
}
