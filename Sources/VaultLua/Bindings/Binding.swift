import LuaEngine
import VaultModel

/// One function of the `vault` module: what it is called, what it says of itself, and what it does.
///
/// The same table registers the functions and documents them. A binding serves the module, where it acts
/// on the default vault, and connections, where it is a method; arguments are counted from `first`.
package struct Binding: Sendable {
    typealias Body = @Sendable (Invocation, borrowing LuaCall) throws -> Void

    /// The name within the module: `save`, or `json.encode`.
    package let name: String
    /// How it is called: `save(path [, name [, options]]) -> entry`.
    package let usage: String
    /// What it does, in a sentence or two.
    package let summary: String
    /// The options that it takes.
    package let options: [String]
    /// Whether connections have it as a method.
    package let actsOnVault: Bool
    let body: Body

    init(
        _ name: String, _ usage: String, _ summary: String, options: [String] = [], actsOnVault: Bool = true,
        body: @escaping Body
    ) {
        self.name = name
        self.usage = usage
        self.summary = summary
        self.options = options
        self.actsOnVault = actsOnVault
        self.body = body
    }

    /// The Lua function of the module.
    func function(_ session: ScriptSession) -> LuaFunction {
        LuaFunction { call in
            try perform(Invocation(session: session, binding: self, connection: nil, first: 1), call)
        }
    }

    /// Runs the body, and makes Lua errors of the vault's.
    func perform(_ invocation: Invocation, _ call: borrowing LuaCall) throws {
        do {
            try body(invocation, call)
        } catch let error as VaultError {
            throw invocation.luaError(error)
        }
    }
}

/// One call of a binding.
struct Invocation {
    unowned let session: ScriptSession
    let binding: Binding
    let connection: Connection?
    /// The number of the first argument behind the connection.
    let first: Int

    /// The vault that the call is about.
    var vault: any Vault {
        get throws { try connection?.vault ?? session.vault }
    }

    /// The options of the call, at the argument `offset` places behind the first.
    ///
    /// - Parameter names: the options that this call takes; nil for all of the binding's.
    func options(_ call: borrowing LuaCall, _ offset: Int, _ names: [String]? = nil) throws -> Options {
        try Options(call, first + offset, Set(names ?? binding.options))
    }

    func luaError(_ error: VaultError, report: (any LuaWritable)? = nil) -> LuaError {
        ErrorValue.luaError(error, operation: binding.name, report: report, session)
    }
}
