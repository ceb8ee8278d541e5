import VaultModel

/// An event with the hooks that are to run on it.
struct HookRun: Sendable {
    var job: HookJob
    var hooks: [HookDeclaration]
    /// Of the file that the hooks are of.
    var generation: Int

    /// Within which its hooks must have run, all of them together.
    var timeout: Duration {
        let sum = hooks.reduce(Duration.zero) { $0 + $1.timeout }
        return job.event.kind == .login ? min(sum, .seconds(HookLimits.loginSecondsMax)) : sum
    }
}

/// What a worker has reported of an event.
struct HookResult: Sendable {
    /// What became of one hook.
    struct Part: Sendable {
        var hook: Int
        var seconds: Double
        var hasRejected: Bool
        var hasFailed: Bool
    }

    var parts: [Part]
}
