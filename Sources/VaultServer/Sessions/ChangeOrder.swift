import FoundationEssentials
import Synchronization

/// Lets the changes of one session take effect in the order in which they were sent, name by name.
///
/// A change of other names than those before it does not wait. One of a prefix waits for all before it, and
/// all behind it wait for it.
final class ChangeOrder: Sendable {
    enum Scope {
        case names([Data])
        case everything
    }

    /// A change's place in the order, until it is ended or the last reference goes.
    final class Turn: Sendable {
        fileprivate let number: UInt64
        private let order: ChangeOrder

        fileprivate init(_ number: UInt64, _ order: ChangeOrder) {
            self.number = number
            self.order = order
        }

        /// Returns when all that must come before has ended.
        func wait() async {
            await order.wait(for: number)
        }

        func end() {
            order.end(number)
        }

        /// A request that is dropped before it was begun must not hold up the others.
        deinit { order.end(number) }
    }

    private struct State {
        var next: UInt64 = 0
        /// The changes that each unfinished one must wait for.
        var before: [UInt64: Set<UInt64>] = [:]
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        /// The last unfinished change of a name, and which names a change is of.
        var lastOf: [Data: UInt64] = [:]
        var names: [UInt64: [Data]] = [:]
        var lastOfEverything: UInt64?
    }

    private let state = Mutex(State())

    /// Takes the next place.
    func enter(_ scope: Scope) -> Turn {
        let number = state.withLock { state in
            state.next += 1
            let number = state.next
            var before: Set<UInt64> = []
            if let last = state.lastOfEverything { before.insert(last) }
            switch scope {
            case .names(let names):
                for name in names {
                    if let last = state.lastOf.updateValue(number, forKey: name) { before.insert(last) }
                }
                before.remove(number)
                state.names[number] = names
            case .everything:
                before.formUnion(state.before.keys)
                state.lastOfEverything = number
            }
            state.before[number] = before
            return number
        }
        return Turn(number, self)
    }

    private func wait(for number: UInt64) async {
        await withCheckedContinuation { continuation in
            let mustWait = state.withLock { state in
                guard let before = state.before[number], !before.isEmpty else { return false }
                state.waiting[number] = continuation
                return true
            }
            if !mustWait { continuation.resume() }
        }
    }

    private func end(_ number: UInt64) {
        let released = state.withLock { state in
            guard state.before.removeValue(forKey: number) != nil else {
                return [] as [CheckedContinuation<Void, Never>]
            }
            for name in state.names.removeValue(forKey: number) ?? [] where state.lastOf[name] == number {
                state.lastOf[name] = nil
            }
            if state.lastOfEverything == number { state.lastOfEverything = nil }
            var released: [CheckedContinuation<Void, Never>] = []
            for (waiter, before) in state.before where before.contains(number) {
                state.before[waiter]?.remove(number)
                guard before.count == 1 else { continue }
                if let continuation = state.waiting.removeValue(forKey: waiter) { released.append(continuation) }
            }
            return released
        }
        for continuation in released { continuation.resume() }
    }
}
