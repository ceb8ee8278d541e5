import LuaEngine
import VaultModel

extension VaultLibrary {
    static let handles: [Binding] = [
        Binding(
            "open", "open(name [, \"r\"|\"w\" [, options]]) -> file",
            "Opens a file of the vault for reading, or a new version of it for writing. Only close() commits a writer.",
            options: ["version", "at", "tags", "if_version"]
        ) { invocation, call in
            let name = try call.name(invocation.first)
            let mode = try call[invocation.first + 1].ifPresent?.string() ?? "r"
            switch mode {
            case "r":
                let selector = try invocation.options(call, 2, ["version", "at"]).selector()
                let (session, source) = (invocation.session, invocation.vault)
                ReadHandle.collectDropped(session)
                try invocation.wait(call) { (vault) async throws(VaultError) in
                    ContentReader(try await vault.openRead(name, selector), vault, source)
                } then: { reader, call in
                    call.returns(ReadHandle.type.userdata(ReadHandle(reader, session)))
                }
            case "w":
                let options = try invocation.options(call, 2, ["tags", "if_version"])
                let intent = SaveIntent(
                    name: name, attributes: Attributes(mode: 0o644, modified: currentNanoseconds()),
                    tags: try options.tags("tags"), ifVersion: try options.count("if_version").map(UInt64.init))
                call.returns(WriteHandle.type.userdata(WriteHandle(intent, invocation.vault, invocation.session)))
            default:
                throw LuaError.argument(invocation.first + 1, "invalid mode '\(printable(mode))'")
            }
        }
    ]
}
