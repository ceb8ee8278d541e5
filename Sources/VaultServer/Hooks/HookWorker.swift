import FoundationEssentials
import Logging
import NIOCore
import NIOPosix
import Synchronization
import VaultModel
import VaultTransport
import VaultWire

/// One process in which hooks run, and the connection to it: it is served as any client is, and asks for events.
final class HookWorker: RequestOwner, Sendable {
    private struct State {
        /// What waits for the file to be loaded, and what came of that.
        var declaring: CheckedContinuation<Result<HookTable, VaultError>, Never>?
        var declared: Result<HookTable, VaultError>?
        /// Whether it may be handed events.
        var isIdle = false
        /// What it has been handed and has not reported of, in its order.
        var runs: [HookRun] = []
        /// How many it was handed at once.
        var handed = 0
        var contexts = HookContexts()
        var deadline: ContinuousClock.Instant?
        var isRetired = false
        var isEnded = false
        /// Why it was ended from here.
        var reason: VaultError?

        /// Takes what it was handed under a number. It reports in the order in which it was handed.
        mutating func take(_ number: UInt64) -> HookRun? {
            guard let index = runs.firstIndex(where: { $0.job.number == number }) else { return nil }
            return runs.remove(at: index)
        }
    }

    let lane: HookPool.Lane
    let memory: UserMemory
    private let process: any HookWorkerProcess
    private let text: [UInt8]
    private let pool: HookPool
    private let services: ServerServices
    private let logger: Logger
    private let events: ConnectionEvents
    /// The way of events and of reports on them.
    private let socket: MessageSocket
    private let state = Mutex(State())

    init(
        _ launch: HookLaunch, text: [UInt8], pool: HookPool, _ lane: HookPool.Lane, _ services: ServerServices,
        _ logger: Logger
    ) {
        process = launch.process
        socket = MessageSocket(launch.events)
        self.text = text
        self.pool = pool
        self.lane = lane
        self.services = services
        self.logger = logger
        memory = services.memory(of: HookJob.user)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        events = ConnectionEvents(loop, services.bounds, machine: ServerConnectionMachine(isWorker: true)) { reason in
            logger.debug("worker's connection ended", metadata: ["reason": "\(printable(reason))"])
        }
        let deadline = ContinuousClock.now + .seconds(HookLimits.loadSecondsMax)
        state.withLock { $0.deadline = deadline }
        connect(launch.requests, on: loop)
    }

