import LuaEngine
import VaultModel

/// The module `vault`: all its bindings, in the order of its documentation.
package enum VaultLibrary {
    package static let version = "0.1.0"

    /// The bindings with the titles of their kinds.
    package static let sections: [(title: String, bindings: [Binding])] = [
        ("Files", files), ("Listings", listings), ("Open files", handles), ("Names and versions", versions),
        ("Trees", trees), ("Maintenance", maintenance), ("Other vaults", connections), ("Tasks", tasks),
        ("Tools", tools), ("Hooks", hooks),
    ]

    package static let bindings: [Binding] = sections.flatMap(\.bindings)

    /// Makes the module, for `require "vault"`.
    ///
    /// - Parameter isGlobal: whether it is the global `vault` too.
    package static func install(_ session: ScriptSession, isGlobal: Bool = true) throws {
        let state = session.state
        try ErrorValue.define(in: state)
        try state.defineMetatable(JSON.arrayMetatable, [:])
        session.traceback = try state.run("return debug.traceback", name: "=vault").first?.reference
        session.format = try state.run("return string.format", name: "=vault").first?.reference
        session.toNumber = try state.run("return tonumber", name: "=vault").first?.reference
        state.describeError = { error in
            ErrorValue.luaError(VaultError(error), operation: "callback", session)
        }
        var modules: [String: LuaTable] = [:]
        for binding in bindings {
            guard let function = binding.function(session) else { continue }
            let path = binding.name.split(separator: ".").map(String.init)
            let owner = path.count > 1 ? path[0] : ""
            modules[owner, default: LuaTable(fields: [:])].fields.append(
                (path[path.count - 1], function))
        }
        modules["json"]?.fields.append(("null", LuaNull()))
        var vault = modules.removeValue(forKey: "") ?? LuaTable(fields: [:])
        for (name, table) in modules { vault.fields.append((name, table)) }
        vault.fields.append(("version", version))
        let reference = try state.reference(to: vault)
        try Prelude.install(reference, session)
        if isGlobal { try state.setGlobal("vault", reference) }
        try state.setLoaded("vault", reference)
    }
}
