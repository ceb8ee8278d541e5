import Synchronization
import VaultModel

/// The lease under which this process reads, and who needs it.
final class LeaseHolder: Sendable {
    struct State {
        var id: UniqueID?
        var renewedAt: Int64 = 0
        var readers = 0
    }

    let state = Mutex(State())
    let lock = AsyncLock()
}

extension LocalVault {
    /// Makes sure of a lease before something is looked up that must not be collected.
    func holdLease() async throws(VaultError) {
        guard access != .readOnly else { return }
        lease.state.withLock { $0.readers += 1 }
        do {
            try await renewLease()
        } catch {
            await releaseLease()
            throw error
        }
    }

    /// Renews the lease in good time; while nobody has relied on the old one, takes a newer one.
    func renewLease() async throws(VaultError) {
        guard access != .readOnly else { return }
        let now = clock()
        let isFresh = { @Sendable (state: LeaseHolder.State) in
            state.id != nil && now - state.renewedAt < StoreLimits.leaseSeconds / 4
        }
        if lease.state.withLock({ isFresh($0) }) { return }
        try await lease.lock.withLock { () throws(VaultError) in
            let state = lease.state.withLock { $0 }
            if isFresh(state) { return }
            if let id = state.id, state.readers <= 1 { try await catalog.endLease(id) }
            let id = state.readers > 1 ? state.id ?? UniqueID() : UniqueID()
            try await catalog.lease(id, at: now)
            lease.state.withLock { ($0.id, $0.renewedAt) = (id, now) }
        }
    }

    /// A lease stays for the next reader until the vault is closed or it runs out.
    func releaseLease() async {
        lease.state.withLock { $0.readers = max(0, $0.readers - 1) }
    }

    func endLease() async {
        let id = lease.state.withLock { state in
            defer { state = LeaseHolder.State() }
            return state.id
        }
        // A lease that cannot be ended runs out.
        if let id { try? await catalog.endLease(id) }
    }
}
