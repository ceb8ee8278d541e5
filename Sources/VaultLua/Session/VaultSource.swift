import Synchronization
import VaultModel

/// A vault that is opened by the first operation that needs it, and closed when nothing needs it any more.
final class VaultSource: Sendable {
    private static let count = Atomic<UInt64>(0)

    /// Tells the vaults of a process apart, also one that is gone from a later one.
    let number = VaultSource.count.wrappingAdd(1, ordering: .relaxed).newValue
    private let opener: ScriptSession.Host.Opener
    private let executor: any TaskExecutor
    private let opening = AsyncLock()
    private let vault = Mutex<(any Vault)?>(nil)
    private let isClosed = Atomic<Bool>(false)

    /// - Parameter executor: on which the script's brief operations run.
    init(on executor: any TaskExecutor, opening opener: @escaping ScriptSession.Host.Opener) {
        self.opener = opener
        self.executor = executor
    }

    func opened() async throws(VaultError) -> any Vault {
        if let vault = vault.withLock({ $0 }) { return vault }
        return try await opening.withLock { () async throws(VaultError) in
            if let vault = vault.withLock({ $0 }) { return vault }
            let opened = GatheringVault(try await opener(), on: executor)
            vault.withLock { $0 = opened }
            return opened
        }
    }

    deinit {
        guard !isClosed.load(ordering: .relaxed), let vault = vault.withLock({ $0 }) else { return }
        Task(executorPreference: BlockingExecutor.shared) { await vault.close() }
    }

    /// Closes the vault, if it has been opened.
    func close() async {
        isClosed.store(true, ordering: .relaxed)
        await vault.withLock { $0 }?.close()
    }
}
