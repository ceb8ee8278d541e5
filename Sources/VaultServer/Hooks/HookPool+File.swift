import Logging
import Synchronization
import VaultModel
import VaultWire

/// The file of the hooks, and when another one is taken into use.
extension HookPool {
    /// Loads the file for a server that starts.
    ///
    /// - Throws: why the file cannot be used; a missing one is no hooks where nobody has named it.
    func loadFirst() async throws(VaultError) {
        do throws(VaultError) {
            try await load()
            warnOfNone()
        } catch {
            let isThere = (try? FileStatus(of: settings.file)) != nil
            guard error.code == .notFound, settings.isFileOptional, !isThere else { throw error }
        }
    }

    /// Loads the file, and takes it into use if it is sound; another one stays in use if it is not.
    private func load() async throws(VaultError) {
        try await loading.withLock { () async throws(VaultError) in
            let before = try FileStatus(of: settings.file, followsLinks: true)
            let text = try SmallFile.read(settings.file, bytesMax: HookLimits.fileBytesMax)
            guard try FileStatus(of: settings.file, followsLinks: true) == before else {
                throw VaultError(
                    .conflict, "'\(settings.file)' changed while it was read.", path: settings.file, isRetryable: true)
            }
            let worker = try startWorker(text, lane: .quick)
            let table: HookTable
            do throws(VaultError) {
                table = try await worker.declared()
            } catch {
                worker.end()
                throw error
            }
            let old = state.withLock { state in
                let old = state.lanes.flatMap(\.workers)
                state.generation += 1
                state.table = table
                state.text = text
                state.suspensions = HookSuspensions()
                state.paces = HookPaces()
                state.counts.keep(table)
                for lane in Lane.allCases { state.lanes[lane.rawValue].workers = [] }
                state.lanes[Lane.quick.rawValue].workers = [worker]
                return old
            }
            // They deal with what they have; then nothing more comes.
            for worker in old { worker.retire() }
            for lane in Lane.allCases { serve(lane) }
        }
    }

    /// Loads the file again once nobody writes to it, and says in the log how that went.
    func reload() async {
        await settle()
        do throws(VaultError) {
            try await load()
            logger.notice("hooks loaded", metadata: ["hooks": "\(table.hooks.count)"])
            warnOfNone()
        } catch {
            logger.error(
                "the hooks were not loaded; the old ones stay", metadata: ["error": "\(printable(error.description))"])
        }
    }

    /// Waits until the file has not changed for a second: many programs write a file in place, and not at once, and a half of
    /// it would be another law.
    private func settle() async {
        var seen = try? FileStatus(of: settings.file, followsLinks: true)
        for _ in 0..<HookLimits.settlingSecondsMax {
            let second: Int64 = 1_000_000_000
            // By the time that nobody can set; one that is to come says nothing.
            let age = seen.map { currentNanoseconds().subtractingReportingOverflow($0.changed) }
            if let age, !age.overflow, age.partialValue > second { return }
            do { try await Task.sleep(for: .nanoseconds(second)) } catch { return }
            let now = try? FileStatus(of: settings.file, followsLinks: true)
            if now == seen { return }
            seen = now
        }
    }

    private func warnOfNone() {
        guard table.hooks.isEmpty else { return }
        logger.warning("the file declares no hooks", metadata: ["file": "\(settings.file)"])
    }
}
