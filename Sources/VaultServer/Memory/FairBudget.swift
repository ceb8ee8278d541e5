import Synchronization
import VaultModel

/// A bounded number of bytes that users share, of which none holds more than he leaves free for all others.
///
/// So there is always some for the next one: of several who want all, the first gets a half, the second a quarter, and so
/// on (the dynamic thresholds of A. K. Choudhury and E. L. Hahne, IEEE/ACM Transactions on Networking 6, 1998). One who
/// holds nothing gets whatever is free. Of those who wait, the one who holds least comes first.
final class FairBudget: Sendable {
    /// A part of the budget, given back when the last reference goes.
    final class Share: Sendable {
        private let budget: FairBudget
        private let user: String
        private let held: Mutex<Int>

        fileprivate init(_ budget: FairBudget, _ user: String, _ bytes: Int) {
            self.budget = budget
            self.user = user
            held = Mutex(bytes)
        }

        deinit { budget.giveBack(held.withLock { $0 }, of: user) }

        var bytes: Int { held.withLock { $0 } }

        /// Makes the share as large as what it stands for has become.
        ///
        /// - Returns: false where there is no room to grow, and the share is as it was.
        func resize(to bytes: Int) -> Bool {
            // Whoever gives back may be given to, which asks for nothing of this share.
            let (difference, isGiven) = held.withLock { held in
                let difference = bytes - held
                let isGiven = difference <= 0 || budget.take(difference, of: user)
                if isGiven { held = bytes }
                return (difference, isGiven)
            }
            if difference < 0 { budget.giveBack(-difference, of: user) }
            return isGiven
        }
    }

    /// A share whose end is up to a peer that may be slow, for as long as the last reference is held.
    final class Loan: Sendable {
        private let budget: FairBudget
        private let number: UInt64

        fileprivate init(_ budget: FairBudget, _ number: UInt64) {
            self.budget = budget
            self.number = number
        }

        deinit { budget.end(loan: number) }
    }

    fileprivate struct Waiting {
        var number: UInt64
        var bytes: Int
        var since: ContinuousClock.Instant
        /// Nil where the wish was withdrawn.
        var give: @Sendable (Share?) -> Void
    }

    fileprivate struct Lent {
        var user: String
        var since: ContinuousClock.Instant
        var giveWay: @Sendable () -> Void
    }

    fileprivate struct State {
        var free: Int
        var held: [String: Int] = [:]
        var lastNumber: UInt64 = 0
        /// Those of each user in the order in which they came.
        var waiting: [String: [Waiting]] = [:]
        var lent: [UInt64: Lent] = [:]
    }

    private let all: Int
    private let state: Mutex<State>

    init(_ bytes: Int) {
        all = bytes
        state = Mutex(State(free: bytes))
    }

    var free: Int { state.withLock { $0.free } }

    /// A share, if nobody waits and there is one.
    func share(_ bytes: Int, of user: String) -> Share? {
        let bytes = min(bytes, all)
        return take(bytes, of: user) ? Share(self, user, bytes) : nil
    }

    /// Gives a share to `body`, now or later, on whatever thread gives one back.
    func share(_ bytes: Int, of user: String, _ body: @escaping @Sendable (Share) -> Void) {
        wait(for: min(bytes, all), of: user, as: nextNumber()) { share in
            if let share { body(share) }
        }
    }

