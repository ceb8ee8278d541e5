import Logging
import Synchronization
import VaultModel
import VaultStore

/// A vault as a server has it open, with the changes that are under way.
final class HostedVault: Sendable {
    private struct Key: Hashable {
        var user: String
        var change: UniqueID
    }

    let id: String
    /// By which people know it.
    let name: String
    let local: StoredVault
    /// What decides on changes of the vault and hears of them; nil for no hooks.
    let hooks: HookPool?
    /// What tells hooks; nil for no hooks.
    let outbox: OutboxDelivery?
    /// Work that rewrites much of the vault: one at a time.
    let heavyWork = AsyncLock()
    private let turns = Mutex<[String: AsyncLock]>([:])
    private let saves = Mutex<[Key: Task<Result<SaveOutcome?, VaultError>, Never>]>([:])

    /// - Parameter name: by which people know the vault.
    init(id: String, name: String, local: StoredVault, hooks: HookPool?, logger: Logger) {
        self.id = id
        self.name = name
        self.local = local
        self.hooks = hooks
        outbox = hooks.map { OutboxDelivery(local, $0, vaultName: name, logger) }
        outbox?.begin(for: self)
    }

    /// Does long work for a user: one at a time of each, which nobody else waits for.
    func takingTurns<Value: Sendable>(
        for user: String, _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        let lock = turns.withLock { locks in
            let lock = locks[user] ?? AsyncLock()
            locks[user] = lock
            return lock
        }
        return try await lock.withLock { () async throws(VaultError) in
            // Whoever has gone meanwhile needs it no more.
            if Task.isCancelled { throw .cancelled }
            return try await body()
        }
    }

    /// Which changes go to the outbox; nil for none.
    func telling(depth: Int) -> Telling? {
        guard let hooks else { return nil }
        let table = hooks.table
        guard OutboxEvent.Kind.allCases.contains(where: { table.wants(HookKind($0)) }) else { return nil }
        return Telling(depth: depth) { kind, name in !table.hooks(for: HookKind(kind), name, depth: depth).isEmpty }
    }

    /// Has hooks told of what a change has just added to the outbox, if it can have added something.
    func wakeOutbox(depth: Int) { if telling(depth: depth) != nil { outbox?.wake() } }

    func close() async {
        await outbox?.end()
        await local.close()
    }

    /// Runs a commit to its end, whatever becomes of the connection that asked for it; a repeat that comes
    /// meanwhile gets the same result.
    func committing(
        _ change: UniqueID, of user: String,
        _ body: @escaping @Sendable () async throws(VaultError) -> SaveOutcome?
    ) async throws(VaultError) -> SaveOutcome? {
        let key = Key(user: user, change: change)
        let task = saves.withLock { saves in
            if let task = saves[key] { return task }
            let task = Task(executorPreference: ServerExecutor.shared) {
                let result: Result<SaveOutcome?, VaultError>
                do throws(VaultError) {
                    result = .success(try await body())
                } catch {
                    result = .failure(error)
                }
                self.forget(key)
                return result
            }
            saves[key] = task
            return task
        }
        return try await task.value.get()
    }

    private func forget(_ key: Key) {
        saves.withLock { $0[key] = nil }
    }
}
