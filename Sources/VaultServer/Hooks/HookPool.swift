import Logging
import Synchronization
package import VaultModel
import VaultWire

/// A process in which hooks run, as whoever starts it hands it over.
package protocol HookWorkerProcess: Sendable {
    /// Ends it at once, and waits for its end.
    func kill()
    /// How it ended, for the log; nil where it has not.
    func ending() -> String?
}

/// Starts processes in which hooks run. Implemented outside the server, which knows no Lua.
package protocol HookLauncher: Sendable {
    /// - Returns: the process, and the server's end of the socket pair that it speaks on.
    func launch() throws(VaultError) -> (process: any HookWorkerProcess, socket: Int32)
}

/// What the hooks of a server are.
package struct HookSettings: Sendable {
    package var file: LocalPath
    /// Workers of each kind: for hooks that are quick, and for those that may take long.
    package var workers = 2
    /// Bytes that Lua may allocate in a worker.
    package var memoryBytes = 64 << 20
    /// Programs and hosts that hooks may use.
    package var programs: [String] = []
    package var hosts: [String] = []

    package init(file: LocalPath) {
        self.file = file
    }
}

/// The workers of a server, and the events on their way to them and back.
final class HookPool: Sendable {
    /// Hooks that are quick do not wait for those that may take long.
    enum Lane: Int, CaseIterable, Sendable {
        case quick, slow
    }

    private struct LaneState {
        var waiting: [HookJob] = []
        var workers: [HookWorker] = []
    }

    private struct State {
        var table = HookTable.empty
        /// Grows with each file that is taken into use: workers of an older one end.
        var generation = 0
        var text: [UInt8] = []
        var lanes = Lane.allCases.map { _ in LaneState() }
        var nextNumber: UInt64 = 1
        var suspensions = HookSuspensions()
        var counts = HookCounts()
        var isClosed = false
    }

    let settings: HookSettings
    private let launcher: any HookLauncher
    private let services: ServerServices
    private let logger: Logger
    private let state = Mutex(State())
    private let loading = AsyncLock()
    private let log: HookLogLines

    init(_ settings: HookSettings, _ launcher: any HookLauncher, _ services: ServerServices, _ logger: Logger) {
        self.settings = settings
        self.launcher = launcher
        self.services = services
        self.logger = logger
        log = HookLogLines(logger)
    }

    var table: HookTable { state.withLock { $0.table } }
    var counts: HookCounts { state.withLock { $0.counts } }

    // MARK: The file

