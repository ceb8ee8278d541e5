import Synchronization
import VaultModel

/// Bytes of no use in the packs of a vault with a quota: those that uploads have left which gave way to others, that were
/// refused when they had come, and that failed commits have left.
extension StoredVault {
    /// Makes sure, before bytes are stored, that the vault takes up little more of the disk than counts towards its quota.
    ///
    /// The one who stores waits for it, so that nobody stores faster than is cleared away.
    func clearAway(before bytes: UInt64) async throws(VaultError) {
        guard waste.isLookDue(storing: bytes), let bound = try await wasteBound() else { return }
        do throws(VaultError) {
            try await waste.clearing.withLock { () async throws(VaultError) in
                guard try await wasted() > bound.packs else { return }
                waste.begin()
                defer { waste.end() }
                // Chunks that live uploads have not recorded hold their packs, and do not count.
                for upload in uploads.withLock({ Array($0.keys) }) { await recordAll(of: upload) }
                waste.setTotal(nil)
                guard try await wasted() > bound.packs else { return }
                _ = try await compact(leaving: bound.packs / 2, copyingAtMost: StoreLimits.clearedAtOnceBytes)
                waste.setTotal(nil)
                // Packs that others hold, or that cannot be read, are tried again later.
                if try await wasted() > bound.packs + bound.packs / 2 { waste.rest() }
            }
            try await catalog.shrink(leaving: bound.catalog)
        } catch  where error.code != .cancelled {
            // It is not the fault of whoever stores.
            waste.rest()
        }
    }

    /// Bytes of no use that the packs, and the catalog, may have; nil for a vault without a quota.
    func wasteBound() async throws(VaultError) -> (packs: UInt64, catalog: UInt64)? {
        guard let quota = try await catalog.usage().quota else { return nil }
        return (StoreLimits.wasteBytes + quota / 20, StoreLimits.freePageBytes + quota / 100)
    }

    /// Bytes of the packs that nothing counts.
    private func wasted() async throws(VaultError) -> UInt64 {
        var total = waste.total
        if total == nil {
            let listed = try await packs.list().values.reduce(0) { $0 + $1.length }
            waste.setTotal(listed)
            total = listed
        }
        let usage = try await catalog.usage()
        let used = usage.contentBytes + usage.pendingBytes + usage.journalBytes
        return (total ?? 0) - min(total ?? 0, used)
    }
}

/// Counts the bytes that a process stores in the packs of a vault, to know when to look for those of no use.
final class WasteWatch: Sendable {
    private struct State {
        /// Bytes stored since the last look.
        var fresh: UInt64 = 0
        /// Bytes after which the next look is due.
        var due = StoreLimits.wasteStepBytes
        /// Bytes of all packs, as they were listed and with what this process has stored since; nil for unknown.
        var total: UInt64?
        /// Bytes stored since they were listed.
        var unlisted: UInt64 = 0
        var isClearing = false
    }

    /// Held by the one who clears away.
    let clearing = AsyncLock()
    private let state = Mutex(State())

    var total: UInt64? { state.withLock { $0.total } }

    func setTotal(_ bytes: UInt64?) {
        state.withLock { ($0.total, $0.unlisted) = (bytes, 0) }
    }

    /// While somebody clears away, everybody else who stores waits.
    func begin() { state.withLock { $0.isClearing = true } }
    func end() { state.withLock { $0.isClearing = false } }

    /// Counts what is about to be stored.
    ///
    /// - Returns: whether so much has come that it is time to look.
    func isLookDue(storing bytes: UInt64) -> Bool {
        state.withLock { state in
            state.fresh += bytes
            state.unlisted += bytes
            state.total = state.total.map { $0 + bytes }
            // Others may have stored as much meanwhile.
            if state.unlisted >= StoreLimits.wasteBytes / 2 { (state.total, state.unlisted) = (nil, 0) }
            guard state.fresh >= state.due || state.isClearing else { return false }
            (state.fresh, state.due) = (0, StoreLimits.wasteStepBytes)
            return true
        }
    }

    /// Has the next look wait, where what is of no use cannot be cleared away yet.
    func rest() { state.withLock { $0.due = StoreLimits.wasteRestBytes } }
}
