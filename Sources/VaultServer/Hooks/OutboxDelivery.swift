import Glibc
import Logging
import Synchronization
import VaultModel
import VaultStore

/// Tells hooks what the outbox of a vault holds: at least once, and of each name one event after another.
final class OutboxDelivery: Sendable {
    private struct State {
        /// Events that hooks are being told, with the names that wait for them.
        var telling: [UInt64: OutboxRecord] = [:]
        var outcomes: [OutboxOutcome] = []
        var isAwake = false
        var sleeper: CheckedContinuation<Void, Never>?
        var isEnded = false
        var task: Task<Void, Never>?
        /// Until when this server is the one that tells; nil where another is.
        var isOnDutyUntil: ContinuousClock.Instant?
    }

    /// As whom it has the duty.
    private let holder = UniqueID()

    private let local: StoredVault
    private let pool: HookPool
    private let vaultName: String
    private let logger: Logger
    private let state = Mutex(State())

    init(_ local: StoredVault, _ pool: HookPool, vaultName: String, _ logger: Logger) {
        self.local = local
        self.pool = pool
        self.vaultName = vaultName
        self.logger = logger
    }

    func begin(for host: HostedVault) {
        let task = Task(executorPreference: ServerExecutor.shared) { [weak host, self] in
            while !state.withLock({ $0.isEnded }) {
                // Not held while this sleeps: a vault that is no longer served closes.
                guard let next = await round(host) else { return }
                await wait(until: next.due)
            }
        }
        state.withLock { $0.task = task }
    }

    private struct Next {
        /// Milliseconds since 1970 UTC; nil for nothing to wait for.
        var due: Int64?
    }

    private func round(_ host: HostedVault?) async -> Next? {
        guard let host else { return nil }
        return Next(due: await step(host))
    }

