import LuaEngine

extension VaultLibrary {
    /// What only a server's hooks have: elsewhere a script is told where it belongs.
    static let hooks: [Binding] = [
        Binding(
            "on", "on(event, [options,] f)", "Calls a function at an event; in the hooks of a server only.",
            actsOnVault: false
        ) { invocation, _ in throw onlyInHooks(invocation) },
        Binding(
            "every", "every(interval, f)", "Calls a function again and again; in the hooks of a server only.",
            actsOnVault: false
        ) { invocation, _ in throw onlyInHooks(invocation) },
    ]

    private static func onlyInHooks(_ invocation: Invocation) -> LuaError {
        .message("vault.\(invocation.binding.name) works in hooks only: put it in a file for 'serve --hooks FILE'")
    }
}
