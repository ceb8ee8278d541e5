import Glibc
import LuaEngine
import VaultModel

/// What the prompt needs of Lua: how values are shown, what `help` says, and how words can go on.
enum PromptLibrary {
    /// Makes the library, and the global `help`.
    static func install(_ session: ScriptSession) throws -> LuaReference {
        let state = session.state
        let library = try state.reference(to: LuaTable(fields: [:]))
        let bindings = LuaTable(
            elements: VaultLibrary.bindings.map { binding in
                LuaTable(fields: [
                    "name": binding.name, "usage": "vault." + binding.usage, "summary": binding.summary,
                    "options": LuaTable(
                        elements: binding.options.map { option in
                            LuaTable(fields: [
                                "name": option, "text": OptionDocumentation.of(option, in: binding)?.text,
                            ])
                        }),
                ])
            })
        let methods = LuaTable(
            elements: MethodDocumentation.all.map { method in
                LuaTable(fields: ["name": method.name, "usage": method.usage, "summary": method.summary])
            })
        let directories = LuaFunction { call in call.returns(LocalNames.table(try call.bytes(1))) }
        func run(_ text: [UInt8], _ name: String, _ arguments: any LuaWritable...) throws {
            let chunk = try state.load(String(decoding: text, as: UTF8.self), name: "=prompt/\(name)")
            _ = try state.call(chunk, arguments: [library] + arguments)
        }
        // As commands do: by the local clocks on a terminal, in UTC elsewhere.
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let showTime = LuaFunction { call in
            let seconds = Int64(try call.integer(1))
            let precision: TimeText.Precision = try call.string(2) == "minute" ? .minute : .second
            call.returns(isTerminal ? TimeText.local(seconds, to: precision) : TimeText.utc(seconds))
        }
        try run(PackageResources.values_lua, "values", showTime)
        try run(PackageResources.locals_lua, "locals")
        try run(PackageResources.help_lua, "help", bindings, methods)
        try run(PackageResources.completion_lua, "completion", directories)
        try run(PackageResources.commands_lua, "commands")
        return library
    }
}
