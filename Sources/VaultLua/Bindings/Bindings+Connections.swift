import LuaEngine
import VaultModel

extension VaultLibrary {
    static let connections: [Binding] = [
        Binding(
            "connect", "connect(url) -> connection",
            "Opens another vault, by its directory or URL. A connection has the functions of the module as methods.",
            actsOnVault: false
        ) { invocation, call in
            let url = try call.string(invocation.first)
            let connector = invocation.session.connector
            let vault = try invocation.session.wait { () async throws(VaultError) in try await connector(url) }
            call.returns(Connection.type.userdata(Connection(vault, invocation.session)))
        },
        Binding(
            "with", "with(connection, f, ...) -> results of f",
            "Calls f(...) with the functions of the module acting on a connection.", actsOnVault: false
        ) { invocation, call in
            let connection = try call.object(invocation.first, Connection.type)
            let function = try call.function(invocation.first + 1)
            var arguments: [any LuaWritable] = []
            for number in stride(from: invocation.first + 2, through: call.count, by: 1) {
                arguments.append(try call.value(number))
            }
            let results = try invocation.session.with(connection.vault) {
                try invocation.session.state.call(function, arguments: arguments)
            }
            for result in results { call.returns(result) }
        },
    ]
}

/// A vault that a script has connected to.
final class Connection {
    let vault: any Vault
    private unowned let session: ScriptSession

    init(_ vault: any Vault, _ session: ScriptSession) {
        self.vault = vault
        self.session = session
    }

    deinit {
        let vault = vault
        Task(executorPreference: BlockingExecutor.shared) { await vault.close() }
    }

    static let type: LuaObjectType<Connection> = {
        let methods = VaultLibrary.bindings.filter(\.actsOnVault).map { binding in
            (
                name: binding.name,
                body: { @Sendable (connection: Connection, call: borrowing LuaCall) throws in
                    let invocation = Invocation(
                        session: connection.session, binding: binding, connection: connection, first: 2)
                    try binding.perform(invocation, call)
                }
            )
        }
        let close: LuaObjectType<Connection>.Method = { connection, call in
            let vault = connection.vault
            try connection.session.wait { () async throws(VaultError) in await vault.close() }
            call.close(1)
        }
        return LuaObjectType("vault connection", methodTable: methods + [(name: "close", body: close)])
    }()
}
