import Logging
import Synchronization
import VaultModel
import VaultWire

/// The workers of a server, and the events on their way to them and back.
final class HookPool: Sendable {
    /// Hooks that are quick do not wait for those that may take long.
    enum Lane: Int, CaseIterable, Sendable {
        case quick, slow
    }

    struct LaneState {
        /// By who brought it about: the user, and the vault.
        var waiting = FairQueue<[String], HookJob>()
        var workers: [HookWorker] = []
        /// Whether a process is being made that is no worker of the lane yet.
        var isLaunching = false
    }

    struct State {
        var table = HookTable.empty
        /// Grows with each file that is taken into use: workers of an older one end.
        var generation = 0
        var text: [UInt8] = []
        var lanes = Lane.allCases.map { _ in LaneState() }
        var nextNumber: UInt64 = 1
        var suspensions = HookSuspensions()
        var paces = HookPaces()
        var counts = HookCounts()
        var isClosed = false
    }

    let settings: HookSettings
    let launcher: any HookLauncher
    let services: ServerServices
    let logger: Logger
    let state = Mutex(State())
    let loading = AsyncLock()
    let log: HookLogLines
    let suspends: Bool

    /// - Parameters:
    ///   - lines: takes what hooks write; nil for the log.
    ///   - suspends: whether a hook that keeps failing rests.
    init(
        _ settings: HookSettings, _ launcher: any HookLauncher, _ services: ServerServices, _ logger: Logger,
        lines: HookLogLines? = nil, suspends: Bool = true
    ) {
        self.suspends = suspends
        self.settings = settings
        self.launcher = launcher
        self.services = services
        self.logger = logger
        log = lines ?? HookLogLines(logger)
    }

    var table: HookTable { state.withLock { $0.table } }
    var counts: HookCounts {
        state.withLock { state in
            var counts = state.counts
            counts.mark { state.suspensions.isSuspended($0) }
            return counts
        }
    }
    var workerCount: Int { state.withLock { $0.lanes.reduce(0) { $0 + $1.workers.count } } }

    func close() {
        let (workers, waiting) = state.withLock { state in
            state.isClosed = true
            let workers = state.lanes.flatMap(\.workers)
            let waiting = state.lanes.indices.flatMap { state.lanes[$0].waiting.removeAll() }
            for lane in Lane.allCases { state.lanes[lane.rawValue] = LaneState() }
            return (workers, waiting)
        }
        for worker in workers { worker.end() }
        for job in waiting { job.finish(.failed(HookPool.stopped, traceback: nil)) }
    }

    static let stopped = VaultError(.unavailable, "The server is being stopped.", isRetryable: true)

    // MARK: Events

    /// Runs the hooks of events, and returns what became of each.
    func run(_ events: [HookEvent]) async -> [HookOutcome] {
        let gathering = HookGathering(events.count)
        var lanes: Set<Lane> = []
        for (index, event) in events.enumerated() {
            if let lane = enqueue(event, { gathering.set($0, at: index) }) { lanes.insert(lane) }
        }
        let handed = lanes.flatMap { handOut($0) }
        // Whoever has handed events to a worker waits for it: most hooks are quicker than another thread.
        for worker in handed { worker.collect() }
        return await gathering.all()
    }

    /// The same for one event, where nobody waits.
    ///
    /// - Parameter isLast: whether no other event follows at once.
    func submit(_ event: HookEvent, isLast: Bool = true, _ completion: @escaping @Sendable (HookOutcome) -> Void) {
        _ = enqueue(event, completion)
        guard isLast else { return }
        for lane in Lane.allCases { serve(lane) }
    }

    /// - Returns: where it waits; nil where it is over already.
    private func enqueue(_ event: HookEvent, _ completion: @escaping @Sendable (HookOutcome) -> Void) -> Lane? {
        let (lane, outcome) = state.withLock { state -> (Lane?, HookOutcome) in
            if state.isClosed { return (nil, .failed(HookPool.stopped, traceback: nil)) }
            let hooks = HookPool.hooks(of: event, in: state.table)
            if hooks.isEmpty { return (nil, .accepted) }
            let seconds = hooks.reduce(0) { $0 + $1.timeout / .seconds(1) }
            let lane: Lane = seconds > HookLimits.quickSecondsMax || !event.kind.isDeciding ? .slow : .quick
            let job = HookJob(event, number: state.nextNumber, completion)
            state.nextNumber += 1
            // What another event waits for goes first.
            if event.depth > 0 {
                state.lanes[lane.rawValue].waiting.putAhead([job])
            } else {
                state.lanes[lane.rawValue].waiting.append(job, of: [event.user, event.vaultName])
            }
            return (lane, .accepted)
        }
        if lane == nil { completion(outcome) }
        return lane
    }

    private static func hooks(of event: HookEvent, in table: HookTable) -> [HookDeclaration] {
        if let scheduled = event.scheduled {
            return table.hooks.filter {
                $0.number == scheduled.number && $0.place == scheduled.place && $0.schedule == scheduled.schedule
            }
        }
        return table.hooks(for: event.kind, event.name, depth: event.depth)
    }

