package import VaultModel

/// Slows the guessing of passwords, per user and per address.
///
/// Every try counts as failed from its start until it is told to have succeeded, so that many at once get no
/// further than one after the other. After a few that are free, each failure doubles the time to the next try,
/// up to a bound; failures are forgiven one by one as time passes. A success takes back the failures of that
/// user from that address, and no others: neither does somebody's own account wipe out guesses at others'
/// passwords, nor does a user's login free the way for who is guessing elsewhere.
///
/// Logins by device key do not come here. A refused try changes nothing, so waiting is enough. Users that do
/// not exist are treated as those that do; names that no user can have share one tally. Memory is bounded: where it is full, those with the fewest failures
/// are forgotten, which are the ones that a flood of addresses or names brings.
package struct LoginThrottle: Sendable {
    private struct Pair: Hashable {
        var user: UserName?
        var address: AddressGroup
    }

    private var users: TallyTable<UserName?>
    private var addresses: TallyTable<AddressGroup>
    private var pairs: TallyTable<Pair>

    package init() {
        self.init(capacity: ServerLimits.loginTalliesMax)
    }

    init(capacity: Int) {
        users = TallyTable(free: ServerLimits.loginFailuresFreePerUser, capacity: capacity)
        addresses = TallyTable(free: ServerLimits.loginFailuresFreePerAddress, capacity: capacity)
        // Only counts what to take back, and delays nobody.
        pairs = TallyTable(free: ServerLimits.loginFailuresFreePerAddress, capacity: capacity)
    }

    /// Asks whether a password may be tried now, and counts the try if so.
    ///
    /// - Parameter user: nil for a name that no user can have.
    /// - Returns: nil where it may; otherwise how long to wait before asking again.
    package mutating func delay(user: UserName?, address: AddressGroup, now: ContinuousClock.Instant) -> Duration? {
        let wait = max(users.wait(user, now: now), addresses.wait(address, now: now))
        guard wait == .zero else { return wait }
        users.count(user, now: now)
        addresses.count(address, now: now)
        pairs.count(Pair(user: user, address: address), now: now)
        return nil
    }

    /// Takes back the failures of the user from the address, after a password that was right.
    package mutating func succeeded(user: UserName?, address: AddressGroup, now: ContinuousClock.Instant) {
        let failures = pairs.remove(Pair(user: user, address: address), now: now)
        users.takeBack(failures, of: user, now: now)
        addresses.takeBack(failures, of: address, now: now)
    }

    /// How many failures are remembered, for tests.
    var size: Int { users.size + addresses.size + pairs.size }
}

/// Failures by key, a bounded number of keys.
private struct TallyTable<Key: Hashable & Sendable>: Sendable {
    private struct Tally {
        var failures: Int
        /// From when on time is to be forgiven.
        var countedAt: ContinuousClock.Instant
        var lastAt: ContinuousClock.Instant
    }

    private static var forgiveness: Duration { .seconds(ServerLimits.loginForgivenessSeconds) }

    private let free: Int
    private let capacity: Int
    private var tallies: [Key: Tally] = [:]

    init(free: Int, capacity: Int) {
        self.free = free
        self.capacity = capacity
    }

    var size: Int { tallies.count }

    /// How long the key has to wait, zero for not at all.
    func wait(_ key: Key, now: ContinuousClock.Instant) -> Duration {
        guard let tally = tallies[key].flatMap({ TallyTable.forgiven($0, now: now) }), tally.failures >= free else {
            return .zero
        }
        let doublings = min(tally.failures - free, 20)
        let delay = Duration.seconds(min(1 << doublings, ServerLimits.loginPenaltySecondsMax))
        return max(.zero, tally.lastAt + delay - now)
    }

    mutating func count(_ key: Key, now: ContinuousClock.Instant) {
        var tally =
            tallies[key].flatMap { TallyTable.forgiven($0, now: now) }
            ?? Tally(failures: 0, countedAt: now, lastAt: now)
        // More than lead to the longest delay would only take longer to be forgiven.
        tally.failures = min(tally.failures + 1, failuresMax)
        tally.lastAt = now
        if tallies[key] == nil, tallies.count >= capacity { makeRoom(now: now) }
        tallies[key] = tally
    }

    mutating func takeBack(_ failures: Int, of key: Key, now: ContinuousClock.Instant) {
        guard var tally = tallies[key].flatMap({ TallyTable.forgiven($0, now: now) }) else { return }
        tally.failures -= failures
        tallies[key] = tally.failures > 0 ? tally : nil
    }

    /// Forgets the key, and tells how many failures it had.
    mutating func remove(_ key: Key, now: ContinuousClock.Instant) -> Int {
        guard let tally = tallies.removeValue(forKey: key) else { return 0 }
        return TallyTable.forgiven(tally, now: now)?.failures ?? 0
    }

    private var failuresMax: Int {
        free + Int.bitWidth - ServerLimits.loginPenaltySecondsMax.leadingZeroBitCount
    }

    /// The tally as it is by now; nil where all is forgiven.
    private static func forgiven(_ tally: Tally, now: ContinuousClock.Instant) -> Tally? {
        let steps = Int((now - tally.countedAt) / forgiveness)
        guard steps > 0 else { return tally }
        guard steps < tally.failures else { return nil }
        var tally = tally
        tally.failures -= steps
        tally.countedAt += forgiveness * steps
        return tally
    }

    /// Forgets a quarter, so that it need not be done often.
    private mutating func makeRoom(now: ContinuousClock.Instant) {
        tallies = tallies.compactMapValues { TallyTable.forgiven($0, now: now) }
        let excess = tallies.count - capacity * 3 / 4
        guard excess > 0 else { return }
        let least = tallies.sorted { ($0.value.failures, $0.value.lastAt) < ($1.value.failures, $1.value.lastAt) }
        for (key, _) in least.prefix(excess) { tallies[key] = nil }
    }
}
