import Synchronization

/// A bounded number of bytes, or of other things, that many requests share.
///
/// Shares are given in the order in which they were asked for, so that a large request is not passed by
/// small ones for ever.
package final class ByteBudget: Sendable {
    private struct Waiting: Sendable {
        var id: UInt64
        var bytes: Int
        var give: @Sendable (Share) -> Void
    }

    private struct State {
        var free: Int
        var nextID: UInt64 = 0
        var waiting: [Waiting] = []
    }

    /// A part of the budget, given back when the last reference goes.
    package final class Share: Sendable {
        private let budget: ByteBudget
        private let bytes: Int

        fileprivate init(_ budget: ByteBudget, _ bytes: Int) {
            self.budget = budget
            self.bytes = bytes
        }

        deinit { budget.giveBack(bytes) }
    }

    private let all: Int
    private let state: Mutex<State>

    package init(_ bytes: Int) {
        all = bytes
        state = Mutex(State(free: bytes))
    }

    package var free: Int { state.withLock { $0.free } }

    /// A share, if nobody waits and there is one.
    package func share(_ bytes: Int) -> Share? {
        let isGiven = state.withLock { state in
            guard state.waiting.isEmpty, state.free >= min(bytes, all) else { return false }
            state.free -= min(bytes, all)
            return true
        }
        return isGiven ? Share(self, min(bytes, all)) : nil
    }

    /// Gives a share to `body`, now or later, on whatever thread gives one back.
    ///
    /// - Returns: by what to withdraw the wish.
    @discardableResult
    package func share(_ bytes: Int, _ body: @escaping @Sendable (Share) -> Void) -> UInt64 {
        let id = state.withLock { state in
            state.nextID += 1
            state.waiting.append(Waiting(id: state.nextID, bytes: min(bytes, all), give: body))
            return state.nextID
        }
        giveBack(0)
        return id
    }

    package func withdraw(_ id: UInt64) {
        state.withLock { state in state.waiting.removeAll { $0.id == id } }
        giveBack(0)
    }

    /// Waits for a share.
    package func share(waitingFor bytes: Int) async -> Share {
        await withCheckedContinuation { continuation in
            share(bytes) { continuation.resume(returning: $0) }
        }
    }

    private func giveBack(_ bytes: Int) {
        let served = state.withLock { state in
            state.free += bytes
            var served: [Waiting] = []
            while let first = state.waiting.first, first.bytes <= state.free {
                state.free -= first.bytes
                served.append(state.waiting.removeFirst())
            }
            return served
        }
        for waiting in served { waiting.give(Share(self, waiting.bytes)) }
    }
}
