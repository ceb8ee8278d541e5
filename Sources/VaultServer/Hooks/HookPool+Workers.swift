import Logging
import Synchronization
import VaultModel
import VaultWire

/// Reports of workers, and the events that one had which is gone.
extension HookPool {
    func startWorker(_ text: [UInt8], lane: Lane) throws(VaultError) -> HookWorker {
        HookWorker(try launcher.launch(), text: text, pool: self, lane, services, logger)
    }

    /// A worker has loaded its file, or has reported on all that it had: it may be handed events.
    func becameIdle(_ lane: Lane) {
        let isWanted = state.withLock { !$0.lanes[lane.rawValue].waiting.isEmpty }
        // Not here: whoever has collected the last answers waits for them.
        if isWanted { Task(executorPreference: ServerExecutor.shared) { self.serve(lane) } }
    }

    func note(_ results: [(result: HookResult, run: HookRun)]) {
        let changes = state.withLock { state -> [(HookDeclaration, HookEvent, HookSuspensions.Change)] in
            var changes: [(HookDeclaration, HookEvent, HookSuspensions.Change)] = []
            let now = ContinuousClock.now
            // Hooks of a file that is no longer in use have other numbers.
            for (result, run) in results where run.generation == state.generation {
                for part in result.parts {
                    guard let hook = run.hooks.first(where: { $0.number == part.hook }) else { continue }
                    let (event, party) = (run.job.event, hook.party(of: run.job.event))
                    state.counts.add(part, to: hook, on: event.vaultName)
                    state.paces.note(part.seconds, of: party)
                    if suspends, let change = state.suspensions.note(party, failed: part.hasFailed, at: now) {
                        changes.append((hook, event, change))
                    }
                }
            }
            return changes
        }
        for (hook, event, change) in changes {
            var metadata: Logger.Metadata = [
                "hook": "\(hook.place)", "user": "\(event.user)", "vault": "\(event.vaultName)",
            ]
            switch change {
            case .suspended:
                metadata["seconds"] = "\(HookLimits.suspensionSeconds)"
                logger.error("hook suspended", metadata: metadata)
            case .resumed: logger.notice("hook resumed", metadata: metadata)
            }
        }
    }

    /// Tells of a hook that failed to decide; what hooks could not be told of is its outbox's to tell.
    func noteFailure(_ error: VaultError, traceback: String? = nil, of run: HookRun) {
        let event = run.job.event
        guard event.kind.isDeciding else { return }
        var metadata = event.metadata
        metadata["error"] = "\(error.description.prefix(HookLimits.reasonBytesMax))"
        if let traceback { metadata["traceback"] = "\(traceback)" }
        logger.error("hook failed", metadata: metadata)
    }

    /// A worker is gone. What it was at is tried again, each event by itself, so that only the one fails over which
    /// workers die.
    ///
    /// - Parameters:
    ///   - isCulprit: whether it had one event and no other, so that this is what it died of.
    ///   - hasLoaded: whether it had come to load its file; another one would fail alike.
    func ended(_ worker: HookWorker, _ runs: [HookRun], isCulprit: Bool, because reason: VaultError, hasLoaded: Bool) {
        var again = runs.filter { $0.job.rejection == nil }.map { $0.job.alone() }
        let (isOfUse, wasOfUse, isAlone) = state.withLock { state in
            let wasOfUse = state.lanes.contains { $0.workers.contains { $0 === worker } }
            for lane in Lane.allCases { state.lanes[lane.rawValue].workers.removeAll { $0 === worker } }
            if isCulprit || state.isClosed { again = [] }
            state.lanes[worker.lane.rawValue].waiting.putAhead(again)
            return (!state.isClosed, wasOfUse, state.lanes[worker.lane.rawValue].workers.isEmpty)
        }
        for run in runs {
            if let rejection = run.job.rejection {
                // It is final, whatever became of the worker after.
                noteFailure(reason, of: run)
                run.job.finish(.rejected(rejection))
            } else if !isOfUse {
                run.job.finish(.failed(HookPool.stopped, traceback: nil))
            } else if isCulprit {
                let parts = run.hooks.map {
                    HookResult.Part(hook: $0.number, seconds: 0, hasRejected: false, hasFailed: true)
                }
                note([(HookResult(parts: parts), run)])
                noteFailure(reason, of: run)
                // Of several hooks nobody knows which had been asked.
                let isAccepted = run.hooks.count == 1 && run.hooks[0].acceptsErrors && run.job.event.kind.isDeciding
                run.job.finish(isAccepted ? .accepted : .failed(reason, traceback: nil))
            }
        }
        guard isOfUse else { return }
        // A worker that tries a new file is nobody's loss.
        if !hasLoaded, wasOfUse, isAlone { failWaiting(worker.lane, reason) } else { serve(worker.lane) }
    }

    /// Takes back what a worker was handed that had just ended.
    func takeBack(_ runs: [HookRun], _ lane: Lane) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.lanes[lane.rawValue].waiting.putAhead(runs.map(\.job)) }
            return state.isClosed
        }
        if isClosed { for run in runs { run.job.finish(.failed(HookPool.stopped, traceback: nil)) } }
        becameIdle(lane)
    }

    func write(_ level: String, _ text: String, hook: Int, of event: HookEvent?) {
        let place = state.withLock { $0.table.hooks.first { $0.number == hook }?.place }
        log.write(level, text, place: place, event)
    }
}