    /// Hands out what waits, and takes what comes back at once.
    func serve(_ lane: Lane) {
        for worker in handOut(lane) { worker.collect() }
    }

    /// Hands what waits to workers that are free, and starts one where there are too few.
    ///
    /// - Returns: the workers that have been handed something: their answers are to be collected.
    private func handOut(_ lane: Lane) -> [HookWorker] {
        var handed: [HookWorker] = []
        while true {
            enum Step {
                case hand(HookWorker, [HookRun])
                case start([UInt8], generation: Int)
                case nothing
            }
            var finished: [(HookJob, HookOutcome)] = []
            let step = state.withLock { state -> Step in
                guard !state.isClosed, let first = state.lanes[lane.rawValue].waiting.first else { return .nothing }
                let workers = state.lanes[lane.rawValue].workers
                if let worker = workers.first(where: { $0.takeIdle() }) {
                    let runs = takeBatch(&state, lane, &finished)
                    return .hand(worker, runs)
                }
                // What waits for one event of hooks can be another one.
                let workersMax = settings.workers + (first.event.depth > 0 ? HookLimits.depthMax : 0)
                guard workers.count < workersMax, !workers.contains(where: \.isStarting),
                    !state.lanes[lane.rawValue].isLaunching
                else { return .nothing }
                state.lanes[lane.rawValue].isLaunching = true
                return .start(state.text, generation: state.generation)
            }
            for (job, outcome) in finished { job.finish(outcome) }
            switch step {
            case .nothing: return handed
            case .hand(let worker, let runs):
                if worker.hand(runs) { handed.append(worker) }
            case .start(let text, let generation):
                start(lane, text, generation: generation)
                return handed
            }
        }
    }

    private func start(_ lane: Lane, _ text: [UInt8], generation: Int) {
        do throws(VaultError) {
            let worker = try startWorker(text, lane: lane)
            // A file that was taken into use meanwhile has other hooks.
            let isOfUse = state.withLock { state in
                state.lanes[lane.rawValue].isLaunching = false
                guard state.generation == generation, !state.isClosed else { return false }
                state.lanes[lane.rawValue].workers.append(worker)
                return true
            }
            if !isOfUse { worker.retire() }
            // It may have loaded its file before it was one of the lane, and have been looked for in vain.
            becameIdle(lane)
        } catch {
            logger.error("a worker for hooks cannot be started", metadata: ["error": "\(error)"])
            let isAlone = state.withLock { state in
                state.lanes[lane.rawValue].isLaunching = false
                return state.lanes[lane.rawValue].workers.isEmpty
            }
            // Where there are others, what waits has them to wait for.
            if isAlone { failWaiting(lane, error) }
        }
    }

    /// The next jobs, with the hooks that each is for; those that cannot run are finished instead.
    private func takeBatch(
        _ state: inout State, _ lane: Lane, _ finished: inout [(HookJob, HookOutcome)]
    ) -> [HookRun] {
        var runs: [HookRun] = []
        var seconds = 0.0
        let now = ContinuousClock.now
        let index = lane.rawValue
        while runs.count < HookLimits.batchMax, let job = state.lanes[index].waiting.first {
            if job.isAlone || seconds > HookLimits.batchSecondsMax, !runs.isEmpty { break }
            state.lanes[index].waiting.removeFirst()
            var hooks: [HookDeclaration] = []
            var suspended: HookDeclaration?
            for hook in HookPool.hooks(of: job.event, in: state.table) {
                // What a worker has died over was admitted before. One whose errors accept is asked all the same: its rest
                // would let pass what it rejects.
                let isAsked = hook.acceptsErrors && job.event.kind.isDeciding
                if job.isAlone || isAsked || state.suspensions.admits(hook.party(of: job.event), at: now) {
                    hooks.append(hook)
                } else {
                    suspended = hook
                }
            }
            if let suspended {
                let reason = "The hook at \(suspended.place) is suspended, since it kept failing."
                finished.append((job, .suspended(reason)))
            } else if hooks.isEmpty {
                finished.append((job, .accepted))
            } else {
                runs.append(HookRun(job: job, hooks: hooks, generation: state.generation))
                if job.isAlone { break }
                // What takes long, or nobody knows how long, is not to stand before others that another worker can have.
                for hook in hooks { seconds += state.paces.seconds(of: hook.party(of: job.event)) ?? .infinity }
            }
        }
        return runs
    }

    func failWaiting(_ lane: Lane, _ error: VaultError) {
        let waiting = state.withLock { state in
            state.lanes[lane.rawValue].waiting.removeAll()
        }
        for job in waiting { job.finish(.failed(error, traceback: nil)) }
    }
}

extension HookDeclaration {
    func party(of event: HookEvent) -> HookParty {
        HookParty(hook: number, user: event.user, vault: event.vaultName)
    }
}