    /// Waits for a share.
    ///
    /// - Throws: `cancelled`.
    func share(waitingFor bytes: Int, of user: String) async throws(VaultError) -> Share {
        let number = nextNumber()
        let share = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                wait(for: min(bytes, all), of: user, as: number) { continuation.resume(returning: $0) }
                if Task.isCancelled { withdraw(number, of: user) }
            }
        } onCancel: {
            withdraw(number, of: user)
        }
        guard let share else { throw .cancelled }
        return share
    }

    /// Notes that a share's end is up to a peer.
    ///
    /// - Parameter giveWay: ends it sooner; called at most once, from any thread.
    func lend(to user: String, giveWay: @escaping @Sendable () -> Void) -> Loan {
        let number = nextNumber()
        state.withLock { $0.lent[number] = Lent(user: user, since: .now, giveWay: giveWay) }
        return Loan(self, number)
    }

    /// Has the slowest peer give way where somebody has waited for long who holds less than that peer's user.
    ///
    /// The peer to whom something has been lent for longest is the slowest, since all of it is bounded.
    ///
    /// - Parameters:
    ///   - patience: for which one waits before others have to give way.
    ///   - grace: within which a peer that is not slow is done.
    func relieve(
        at now: ContinuousClock.Instant, patience: Duration, grace: Duration
    ) {
        let slowest = state.withLock { state -> Lent? in
            let poorest = state.waiting.filter { now - ($0.value.first?.since ?? now) >= patience }
                .map { state.held[$0.key] ?? 0 }.min()
            guard let poorest else { return nil }
            let slow = state.lent.filter { now - $0.value.since >= grace && state.held[$0.value.user] ?? 0 > poorest }
            let found = slow.min { one, other in
                let (held, others) = (state.held[one.value.user] ?? 0, state.held[other.value.user] ?? 0)
                return (-held, one.value.since) < (-others, other.value.since)
            }
            return found.flatMap { state.lent.removeValue(forKey: $0.key) }
        }
        slowest?.giveWay()
    }

    // MARK: Parts

    private func nextNumber() -> UInt64 {
        state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
    }

    private func take(_ bytes: Int, of user: String) -> Bool {
        state.withLock { state in
            guard state.waiting.isEmpty || state.waiting[user] == nil && state.isOwed(nothingTo: user),
                state.isFair(bytes, for: user)
            else { return false }
            state.take(bytes, of: user)
            return true
        }
    }

    private func wait(
        for bytes: Int, of user: String, as number: UInt64, _ give: @escaping @Sendable (Share?) -> Void
    ) {
        state.withLock {
            $0.waiting[user, default: []].append(Waiting(number: number, bytes: bytes, since: .now, give: give))
        }
        serve()
    }

    private func withdraw(_ number: UInt64, of user: String) {
        let withdrawn = state.withLock { state -> Waiting? in
            guard let place = state.waiting[user]?.firstIndex(where: { $0.number == number }) else { return nil }
            return state.removeWaiting(of: user, at: place)
        }
        withdrawn?.give(nil)
        serve()
    }

    private func giveBack(_ bytes: Int, of user: String) {
        state.withLock { $0.giveBack(bytes, of: user) }
        serve()
    }

    private func end(loan number: UInt64) { state.withLock { $0.lent[number] = nil } }

    private func serve() {
        while let (waiting, user) = state.withLock({ $0.next() }) {
            waiting.give(Share(self, user, waiting.bytes))
        }
    }
}

extension FairBudget.State {
    fileprivate func isFair(_ bytes: Int, for user: String) -> Bool {
        let held = held[user] ?? 0
        return bytes <= free && (held == 0 || held + bytes <= free - bytes)
    }

    /// Whether nobody waits who holds less than a user.
    fileprivate func isOwed(nothingTo user: String) -> Bool {
        let own = held[user] ?? 0
        return waiting.keys.allSatisfy { held[$0] ?? 0 >= own && held[$0] ?? 0 > 0 }
    }

    fileprivate mutating func take(_ bytes: Int, of user: String) {
        free -= bytes
        held[user, default: 0] += bytes
    }

    fileprivate mutating func giveBack(_ bytes: Int, of user: String) {
        free += bytes
        let left = (held[user] ?? 0) - bytes
        held[user] = left > 0 ? left : nil
    }

    fileprivate mutating func removeWaiting(of user: String, at place: Int) -> FairBudget.Waiting? {
        let removed = waiting[user]?.remove(at: place)
        if waiting[user]?.isEmpty ?? false { waiting[user] = nil }
        return removed
    }

    /// Takes the share of the next one who is to have it; nil where all must go on waiting.
    fileprivate mutating func next() -> (FairBudget.Waiting, String)? {
        let users = waiting.compactMap { user, all in all.first.map { (user, held[user] ?? 0, $0) } }
            .sorted { ($0.1, $0.2.number) < ($1.1, $1.2.number) }
        for (user, held, first) in users {
            if isFair(first.bytes, for: user) {
                take(first.bytes, of: user)
                return removeWaiting(of: user, at: 0).map { ($0, user) }
            }
            // Freed bytes gather for one who holds nothing, and are not taken by small wishes of others.
            if held == 0 { return nil }
        }
        return nil
    }
}
