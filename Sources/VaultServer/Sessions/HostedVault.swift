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
    let local: LocalVault
    /// Work that reads or rewrites much of the vault: one at a time.
    let heavyWork = AsyncLock()
    private let saves = Mutex<[Key: Task<Result<SaveOutcome?, VaultError>, Never>]>([:])

    init(id: String, local: LocalVault) {
        self.id = id
        self.local = local
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
