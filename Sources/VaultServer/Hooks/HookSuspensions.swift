/// Notices hooks that keep failing, and lets them rest for a while (the "circuit breaker" of M. Nygard, Release It!): each for
/// the user and the vault whose events it fails on, so that nobody puts a hook to rest for others.
struct HookSuspensions: Sendable {
    private struct State {
        var failures = 0
        var until: ContinuousClock.Instant?
    }

    /// What a change of a hook's state is announced as.
    enum Change: Equatable {
        case suspended, resumed
    }

    static let partiesMax = 4096

    private var states: [HookParty: State] = [:]

    /// Whether a hook may run now; after its rest, one event tries it, and others wait for as long again.
    mutating func admits(_ party: HookParty, at now: ContinuousClock.Instant) -> Bool {
        guard let until = states[party]?.until else { return true }
        guard now >= until else { return false }
        states[party]?.until = now + .seconds(HookLimits.suspensionSeconds)
        return true
    }

    /// Whether a hook rests for anybody.
    func isSuspended(_ hook: Int) -> Bool { states.contains { $0.key.hook == hook && $0.value.until != nil } }

    mutating func note(_ party: HookParty, failed: Bool, at now: ContinuousClock.Instant) -> Change? {
        guard failed else {
            let wasSuspended = states.removeValue(forKey: party)?.until != nil
            return wasSuspended ? .resumed : nil
        }
        if states.count >= HookSuspensions.partiesMax, states[party] == nil { makeRoom() }
        var state = states[party] ?? State()
        state.failures += 1
        defer { states[party] = state }
        guard state.failures >= HookLimits.failuresMax else { return nil }
        let isFirst = state.until == nil
        state.until = now + .seconds(HookLimits.suspensionSeconds)
        return isFirst ? .suspended : nil
    }

    /// Forgets those that do not rest, or all where all do: they fail ten times more.
    private mutating func makeRoom() {
        states = states.filter { $0.value.until != nil }
        if states.count >= HookSuspensions.partiesMax { states = [:] }
    }
}
