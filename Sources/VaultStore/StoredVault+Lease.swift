import Synchronization
import VaultModel

/// The leases under which this process reads, and how many rely on each.
///
/// A lease protects what was needed when it was taken. Readers share the newest one for a while; an
/// older one lives on for those who began under it, so that readers who follow each other do not keep
/// everything from being collected.
final class LeaseHolder: Sendable {
    struct Lease {
        var takenAt: Int64
        var renewedAt: Int64
        var readers = 0

        /// Whether so little time has passed that others count on the lease. A clock that has been set says nothing.
        func isFresh(at now: Int64, since begin: Int64) -> Bool {
            begin <= now && now - begin < StoreLimits.leaseSeconds / 4
        }
    }

    struct State {
        var leases: [UniqueID: Lease] = [:]
        /// The lease that new readers join.
        var newest: UniqueID?
    }

    let state = Mutex(State())
    let lock = AsyncLock()
}

extension StoredVault {
    /// Joins a lease before something is looked up that must not be collected.
    ///
    /// - Returns: the lease to renew and to release; nil where only reading is allowed, or the disk is full: then a
    ///   collection may take what ``keep`` has dropped from under a reader, who is told.
    func holdLease() async throws(VaultError) -> UniqueID? {
        guard access != .readOnly else { return nil }
        if let joined = joinNewest() { return joined }
        return try await lease.lock.withLock { () throws(VaultError) in
            if let joined = joinNewest() { return joined }
            let (id, now) = (UniqueID(), clock())
            do throws(VaultError) {
                try await catalog.lease(id, at: now)
            } catch {
                // A full disk must not keep anybody from reading.
                if error.code == .quota { return nil }
                throw error
            }
            let ended = lease.state.withLock { state in
                let before = state.newest
                state.leases[id] = LeaseHolder.Lease(takenAt: now, renewedAt: now, readers: 1)
                state.newest = id
                return before.flatMap { state.removeIfUnused($0) }
            }
            try? await end(ended)
            return id
        }
    }

    /// Renews a lease in good time.
    func renewLease(_ id: UniqueID?) async throws(VaultError) {
        guard let id else { return }
        let now = clock()
        let isFresh = { @Sendable (state: LeaseHolder.State) in
            state.leases[id].map { $0.isFresh(at: now, since: $0.renewedAt) } ?? true
        }
        if lease.state.withLock({ isFresh($0) }) { return }
        try await lease.lock.withLock { () throws(VaultError) in
            if lease.state.withLock({ isFresh($0) }) { return }
            do throws(VaultError) {
                try await catalog.lease(id, at: now)
            } catch {
                if error.code == .quota { return }
                throw error
            }
            lease.state.withLock { $0.leases[id]?.renewedAt = now }
        }
    }

    /// The newest lease stays for the next reader until it is too old; others end with their last one.
    func releaseLease(_ id: UniqueID?) async {
        guard let id else { return }
        let ended = lease.state.withLock { state in
            state.leases[id]?.readers -= 1
            return state.newest == id ? nil : state.removeIfUnused(id)
        }
        try? await end(ended)
    }

    func endLeases() async {
        let ids = lease.state.withLock { state in
            defer { state = LeaseHolder.State() }
            return Array(state.leases.keys)
        }
        for id in ids { try? await end(id) }
    }

    private func joinNewest() -> UniqueID? {
        let now = clock()
        return lease.state.withLock { state in
            guard let id = state.newest, let newest = state.leases[id],
                newest.isFresh(at: now, since: newest.takenAt)
            else { return nil }
            state.leases[id]?.readers += 1
            return id
        }
    }

    /// A lease that cannot be ended runs out.
    private func end(_ id: UniqueID?) async throws(VaultError) {
        if let id { try await catalog.endLease(id) }
    }
}

extension LeaseHolder.State {
    fileprivate mutating func removeIfUnused(_ id: UniqueID) -> UniqueID? {
        guard leases[id]?.readers == 0 else { return nil }
        leases[id] = nil
        return id
    }
}
