import LuaEngine
import VaultModel

/// The error object that scripts see: a table with a code, a message and what it is about.
enum ErrorValue {
    static let metatable = "vault.error"

    /// What gives error objects their text, in Lua: both work on whatever a script makes of the fields.
    static let metamethods = """
        local tostring, type = tostring, type
        return function(e) return type(e.message) == "string" and e.message or "(vault error)" end,
          function(a, b) return tostring(a) .. tostring(b) end
        """

    static func define(in state: LuaState) throws(LuaError) {
        let functions = try state.run(metamethods, name: "=vault.error")
        guard functions.count == 2 else { return }
        try state.defineMetatable(
            metatable, ["__tostring": functions[0], "__concat": functions[1]])
    }

    /// The Lua error for a failure of the vault.
    static func luaError(
        _ error: VaultError, operation: String, report: (any LuaWritable)? = nil, _ session: ScriptSession
    ) -> LuaError {
        var fields = LuaTable(
            fields: [
                "code": error.code.rawValue,
                "message": error.message + (error.cause.map { " (\($0))" } ?? ""),
                "operation": operation,
                "retryable": error.isRetryable,
                "uncertain": error.isUncertain,
            ], metatable: metatable)
        if let name = error.name { fields.fields.append(("name", name.bytes)) }
        if let path = error.path { fields.fields.append(("path", path.bytes)) }
        if let cause = error.cause { fields.fields.append(("cause", cause)) }
        if let report { fields.fields.append(("report", report)) }
        if let traceback = session.traceback,
            let text = try? session.state.call(traceback, LuaValue.nil, 2).first?.string
        {
            fields.fields.append(("traceback", text))
        }
        return .raising(fields, message: error.description)
    }

    /// The code in an error object that a script let pass; nil for other errors.
    static func code(of error: LuaError, in state: LuaState) -> VaultError.Code? {
        guard let value = error.value?.reference, value.type == .table else { return nil }
        let text = try? state.read(value) { try $0.table().field("code").ifPresent?.string() }
        return text.flatMap { $0 }.flatMap(VaultError.Code.init(rawValue:))
    }
}
