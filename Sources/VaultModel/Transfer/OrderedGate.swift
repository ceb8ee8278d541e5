import Synchronization

/// Lets tasks through one at a time, in the order of their turns.
package final class OrderedGate: Sendable {
    private struct State {
        var turn = 0
        var failure: VaultError?
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Runs `body` after the bodies of all lower turns.
    ///
    /// - Throws: what `body` throws, or what the body of a lower turn threw.
    package func pass<Result: Sendable>(
        _ turn: Int, _ body: () async throws(VaultError) -> Result
    ) async throws(VaultError) -> Result {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.turn == turn || state.failure != nil { return true }
                state.waiting[turn] = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
        do {
            let result = try await body()
            advance(nil)
            return result
        } catch {
            advance(error)
            throw error
        }
    }

    private func advance(_ failure: VaultError?) {
        let released = state.withLock { state in
            state.turn += 1
            state.failure = state.failure ?? failure
            if state.failure == nil {
                return state.waiting.removeValue(forKey: state.turn).map { [$0] } ?? []
            }
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in released { continuation.resume() }
    }
}
