import Logging
import Synchronization
import VaultModel
import VaultTransport

/// What all connections of a server share.
final class ServerServices: Sendable {
    let accounts: Accounts
    let hosts: VaultHosts
    let sessions = SessionRegistry()
    let connections: ConnectionLimiter
    let bounds: ServerBounds
    let throttle = Mutex(LoginThrottle())
    private let refusals = RefusalTally()
    let logger: Logger
    /// Whether nobody is accepted any more.
    let isStopping = Atomic<Bool>(false)
    /// What decides on requests and hears of changes; nil for no hooks.
    let hooks = Shelf<HookPool?>(nil)

    /// What this server tells others that serve the same vaults; nil where there are none.
    let tokens: SharedTokens?

    let memory: ServerMemory

    init(_ accounts: Accounts, _ bounds: ServerBounds, _ logger: Logger) throws(VaultError) {
        self.accounts = accounts
        tokens = try accounts.sharedKey().map { SharedTokens(key: $0) }
        self.bounds = bounds
        self.logger = logger
        hosts = VaultHosts(accounts, logger)
        connections = ConnectionLimiter(bounds)
        memory = ServerMemory(bounds.heldBytes)
    }

    /// The memory for all requests of a user.
    func memory(of user: String) -> UserMemory { memory.memory(of: user) }

    func enrol(_ key: [UInt8], label: String, of user: String, peer: String) throws(VaultError) {
        try accounts.enrolKey(key, label: label, of: try UserName(user), peer: peer)
    }

    /// Writes a refusal down, or counts it among those of the same user, kind and vault.
    func auditRefusal(_ kind: AuditEvent.Kind, user: String, peer: String, vault: String, detail: String) {
        let key = RefusalTally.Key(kind: kind, user: user.cut(toBytes: ServerLimits.auditTextBytesMax), vault: vault)
        guard refusals.begins(key) else { return }
        var id: Int64?
        auditing { () throws(VaultError) in
            id = try accounts.recordRefusal(
                AuditEvent(kind, user: user, peer: peer, detail: detail, time: accounts.clock()))
        }
        refusals.begin(key, id)
    }

    /// Writes down what was only counted of refusals.
    func addRefusals() {
        let added = refusals.take()
        auditing { () throws(VaultError) in try accounts.addToRefusals(added) }
    }

    /// Writes an event down; a failure to do so is told in the log, and does not stop the server.
    func audit(_ event: AuditEvent.Kind, user: String, peer: String, detail: String = "") {
        auditing { () throws(VaultError) in
            try accounts.record(AuditEvent(event, user: user, peer: peer, detail: detail, time: accounts.clock()))
        }
    }

    private func auditing(_ body: () throws(VaultError) -> Void) {
        do throws(VaultError) {
            try body()
        } catch {
            logger.error("the audit trail cannot be written", metadata: ["error": "\(error)"])
        }
    }
}
