package import LuaEngine
package import VaultModel

/// What one Lua state knows of vaults: the default one, those it has connected to, and how to wait.
///
/// Confined to the state's thread.
package final class ScriptSession {
    /// What the program around a state does for its scripts. All of it may be called from any thread.
    package struct Host: Sendable {
        /// Opens the vault that scripts act on when they name none.
        package typealias Opener = @Sendable () async throws(VaultError) -> any Vault
        /// Opens the vault that a script names by a directory or URL.
        package typealias Connector = @Sendable (String) async throws(VaultError) -> any Vault

        let open: Opener
        let connect: Connector
        /// Where `vault.log` goes.
        let log: @Sendable (LogLevel, String) -> Void
        /// Where the failures of tasks go that nobody has asked for.
        let tell: @Sendable (String) -> Void
        /// Shows how far a transfer is that the script does not watch itself, several times a second; nil when it is over.
        let draw: (@Sendable (TransferMeter?) -> Void)?

        package init(
            open: @escaping Opener, connect: @escaping Connector, log: @escaping @Sendable (LogLevel, String) -> Void,
            tell: @escaping @Sendable (String) -> Void, draw: (@Sendable (TransferMeter?) -> Void)? = nil
        ) {
            self.open = open
            self.connect = connect
            self.log = log
            self.tell = tell
            self.draw = draw
        }
    }

    unowned(unsafe) let state: LuaState
    let interrupt: LuaInterrupt
    let host: Host
    let stop: ScriptStop?
    private let defaultVault: VaultSource
    let mailbox = Mailbox()
    private(set) lazy var scheduler = Scheduler(self)
    private(set) var hasToldFailures = false
    /// Whether a progress function is running.
    var isReporting = false
    /// `debug.traceback`, `string.format` and `tonumber` as they were before the script could change them.
    var traceback: LuaReference?
    var format: LuaReference?
    var toNumber: LuaReference?

    package enum LogLevel: String, Sendable {
        case debug, info, warn, error
    }

    /// - Parameter stop: asks the script to end; it must have made the state's interrupt.
    package init(_ state: LuaState, _ host: Host, stop: ScriptStop? = nil) {
        self.state = state
        self.host = host
        self.stop = stop
        interrupt = state.interrupt
        defaultVault = VaultSource(on: mailbox, opening: host.open)
    }

    /// The vault that functions without a connection act on.
    var vault: VaultSource {
        scheduler.current.vaults.last?.vault ?? defaultVault
    }

    /// Tells of a failure that the script can ask for no more.
    func tellFailure(of task: ScriptTask, _ error: LuaError) {
        // What is asked to end fails as it likes.
        if stop?.reason != nil { return }
        hasToldFailures = true
        host.tell("task \(task.number): \(ScriptFailure(error).text ?? "")")
    }

    /// Gives up the tasks that are left: the program that made the state closes it.
    package func abandonTasks() {
        scheduler.abandon()
    }

    /// Closes the default vault. The state must not be used after.
    package func close() async {
        await defaultVault.close()
    }
}
