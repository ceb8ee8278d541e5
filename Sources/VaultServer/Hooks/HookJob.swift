import Synchronization
import VaultModel

/// An event on its way through the pool: once to a worker, or again where that one died.
final class HookJob: Sendable {
    let event: HookEvent
    let number: UInt64
    /// Called once.
    private let completion: @Sendable (HookOutcome) -> Void
    private let session = Mutex<Session?>(nil)
    private let early = Mutex<String?>(nil)
    /// Whether it goes to a worker by itself, since a worker has died over it and others.
    let isAlone: Bool

    init(
        _ event: HookEvent, number: UInt64, isAlone: Bool = false,
        _ completion: @escaping @Sendable (HookOutcome) -> Void
    ) {
        self.event = event
        self.number = number
        self.isAlone = isAlone
        self.completion = completion
    }

    /// Why a hook has refused it that may still run; nil where none has.
    var rejection: String? { early.withLock { $0 } }

    /// Notes that a hook has refused it, before its worker reports.
    func reject(_ reason: String) { early.withLock { $0 = $0 ?? reason } }

    func alone() -> HookJob { HookJob(event, number: number, isAlone: true, completion) }

    func finish(_ outcome: HookOutcome) { completion(outcome) }

    /// As whom hooks act on the event's vault: made when it is first needed.
    func session(_ services: ServerServices) throws(VaultError) -> Session {
        guard let host = event.host else {
            throw VaultError(.denied, "A login is about no vault: its hooks have none to act on.")
        }
        return session.withLock { session in
            if let session { return session }
            let made = Session(
                user: HookJob.user, vaultName: event.vaultName, vault: host,
                rules: AccessRules([Grant(prefix: .all, rights: .full)]), method: .hook, peer: "",
                memory: services.memory(of: HookJob.user), cause: event)
            session = made
            return made
        }
    }

    /// Finishes, once what the worker has left open is given up.
    func finishAndClose(_ outcome: HookOutcome) {
        if session.withLock({ $0 == nil }) { return finish(outcome) }
        Task(executorPreference: ServerExecutor.shared) {
            await self.close()
            self.finish(outcome)
        }
    }

    /// Gives up what the worker has left open.
    func close() async {
        let opened = session.withLock { session in
            defer { session = nil }
            return session
        }
        await opened?.end(VaultError(.cancelled, "The event is over."))
    }

    /// Who is named as the saver of what hooks save.
    static let user = "hooks"
}
