import Synchronization
import VaultModel

/// The answer to a request that has been, or is being, sent.
final class PendingAnswer: Sendable {
    private struct State {
        var id: UInt32?
        var result: Result<ClientAnswer, RequestFailure>?
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// The request's number, once it has one.
    var id: UInt32? { state.withLock { $0.id } }
    var isFinished: Bool { state.withLock { $0.result != nil } }

    func begin(_ id: UInt32) {
        change { $0.id = id }
    }

    /// The first result counts.
    func finish(_ result: Result<ClientAnswer, RequestFailure>) {
        change { $0.result = $0.result ?? result }
    }

    /// Returns once the request has a number, or will have none.
    func number() async -> UInt32? {
        await wait { $0.id != nil || $0.result != nil }
        return id
    }

    func value() async throws(RequestFailure) -> ClientAnswer {
        await wait { $0.result != nil }
        guard let result = state.withLock({ $0.result }) else { preconditionFailure("A wait ended early.") }
        return try result.get()
    }

    private func change(_ body: (inout State) -> Void) {
        let released = state.withLock { state in
            body(&state)
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in released { continuation.resume() }
    }

    private func wait(until condition: @Sendable (borrowing State) -> Bool) async {
        while !state.withLock({ condition($0) }) {
            await withCheckedContinuation { continuation in
                let mustWait = state.withLock { state in
                    if condition(state) { return false }
                    state.waiting.append(continuation)
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        }
    }
}
