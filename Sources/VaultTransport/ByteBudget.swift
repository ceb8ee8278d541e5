import Synchronization
package import VaultModel

/// A bounded number of bytes, or of other things, that many requests share.
///
/// Shares are given in the order in which they were asked for, so that a large request is not passed by
/// small ones for ever. Who holds a share must not need another one, or another's, to give it back.
package final class ByteBudget: Sendable {
    private struct Waiting: Sendable {
        var id: UInt64
        var bytes: Int
        /// Nil where the wish was withdrawn.
        var give: @Sendable (Share?) -> Void
    }

    private struct State {
        var free: Int
        var nextID: UInt64 = 0
        var waiting: [Waiting] = []
    }

    /// A part of the budget, given back when the last reference goes.
    package final class Share: Sendable {
        private let bytes: Int
        private let budget: ByteBudget

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
    var isWaitedFor: Bool { state.withLock { !$0.waiting.isEmpty } }

    /// A share, if nobody waits and there is one.
    package func share(_ bytes: Int) -> Share? {
        let bytes = min(bytes, all)
        let isGiven = state.withLock { state in
            guard state.waiting.isEmpty, state.free >= bytes else { return false }
            state.free -= bytes
            return true
        }
        return isGiven ? Share(self, bytes) : nil
    }

    /// Gives a share to `body`, now or later, on whatever thread gives one back.
    package func share(_ bytes: Int, _ body: @escaping @Sendable (Share) -> Void) {
        wait(for: min(bytes, all), as: nextID()) { share in
            if let share { body(share) }
        }
    }

    /// Waits for a share.
    ///
    /// - Throws: `cancelled`.
    package func share(waitingFor bytes: Int) async throws(VaultError) -> Share {
        let id = nextID()
        let share = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                wait(for: min(bytes, all), as: id) { continuation.resume(returning: $0) }
                if Task.isCancelled { withdraw(id) }
            }
        } onCancel: {
            withdraw(id)
        }
        guard let share else { throw .cancelled }
        return share
    }

    private func nextID() -> UInt64 {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    private func wait(for bytes: Int, as id: UInt64, _ give: @escaping @Sendable (Share?) -> Void) {
        state.withLock { $0.waiting.append(Waiting(id: id, bytes: bytes, give: give)) }
        giveBack(0)
    }

    private func withdraw(_ id: UInt64) {
        let withdrawn = state.withLock { state in
            state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0) }
        }
        withdrawn?.give(nil)
        giveBack(0)
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
