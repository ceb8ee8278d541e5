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
    /// Nil for what `Prelude` implements.
    let body: Body?

    init(
        _ name: String, _ usage: String, _ summary: String, options: [String] = [], actsOnVault: Bool = true,
        body: Body?
    ) {
        self.name = name
        self.usage = usage
        self.summary = summary
        self.options = options
        self.actsOnVault = actsOnVault
        self.body = body
    }

    /// The Lua function of the module; nil for what `Prelude` implements.
    func function(_ session: ScriptSession) -> LuaFunction? {
        guard let body else { return nil }
        let site = CallSite(session, name)
        return LuaFunction { call in
            try site.perform {
                try body(Invocation(site: site, binding: self, vault: session.vault(of: call), first: 1), call)
            }
        }
    }
}

/// One call of a binding.
struct Invocation {
    let site: CallSite
    let binding: Binding
    /// The vault that the call is about.
    let vault: VaultSource
    /// The number of the first argument behind the connection.
    let first: Int

    var session: ScriptSession { site.session }

    /// The options of the call, at the argument `offset` places behind the first.
    ///
    /// - Parameter names: the options that this call takes; nil for all of the binding's.
    func options(_ call: borrowing LuaCall, _ offset: Int, _ names: [String]? = nil) throws -> Options {
        try Options(call, first + offset, Set(names ?? binding.options))
    }

    /// An argument that is the path of a local file which the script may use.
    func path(_ call: borrowing LuaCall, _ number: Int) throws -> LocalPath {
        let path = try call.path(number)
        return try session.confinement?.reach(path) ?? path
    }

    /// What counts a transfer for whoever watches it: the script, or the program.
    func meter(_ progress: ProgressReporter?) -> TransferMeter? {
        progress?.meter ?? (session.host.draw == nil ? nil : TransferMeter())
    }

    /// Runs an operation of the call's vault while the running task waits, and goes on with its result.
    func wait<Value: Sendable>(
        _ call: borrowing LuaCall, _ progress: ProgressReporter? = nil, meter: TransferMeter? = nil,
        isBrief: Bool = false, _ operation: @escaping @Sendable (any Vault) async throws(VaultError) -> Value,
        then body: @escaping (Value, borrowing LuaCall) throws -> Void
    ) throws {
        let vault = vault
        try site.wait(
            call, progress, meter: meter, isBrief: isBrief,
            { () async throws(VaultError) in try await operation(try await vault.opened()) }, then: body)
    }
}
