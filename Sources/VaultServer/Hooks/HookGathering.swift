import Synchronization

/// Results that come one by one, for a task that waits for all.
final class HookGathering: Sendable {
    private struct State {
        var outcomes: [HookOutcome?]
        var missing: Int
        var waiting: CheckedContinuation<[HookOutcome], Never>?
    }

    private let state: Mutex<State>

    init(_ count: Int) {
        state = Mutex(State(outcomes: Array(repeating: nil, count: count), missing: count))
    }

    func set(_ outcome: HookOutcome, at index: Int) {
        let (waiting, all) = state.withLock { state -> (CheckedContinuation<[HookOutcome], Never>?, [HookOutcome]) in
            guard state.outcomes[index] == nil else { return (nil, []) }
            state.outcomes[index] = outcome
            state.missing -= 1
            guard state.missing == 0, let waiting = state.waiting else { return (nil, []) }
            state.waiting = nil
            return (waiting, state.outcomes.compactMap { $0 })
        }
        waiting?.resume(returning: all)
    }

    func all() async -> [HookOutcome] {
        let known = state.withLock { $0.missing == 0 ? $0.outcomes.compactMap { $0 } : nil }
        if let known { return known }
        return await withCheckedContinuation { continuation in
            let known = state.withLock { state -> [HookOutcome]? in
                if state.missing == 0 { return state.outcomes.compactMap { $0 } }
                state.waiting = continuation
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
