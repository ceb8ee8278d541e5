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
        /// The request that waits for events.
        var waiting: CheckedContinuation<[HookRun]?, Never>?
        /// Whether that may be handed some.
        var isIdle = false
        /// What it has been handed and has not reported of, in its order.
        var runs: [HookRun] = []
        var deadline: ContinuousClock.Instant?
        var isRetired = false
        var isEnded = false
        /// Why it was ended from here.
        var reason: VaultError?
    }

    let lane: HookPool.Lane
    let memory: UserMemory
    private let process: any HookWorkerProcess
    private let text: [UInt8]
    private let pool: HookPool
    private let services: ServerServices
    private let logger: Logger
    private let events: ConnectionEvents
    private let state = Mutex(State())

    init(
        _ process: any HookWorkerProcess, _ socket: Int32, text: [UInt8], pool: HookPool,
        _ lane: HookPool.Lane, _ services: ServerServices, _ logger: Logger
    ) {
        self.process = process
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
        connect(socket, on: loop)
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
        let (runs, reason, declaring, waiting, hasLoaded) = state.withLock { state in
            defer { (state.declaring, state.waiting, state.runs) = (nil, nil, []) }
            state.isEnded = true
            return (state.runs, state.reason, state.declaring, state.waiting, state.declared != nil)
        }
        let error =
            reason
            ?? VaultError(
                .internal, "The process in which the hooks ran has ended: \(process.ending() ?? "without a word").")
        declaring?.resume(returning: .failure(error))
        waiting?.resume(returning: nil)
        for run in runs { await run.job.close() }
        if !runs.isEmpty || (reason == nil && !state.withLock { $0.isRetired }) {
            logger.error("hook worker lost", metadata: ["error": "\(error)", "events": "\(runs.count)"])
        }
        pool.ended(self, runs, because: error, hasLoaded: hasLoaded)
    }

    private let channel = Mutex<(any Channel)?>(nil)

    /// Ends a worker that has missed a deadline.
    private func watch() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .milliseconds(HookLimits.watchMilliseconds)) } catch { return }
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
    func hand(_ runs: [HookRun]) {
        let waiting = state.withLock { state -> CheckedContinuation<[HookRun]?, Never>? in
            if runs.isEmpty {
                state.isIdle = state.waiting != nil
                return nil
            }
            state.runs = runs
            state.deadline = .now + runs[0].timeout
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: runs)
    }

    /// Lets the worker end once it has dealt with what it has.
    func retire() {
        let waiting = state.withLock { state in
            defer { (state.waiting, state.isIdle) = (nil, false) }
            state.isRetired = true
            return state.waiting
        }
        waiting?.resume(returning: nil)
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
            events.answer(request.id, FrameWriter.frames(of: .failure(error), request: request.id))
        }
    }

    private func answer(_ request: ServerRequest) async throws(VaultError) -> ServerAnswer {
        do {
            switch request.message.body {
            case .hookBegin: return ServerAnswer { $0.hookSetup = WireHookSetup(pool.settings, text) }
            case .hookReady(let ready):
                take(ready)
                return try await nextEvents()
            case .hookReport(let report):
                for result in report.results { take(result) }
                return report.more ? try await nextEvents() : ServerAnswer(.done)
            case .hookLog(let line):
                pool.write(line.level, line.text, hook: Int(line.hook), of: job(request.message.event)?.event)
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
        let declaring = state.withLock { state in
            defer { (state.declaring, state.deadline) = (nil, nil) }
            state.declared = result
            return state.declaring
        }
        declaring?.resume(returning: result)
    }

    private func take(_ result: WireHookResult) {
        let run = state.withLock { state -> HookRun? in
            guard let index = state.runs.firstIndex(where: { $0.job.number == result.event }) else { return nil }
            defer { state.deadline = state.runs.first.map { .now + $0.timeout } }
            return state.runs.remove(at: index)
        }
        guard let run else { return }
        pool.note(result.parts, of: run)
        let outcome = result.outcome(of: run)
        if case .failed(let error, let traceback) = outcome { pool.noteFailure(error, traceback: traceback, of: run) }
        Task(executorPreference: ServerExecutor.shared) {
            await run.job.close()
            run.job.finish(outcome)
        }
    }

    /// Waits for events; the connection ends where there will be none.
    private func nextEvents() async throws(VaultError) -> ServerAnswer {
        let runs = await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.isRetired || state.isEnded { return true }
                (state.waiting, state.isIdle) = (continuation, true)
                return false
            }
            if isOver { return continuation.resume(returning: nil) }
            pool.becameIdle(lane)
        }
        guard let runs else {
            channel.withLock { $0 }?.close(promise: nil)
            throw VaultError(.cancelled, "The worker is not needed any more.")
        }
        return ServerAnswer { $0.hookEvents.events = runs.map { WireHookEvent($0) } }
    }
}

extension VaultError {
    /// For a request of a worker about an event that it does not have, or no longer.
    static var noSuchEvent: VaultError {
        VaultError(.denied, "The hook that asks is over: what it did not wait for cannot go on.")
    }
}