    private func connect(_ socket: Int32, on loop: any EventLoop) {
        let events = events
        let channel = ClientBootstrap(group: loop)
            .channelOption(.recvAllocator, value: ConnectionSetup.receiving)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = FrameHandler(events, messageBytesMax: WireLimits.clientMessageBytesMax)
                    try channel.pipeline.syncOperations.addHandler(handler)
                    events.serveWorker(handler, self) { request in
                        Task(executorPreference: ServerExecutor.shared) { await self.serve(request) }
                    }
                }
            }
            .withConnectedSocket(socket)
        Task(executorPreference: ServerExecutor.shared) { await self.run(channel) }
    }

    /// Serves the worker until it ends.
    private func run(_ future: EventLoopFuture<any Channel>) async {
        let channel = try? await future.get()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watch() }
            if let channel {
                self.channel.withLock { $0 = channel }
                for await case .ended(let running) in events.stream { for task in running { await task.value } }
            }
            group.cancelAll()
        }
        process.kill()
        // What it has said before counts.
        while socket.wait(milliseconds: 0), takeReport() {}
        socket.end()
        let (runs, handed, reason, declaring, hasLoaded) = state.withLock { state in
            defer { (state.declaring, state.runs) = (nil, []) }
            (state.isEnded, state.isIdle) = (true, false)
            var hasLoaded = false
            if case .success? = state.declared { hasLoaded = true }
            return (state.runs, state.handed, state.reason, state.declaring, hasLoaded)
        }
        let error =
            reason
            ?? VaultError(
                .internal, "The process in which the hooks ran has ended: \(process.ending() ?? "without a word").")
        declaring?.resume(returning: .failure(error))
        for run in runs { await run.job.close() }
        if !runs.isEmpty || (reason == nil && !state.withLock { $0.isRetired }) {
            logger.error("hook worker lost", metadata: ["error": "\(error)", "events": "\(runs.count)"])
        }
        pool.ended(self, runs, isCulprit: runs.count == 1 && handed == 1, because: error, hasLoaded: hasLoaded)
    }

    private let channel = Mutex<(any Channel)?>(nil)

    /// Ends a worker that has missed a deadline.
    private func watch() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .milliseconds(HookLimits.watchMilliseconds)) } catch { return }
            // Its reports may lie there, while who is to collect them waits for a disk.
            if isLate(by: .zero), !isLate(by: .seconds(1)), socket.wait(milliseconds: 0) { continue }
            let late = state.withLock { state -> VaultError? in
                guard let deadline = state.deadline, ContinuousClock.now > deadline, state.reason == nil else {
                    return nil
                }
                let error: VaultError
                if let run = state.runs.first {
                    let hooks = run.hooks.map(\.place).joined(separator: ", ")
                    error = VaultError(
                        .timeout, "The hook at \(hooks) did not end within \(run.timeout), and was stopped.")
                } else {
                    error = VaultError(.timeout, "The hooks file was not loaded in \(HookLimits.loadSecondsMax) s.")
                }
                state.reason = error
                return error
            }
            if late != nil { end() }
        }
    }

    // MARK: What the pool does

    /// Waits for the file to be loaded.
    ///
    /// - Throws: why it cannot be.
    func declared() async throws(VaultError) -> HookTable {
        let result = await withCheckedContinuation { continuation in
            let known = state.withLock { state -> Result<HookTable, VaultError>? in
                if let declared = state.declared { return declared }
                if state.isEnded { return .failure(VaultError(.internal, "The process in which hooks run has ended.")) }
                state.declaring = continuation
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
        return try result.get()
    }

    /// Whether it is still loading the file.
    var isStarting: Bool { state.withLock { $0.declared == nil && !$0.isEnded } }

    /// Takes the worker for a batch, if it waits for one.
    func takeIdle() -> Bool {
        state.withLock { state in
            defer { state.isIdle = false }
            return state.isIdle
        }
    }

    /// Hands a batch to a worker that was taken.
    ///
    /// - Returns: whether there are answers to ``collect()``.
    func hand(_ runs: [HookRun]) -> Bool {
        let (isRetired, isEnded, events) = state.withLock { state in
            if state.isEnded { return (true, true, WireHookEvents()) }
            state.isIdle = runs.isEmpty && !state.isRetired
            (state.runs, state.handed) = (runs, runs.count)
            state.deadline = runs.first.map { .now + $0.timeout }
            return (state.isRetired, false, state.contexts.events(runs))
        }
        if isEnded {
            pool.takeBack(runs, lane)
            return false
        }
        if runs.isEmpty {
            if isRetired { socket.end() }
            return false
        }
        do throws(VaultError) {
            try socket.send(events.encoded)
            return true
        } catch {
            // That it has ended is noticed by its connection.
            return false
        }
    }

    /// Takes the reports on what the worker was handed, as long as they come soon; a thread waits for the others.
    func collect() {
        let deadline = ContinuousClock.now + .milliseconds(HookLimits.collectMilliseconds)
        while true {
            let left = max(0, (deadline - ContinuousClock.now) / .milliseconds(1))
            guard socket.wait(milliseconds: Int32(left.rounded(.up))) else { break }
            guard takeReport() else { return }
        }
        let thread = BlockingThread { [self] in while takeReport() {} }
        if !thread.isStarted { end() }
    }

    /// Takes one report, waiting for it.
    ///
    /// - Returns: whether more are to come.
    private func takeReport() -> Bool {
        do {
            guard let bytes = try socket.receive(bytesMax: WireLimits.hookMessageBytesMax) else {
                end()
                return false
            }
            return take(try WireHookReport(decoding: bytes))
        } catch {
            logger.error("a worker for hooks says what is no report", metadata: ["error": "\(error)"])
            end()
            return false
        }
    }

    private func isLate(by time: Duration) -> Bool {
        state.withLock { $0.deadline.map { ContinuousClock.now > $0 + time } ?? false }
    }

    /// Lets the worker end once it has dealt with what it has.
    func retire() {
        let isIdle = state.withLock { state in
            defer { state.isIdle = false }
            state.isRetired = true
            return state.isIdle || state.declared == nil
        }
        if isIdle { socket.end() }
    }

    /// Ends the worker, whatever it is at.
    func end() {
        process.kill()
        channel.withLock { $0 }?.close(promise: nil)
    }

    // MARK: Requests

    func enter(_ message: WireClientMessage) -> ChangeOrder.Turn? {
        guard let job = job(message.event) else { return nil }
        return (try? job.session(services))?.enter(message)
    }

    private func job(_ number: UInt64) -> HookJob? {
        number == 0 ? nil : state.withLock { state in state.runs.first { $0.job.number == number }?.job }
    }

    private func serve(_ request: ServerRequest) async {
        do throws(VaultError) {
            let answer = try await self.answer(request)
            try await events.send(answer, to: request, memory.answers, channel.withLock { $0 })
        } catch {
            events.answer(request, FrameWriter.frames(of: .failure(error), request: request.id))
        }
    }

    private func answer(_ request: ServerRequest) async throws(VaultError) -> ServerAnswer {
        do {
            switch request.message.body {
            case .hookBegin: return ServerAnswer { $0.hookSetup = WireHookSetup(pool.settings, text) }
            case .hookReady(let ready):
                take(ready)
                return ServerAnswer(.done)
            case .hookLog(let line):
                pool.write(line.level, line.text, hook: Int(line.hook), of: nil)
                return ServerAnswer(.done)
            case .hookValue(let value):
                guard let job = job(request.message.event) else { throw VaultError.noSuchEvent }
                return try await job.event.answer(value)
            default:
                guard let job = job(request.message.event) else { throw VaultError.noSuchEvent }
                try job.event.check(request.message)
                return try await job.session(services).answer(request, services)
            }
        } catch let violation as WireViolation {
            throw VaultError(violation)
        } catch {
            throw VaultError(error)
        }
    }

    private func take(_ ready: WireHookReady) {
        let result: Result<HookTable, VaultError>
        if ready.hasFailure {
            result = .failure(ready.failure.model)
        } else {
            do throws(VaultError) {
                var hooks: [HookDeclaration] = []
                for hook in ready.hooks { hooks.append(try hook.model) }
                result = .success(try HookTable(hooks))
            } catch {
                result = .failure(error)
            }
        }
        let (declaring, isRetired) = state.withLock { state in
            defer { (state.declaring, state.deadline) = (nil, nil) }
            state.declared = result
            // What has not loaded the file is of no use.
            if case .failure = result { state.isRetired = true }
            state.isIdle = !state.isRetired
            return (state.declaring, state.isRetired)
        }
        declaring?.resume(returning: result)
        if isRetired { socket.end() } else { pool.becameIdle(lane) }
    }

    /// Takes what the worker says of events.
    ///
    /// - Returns: whether it has more to say.
    private func take(_ report: WireHookReport) -> Bool {
        for line in report.lines {
            pool.write(line.level, line.text, hook: Int(line.hook), of: job(line.event)?.event)
        }
        for rejection in report.rejections {
            job(rejection.event)?.reject(String(rejection.reason.prefix(HookLimits.reasonBytesMax)))
        }
        let (done, isOver, isRetired) = state.withLock { state -> ([(HookResult, HookOutcome, HookRun)], Bool, Bool) in
            var done: [(HookResult, HookOutcome, HookRun)] = []
            for (number, microseconds) in zip(report.passed, report.microseconds) {
                guard let run = state.take(number), let hook = run.hooks.first else { continue }
                let part = HookResult.Part(
                    hook: hook.number, seconds: Double(microseconds) / 1e6, hasRejected: false, hasFailed: false)
                done.append((HookResult(parts: [part]), .accepted, run))
            }
            for result in report.results {
                guard let run = state.take(result.event) else { continue }
                done.append((result.parts, result.outcome(of: run), run))
            }
            if report.leaving { (state.isRetired, state.handed) = (true, .max) }
            // Lines of the log are no sign that a hook comes to its end.
            if !done.isEmpty { state.deadline = state.runs.first.map { .now + $0.timeout } }
            let isOver = state.runs.isEmpty
            state.isIdle = isOver && !state.isRetired && !state.isEnded
            return (done, isOver, state.isRetired)
        }
        pool.note(done.map { (result: $0, run: $2) })
        for (_, outcome, run) in done {
            if case .failed(let error, let traceback) = outcome {
                pool.noteFailure(error, traceback: traceback, of: run)
            }
            run.job.finishAndClose(outcome)
        }
        guard isOver else { return true }
        if isRetired { socket.end() } else { pool.becameIdle(lane) }
        return false
    }
}

extension VaultError {
    /// For a request of a worker about an event that it does not have, or no longer.
    static var noSuchEvent: VaultError {
        VaultError(.denied, "The hook that asks is over: what it did not wait for cannot go on.")
    }
}
