package import LuaEngine
import Synchronization
package import VaultModel

/// Asks a script to end, from any thread: once, so that it can clean up, and for good when its time for that is over.
package final class ScriptStop: Sendable {
    package let interrupt = LuaInterrupt()
    private let given = Mutex<VaultError?>(nil)

    package init() {}

    /// Why the script is to end; nil while it is not.
    package var reason: VaultError? { given.withLock { $0 } }

    /// What the script is doing raises `reason`: its waits that, its code the interrupt's value. Only the first call
    /// counts.
    package func stop(_ reason: VaultError) {
        // Who sees the interrupt finds the reason, and the other way round: the script must not be told twice.
        let isFirst = given.withLock { given in
            guard given == nil else { return false }
            given = reason
            interrupt.interruptOnce()
            return true
        }
        guard isFirst else { return }
        Task { [interrupt] in
            try await Task.sleep(for: .seconds(Stop.graceSeconds))
            interrupt.interrupt()
        }
    }
}
