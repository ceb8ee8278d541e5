import LuaEngine

extension VaultLibrary {
    /// What only a server's hooks have, where hooks.lua implements it: elsewhere a script is told where it belongs.
    static let hooks: [Binding] = [
        hook(
            "on", "on(event, [options,] f)",
            "Calls f(event) when a server is asked for something (before_save, before_read, before_remove, login) or something "
                + "has happened (save, read, remove, rename).",
            options: ["match", "priority", "timeout", "on_error", "from_hooks"]),
        hook(
            "every", "every(interval, [options,] f)",
            "Calls f(event) for each vault again and again: \"30s\", \"15m\", \"1h\", \"1d\", or {at = \"03:00\"} in UTC.",
            options: ["timeout"]),
        hook("kv.get", "kv.get(key) -> value or nil", "What hooks keep in the event's vault under a key."),
        hook("kv.set", "kv.set(key, value)", "Keeps a value that JSON can have; nil forgets the key."),
        hook(
            "kv.update", "kv.update(key, f) -> value",
            "Keeps f(value), and returns it; f is called again where another worker has changed the value meanwhile."),
        hook(
            "kv.incr", "kv.incr(key [, n [, id]]) -> number",
            "Adds n (1) to a number and returns it; with an id, such as event.id, only the first time in seven days."),
    ]

    private static func hook(_ name: String, _ usage: String, _ summary: String, options: [String] = []) -> Binding {
        Binding(name, usage, summary + " In the hooks of a server only.", options: options, actsOnVault: false) {
            invocation, _ in
            throw LuaError.message(
                "vault.\(invocation.binding.name) works in hooks only: put it in a file for 'serve --hooks FILE'")
        }
    }
}