    /// Looks at the outbox soon, since something was added to it.
    func wake() {
        let sleeper = state.withLock { state in
            state.isAwake = true
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }

    /// Tells nothing any more.
    func stop() {
        state.withLock { $0.isEnded = true }
        wake()
    }

    func end() async {
        stop()
        await state.withLock { $0.task }?.value
        // The next server need not wait until it is over.
        try? await local.leaveDuty(OutboxDelivery.duty, as: holder)
    }

    private static let duty = "outbox"

    /// Whether this server is the one that tells.
    private func isOnDuty() async throws(VaultError) -> Bool {
        guard local.isShared else { return true }
        let now = ContinuousClock.now
        let margin = Duration.seconds(HookLimits.dutySeconds / 2)
        if let end = state.withLock({ $0.isOnDutyUntil }), now + margin < end { return true }
        let has = try await local.takeDuty(OutboxDelivery.duty, as: holder, seconds: HookLimits.dutySeconds)
        state.withLock { $0.isOnDutyUntil = has ? now + .seconds(HookLimits.dutySeconds) : nil }
        return has
    }

    // MARK: One round

    /// Notes what has come back, and tells what can be told.
    ///
    /// - Returns: when there is more to do, if nothing happens before.
    private func step(_ host: HostedVault) async -> Int64? {
        do throws(VaultError) {
            let outcomes = state.withLock { state in
                defer { state.outcomes = [] }
                state.isAwake = false
                return state.outcomes
            }
            do throws(VaultError) {
                try await local.settle(outcomes)
            } catch {
                // It is noted later.
                state.withLock { $0.outcomes.insert(contentsOf: outcomes, at: 0) }
                throw error
            }
            state.withLock { state in for outcome in outcomes { state.telling[outcome.number] = nil } }
            guard try await isOnDuty() else { return now() + HookLimits.dutyLookMilliseconds }
            let (ready, next) = try await ready()
            for (index, record) in ready.enumerated() { await tell(record, host, isLast: index == ready.count - 1) }
            // What other servers add nobody says.
            return local.isShared ? min(next ?? .max, now() + HookLimits.sharedLookMilliseconds) : next
        } catch {
            logger.error(
                "the outbox cannot be read",
                metadata: ["vault": "\(vaultName)", "error": "\(printable(error.description))"])
            return now() + 1000
        }
    }

    /// The events that can be told now, and when the next one can be (milliseconds since 1970 UTC).
    private func ready() async throws(VaultError) -> ([OutboxRecord], Int64?) {
        let telling = state.withLock { $0.telling }
        var busy: Set<Name> = []
        for record in telling.values { busy.formUnion(record.event.names) }
        var ready: [OutboxRecord] = []
        var next: Int64?
        var last: UInt64 = 0
        var looked = 0
        let now = now()
        while telling.count + ready.count < HookLimits.tellingMax, looked < HookLimits.lookedThroughMax {
            let page = try await local.outbox(after: last, limit: HookLimits.tellingMax)
            guard let end = page.last else { break }
            (last, looked) = (end.number, looked + page.count)
            for record in page where telling[record.number] == nil {
                let names = record.event.names
                if !busy.isDisjoint(with: names) {
                    // What follows it waits for it as well.
                    busy.formUnion(names)
                } else if record.due > now, record.due - now <= HookLimits.outboxWaitMilliseconds {
                    next = min(next ?? .max, record.due)
                    busy.formUnion(names)
                } else if telling.count + ready.count < HookLimits.tellingMax {
                    ready.append(record)
                    busy.formUnion(names)
                }
            }
        }
        return (ready, next)
    }

    private func tell(_ record: OutboxRecord, _ host: HostedVault, isLast: Bool) async {
        state.withLock { $0.telling[record.number] = record }
        let event = record.event
        let told = HookEvent(
            id: event.id, kind: HookKind(event.kind), vaultName: vaultName, host: host, name: event.name,
            formerName: event.formerName, version: event.version, user: event.user, peer: event.peer, time: event.time,
            attempt: record.failures + 1, depth: event.depth)
        pool.submit(told, isLast: isLast) { [self] outcome in
            state.withLock { $0.outcomes.append(self.outcome(outcome, of: record)) }
            wake()
        }
    }

    private func outcome(_ outcome: HookOutcome, of record: OutboxRecord) -> OutboxOutcome {
        switch outcome {
        case .accepted: return .told(record.number)
        case .suspended: return .later(record.number, due: now() + Int64(HookLimits.suspensionSeconds) * 1000)
        case .rejected(let reason):
            return failure("A hook rejected what has happened already: \(reason)", nil, of: record)
        case .failed(let error, let traceback):
            if error.code == .unavailable, error.isRetryable { return .later(record.number, due: now() + 1000) }
            return failure(error.description, traceback, of: record)
        }
    }

    private func failure(_ text: String, _ traceback: String?, of record: OutboxRecord) -> OutboxOutcome {
        let attempt = record.failures + 1
        let metadata: Logger.Metadata = [
            "vault": "\(vaultName)", "event": "\(record.event.kind.rawValue)", "name": "\(record.event.name)",
            "id": "\(record.event.id)", "attempt": "\(attempt)", "error": "\(printable(text))",
        ]
        guard attempt < HookLimits.attemptsMax else {
            logger.error("event set aside", metadata: metadata)
            return .failed(record.number, error: text, traceback: traceback)
        }
        logger.warning("event not told", metadata: metadata)
        let seconds = min(HookLimits.retrySecondsMin << record.failures, HookLimits.retrySecondsMax)
        // Not all at once again.
        let wait = Int64.random(in: Int64(seconds) * 500...Int64(seconds) * 1000)
        return .again(record.number, due: now() + wait, error: text, traceback: traceback)
    }

    private func wait(until due: Int64?) async {
        let timer = due.map { due in
            Task {
                do { try await Task.sleep(for: .milliseconds(max(1, due - now()))) } catch { return }
                wake()
            }
        }
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.isAwake || state.isEnded { return true }
                state.sleeper = continuation
                return false
            }
            if goesOn { continuation.resume() }
        }
        timer?.cancel()
    }

    /// Milliseconds since 1970 UTC; for those who share the vault the same.
    private func now() -> Int64 { local.isShared ? local.now * 1000 : currentNanoseconds() / 1_000_000 }
}

extension OutboxEvent {
    /// What it is about: a rename holds both.
    fileprivate var names: [Name] { [name] + (formerName.map { [$0] } ?? []) }
}

extension OutboxOutcome {
    fileprivate var number: UInt64 {
        switch self {
        case .told(let number), .again(let number, _, _, _), .failed(let number, _, _), .later(let number, _): number
        }
    }
}

extension HookKind {
    init(_ kind: OutboxEvent.Kind) {
        self =
            switch kind {
            case .save: .save
            case .read: .read
            case .remove: .remove
            case .rename: .rename
            }
    }
}