    /// Loads the file, and takes it into use if it is sound; another one stays in use if it is not.
    func load() async throws(VaultError) {
        try await loading.withLock { () async throws(VaultError) in
            let text = try SmallFile.read(settings.file, bytesMax: HookLimits.fileBytesMax)
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

    /// Loads the file again, and says in the log how that went.
    func reload() async {
        do throws(VaultError) {
            try await load()
            logger.notice("hooks loaded", metadata: ["hooks": "\(table.hooks.count)"])
        } catch {
            logger.error(
                "the hooks were not loaded; the old ones stay", metadata: ["error": "\(printable(error.description))"])
        }
    }

    func close() {
        let (workers, waiting) = state.withLock { state in
            defer { for lane in Lane.allCases { state.lanes[lane.rawValue] = LaneState() } }
            state.isClosed = true
            return (state.lanes.flatMap(\.workers), state.lanes.flatMap(\.waiting))
        }
        for worker in workers { worker.end() }
        for job in waiting { job.finish(.failed(HookPool.stopped, traceback: nil)) }
    }

    private static let stopped = VaultError(.unavailable, "The server is being stopped.", isRetryable: true)

    // MARK: Events

    /// Runs the hooks of events, and returns what became of each.
    func run(_ events: [HookEvent]) async -> [HookOutcome] {
        if events.isEmpty { return [] }
        return await withCheckedContinuation { continuation in
            let gathering = Gathering(events.count) { continuation.resume(returning: $0) }
            for (index, event) in events.enumerated() {
                submit(event, isLast: index == events.count - 1) { gathering.set($0, at: index) }
            }
        }
    }

    /// - Parameter isLast: whether no other event follows at once.
    func submit(_ event: HookEvent, isLast: Bool = true, _ completion: @escaping @Sendable (HookOutcome) -> Void) {
        let refusal = state.withLock { state -> HookOutcome? in
            if state.isClosed { return .failed(HookPool.stopped, traceback: nil) }
            let hooks = HookPool.hooks(of: event, in: state.table)
            if hooks.isEmpty { return .accepted }
            let lane: Lane = hooks.contains(where: \.isSlow) || !event.kind.isDeciding ? .slow : .quick
            let job = HookJob(event, number: state.nextNumber, completion)
            state.nextNumber += 1
            // What another event waits for goes first.
            let place = event.depth > 0 ? 0 : state.lanes[lane.rawValue].waiting.count
            state.lanes[lane.rawValue].waiting.insert(job, at: place)
            return nil
        }
        if let refusal { completion(refusal) }
        if isLast { for lane in Lane.allCases { serve(lane) } }
    }

    private static func hooks(of event: HookEvent, in table: HookTable) -> [HookDeclaration] {
        if let scheduled = event.scheduled { return table.hooks.filter { $0.number == scheduled.number } }
        return table.hooks(for: event.kind, event.name, depth: event.depth)
    }

    /// Hands what waits to workers that are free, and starts one where there are too few.
    private func serve(_ lane: Lane) {
        while true {
            enum Step {
                case hand(HookWorker, [HookRun])
                case start([UInt8], generation: Int)
                case nothing
            }
            var finished: [(HookJob, HookOutcome)] = []
            let step = state.withLock { state -> Step in
                guard !state.isClosed, !state.lanes[lane.rawValue].waiting.isEmpty else { return .nothing }
                let workers = state.lanes[lane.rawValue].workers
                if let worker = workers.first(where: { $0.takeIdle() }) {
                    let runs = takeBatch(&state, lane, &finished)
                    return .hand(worker, runs)
                }
                // What waits for one event of hooks can be another one.
                let isNested = state.lanes[lane.rawValue].waiting[0].event.depth > 0
                let workersMax = settings.workers + (isNested ? HookLimits.depthMax : 0)
                guard workers.count < workersMax, !workers.contains(where: \.isStarting) else { return .nothing }
                return .start(state.text, generation: state.generation)
            }
            for (job, outcome) in finished { job.finish(outcome) }
            switch step {
            case .nothing: return
            case .hand(let worker, let runs): worker.hand(runs)
            case .start(let text, let generation):
                do throws(VaultError) {
                    let worker = try startWorker(text, lane: lane)
                    // A file that was taken into use meanwhile has other hooks.
                    let isOfUse = state.withLock { state in
                        guard state.generation == generation, !state.isClosed else { return false }
                        state.lanes[lane.rawValue].workers.append(worker)
                        return true
                    }
                    if !isOfUse { worker.end() }
                } catch {
                    logger.error("a worker for hooks cannot be started", metadata: ["error": "\(error)"])
                    failWaiting(lane, error)
                }
                return
            }
        }
    }

    /// The next jobs, with the hooks that each is for; those that cannot run are finished instead.
    private func takeBatch(
        _ state: inout State, _ lane: Lane, _ finished: inout [(HookJob, HookOutcome)]
    ) -> [HookRun] {
        var runs: [HookRun] = []
        let now = ContinuousClock.now
        let index = lane.rawValue
        while runs.count < HookLimits.batchMax, let job = state.lanes[index].waiting.first {
            if job.isAlone, !runs.isEmpty { break }
            state.lanes[index].waiting.removeFirst()
            var hooks: [HookDeclaration] = []
            var suspended: HookDeclaration?
            for hook in HookPool.hooks(of: job.event, in: state.table) {
                if state.suspensions.admits(hook.number, at: now) {
                    hooks.append(hook)
                } else if !hook.acceptsErrors {
                    suspended = hook
                }
            }
            if let suspended {
                let reason = "The hook at \(suspended.place) is suspended, since it kept failing."
                finished.append((job, .suspended(reason)))
            } else if hooks.isEmpty {
                finished.append((job, .accepted))
            } else {
                runs.append(HookRun(job: job, hooks: hooks))
                if job.isAlone { break }
            }
        }
        return runs
    }

    private func failWaiting(_ lane: Lane, _ error: VaultError) {
        let waiting = state.withLock { state in
            defer { state.lanes[lane.rawValue].waiting = [] }
            return state.lanes[lane.rawValue].waiting
        }
        for job in waiting { job.finish(.failed(error, traceback: nil)) }
    }

    // MARK: Workers

    private func startWorker(_ text: [UInt8], lane: Lane) throws(VaultError) -> HookWorker {
        let (process, socket) = try launcher.launch()
        return HookWorker(process, socket, text: text, pool: self, lane, services, logger)
    }

    /// A worker has loaded its file, or asks for more: it may be handed events.
    func becameIdle(_ lane: Lane) { serve(lane) }

    func note(_ result: HookResult, of run: HookRun) {
        let changes = state.withLock { state -> [(HookDeclaration, HookSuspensions.Change)] in
            var changes: [(HookDeclaration, HookSuspensions.Change)] = []
            for part in result.parts {
                guard let hook = run.hooks.first(where: { $0.number == part.hook }) else { continue }
                state.counts.add(part, to: hook)
                if let change = state.suspensions.note(hook.number, failed: part.hasFailed, at: .now) {
                    changes.append((hook, change))
                }
            }
            return changes
        }
        for (hook, change) in changes {
            switch change {
            case .suspended:
                logger.error(
                    "hook suspended", metadata: ["hook": "\(hook.place)", "seconds": "\(HookLimits.suspensionSeconds)"])
            case .resumed: logger.notice("hook resumed", metadata: ["hook": "\(hook.place)"])
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
    /// - Parameter hasLoaded: whether it had come to load its file; another one would fail alike.
    func ended(_ worker: HookWorker, _ runs: [HookRun], because reason: VaultError, hasLoaded: Bool) {
        let isOfUse = state.withLock { state in
            for lane in Lane.allCases { state.lanes[lane.rawValue].workers.removeAll { $0 === worker } }
            return !state.isClosed
        }
        if runs.count == 1 || !isOfUse {
            for run in runs {
                let parts = run.hooks.map {
                    HookResult.Part(hook: $0.number, seconds: 0, hasRejected: false, hasFailed: true)
                }
                note(HookResult(parts: parts), of: run)
                let isAccepted = run.hooks.allSatisfy(\.acceptsErrors) && run.job.event.kind.isDeciding
                noteFailure(reason, of: run)
                run.job.finish(isAccepted ? .accepted : .failed(reason, traceback: nil))
            }
        } else if !runs.isEmpty {
            state.withLock { state in
                state.lanes[worker.lane.rawValue].waiting.insert(contentsOf: runs.map { $0.job.alone() }, at: 0)
            }
        }
        guard isOfUse else { return }
        if hasLoaded { serve(worker.lane) } else { failWaiting(worker.lane, reason) }
    }

    func write(_ level: String, _ text: String, hook: Int, of event: HookEvent?) {
        let place = state.withLock { $0.table.hooks.first { $0.number == hook }?.place }
        log.write(level, text, place: place, event)
    }
}

/// An event with the hooks that are to run on it.
struct HookRun: Sendable {
    var job: HookJob
    var hooks: [HookDeclaration]

    /// Within which its hooks must have run.
    var timeout: Duration { hooks.reduce(.zero) { $0 + $1.timeout } }
}

/// What a worker has reported of an event.
struct HookResult: Sendable {
    /// What became of one hook.
    struct Part: Sendable {
        var hook: Int
        var seconds: Double
        var hasRejected: Bool
        var hasFailed: Bool
    }

    var parts: [Part]
}

/// Results that come one by one, told when all are there.
private final class Gathering: Sendable {
    private struct State {
        var outcomes: [HookOutcome?]
        var missing: Int
    }

    private let state: Mutex<State>
    private let whenComplete: @Sendable ([HookOutcome]) -> Void

    init(_ count: Int, _ whenComplete: @escaping @Sendable ([HookOutcome]) -> Void) {
        state = Mutex(State(outcomes: Array(repeating: nil, count: count), missing: count))
        self.whenComplete = whenComplete
    }

    func set(_ outcome: HookOutcome, at index: Int) {
        let all = state.withLock { state -> [HookOutcome]? in
            guard state.outcomes[index] == nil else { return nil }
            state.outcomes[index] = outcome
            state.missing -= 1
            return state.missing == 0 ? state.outcomes.compactMap { $0 } : nil
        }
        if let all { whenComplete(all) }
    }
}
