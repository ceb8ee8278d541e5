/// Notices hooks that keep failing, and lets them rest for a while (the "circuit breaker" of M. Nygard, Release It!).
struct HookSuspensions: Sendable {
    private struct State {
        var failures = 0
        var until: ContinuousClock.Instant?
    }

    /// What a change of a hook's state is announced as.
    enum Change: Equatable {
        case suspended, resumed
    }

    private var states: [Int: State] = [:]

    /// Whether a hook may run now; after its rest, one event tries it, and others wait for as long again.
    mutating func admits(_ hook: Int, at now: ContinuousClock.Instant) -> Bool {
        guard let until = states[hook]?.until else { return true }
        guard now >= until else { return false }
        states[hook]?.until = now + .seconds(HookLimits.suspensionSeconds)
        return true
    }

    func isSuspended(_ hook: Int) -> Bool { states[hook]?.until != nil }

    mutating func note(_ hook: Int, failed: Bool, at now: ContinuousClock.Instant) -> Change? {
        guard failed else {
            let wasSuspended = states.removeValue(forKey: hook)?.until != nil
            return wasSuspended ? .resumed : nil
        }
        var state = states[hook] ?? State()
        state.failures += 1
        defer { states[hook] = state }
        guard state.failures >= HookLimits.failuresMax else { return nil }
        let isFirst = state.until == nil
        state.until = now + .seconds(HookLimits.suspensionSeconds)
        return isFirst ? .suspended : nil
    }
}
