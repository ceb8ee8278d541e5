import LuaEngine
import VaultModel

extension VaultLibrary {
    static let connections: [Binding] = [
        Binding(
            "connect", "connect(url) -> connection",
            "Opens another vault, by its directory or URL. A connection has the functions of the module as methods.",
            actsOnVault: false
        ) { invocation, call in
            let url = try call.bytes(invocation.first)
            let session = invocation.session
            let connector = session.host.connect
            let source = VaultSource(on: session.mailbox) { () async throws(VaultError) in try await connector(url) }
            try invocation.site.wait(call) { () async throws(VaultError) in
                _ = try await source.opened()
            } then: { _, call in
                call.returns(Connection.type.userdata(Connection(source, session)))
            }
        },
        Binding(
            "init", "init(url)",
            "Makes a vault in a directory. Only the default vault is made by itself; one that is there raises 'exists'.",
            actsOnVault: false
        ) { invocation, call in
            let url = try call.bytes(invocation.first)
            let make = invocation.session.host.make
            try invocation.site.wait(call) { () async throws(VaultError) in
                try await make(url)
            } then: { _, _ in
            }
        },
        Binding(
            "with", "with(connection, f, ...) -> results of f",
            "Calls f(...) with the functions of the module acting on a connection.", actsOnVault: false, body: nil),
    ]
}

/// A vault that a script has connected to. It is closed with the last of what uses it, listings and files among them.
final class Connection {
    let vault: VaultSource
    private unowned let session: ScriptSession

    init(_ vault: VaultSource, _ session: ScriptSession) {
        self.vault = vault
        self.session = session
    }

    static let type: LuaObjectType<Connection> = {
        let methods = VaultLibrary.bindings.filter(\.actsOnVault).compactMap { binding in
            binding.body.map { body in
                (
                    name: binding.name,
                    body: { @Sendable (connection: Connection, call: borrowing LuaCall) throws in
                        let site = CallSite(connection.session, binding.name)
                        try site.perform {
                            try body(
                                Invocation(site: site, binding: binding, vault: connection.vault, first: 2), call)
                        }
                    }
                )
            }
        }
        let close: LuaObjectType<Connection>.Method = { connection, call in
            let vault = connection.vault
            call.close(1)
            try CallSite(connection.session, "close").wait(call) { () async throws(VaultError) in
                await vault.close()
            } then: { _, _ in
            }
        }
        return LuaObjectType("vault connection", methodTable: methods + [(name: "close", body: close)])
    }()
}
