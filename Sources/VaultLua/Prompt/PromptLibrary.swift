import LuaEngine

/// What the prompt needs of Lua: how values are shown, what `help` says, and how words can go on.
enum PromptLibrary {
    /// Makes the library, and the global `help`.
    static func install(_ session: ScriptSession) throws -> LuaReference {
        let state = session.state
        let library = try state.reference(to: LuaTable(fields: [:]))
        let bindings = LuaTable(
            elements: VaultLibrary.bindings.map { binding in
                LuaTable(fields: [
                    "name": binding.name, "usage": binding.usage, "summary": binding.summary,
                    "options": binding.options.joined(separator: ", "),
                ])
            })
        let directories = LuaFunction { call in call.returns(LocalNames.table(try call.bytes(1))) }
        func run(_ text: [UInt8], _ name: String, _ arguments: any LuaWritable...) throws {
            let chunk = try state.load(String(decoding: text, as: UTF8.self), name: "=prompt/\(name)")
            _ = try state.call(chunk, arguments: [library] + arguments)
        }
        let makeRoom = LuaFunction { _ in session.beforeOutput() }
        try run(PackageResources.values_lua, "values", makeRoom)
        try run(PackageResources.help_lua, "help", bindings)
        try run(PackageResources.completion_lua, "completion", directories)
        try run(PackageResources.commands_lua, "commands")
        return library
    }
}
