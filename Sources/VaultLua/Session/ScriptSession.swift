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
        /// Opens the vault that a script names by a directory, of any bytes, or a URL.
        package typealias Connector = @Sendable ([UInt8]) async throws(VaultError) -> any Vault
        /// Makes the vault that a script names by a directory.
        package typealias Maker = @Sendable ([UInt8]) async throws(VaultError) -> Void
        /// Takes note that a prefix of a vault is filled from a local directory, and tells if it was another one before.
        package typealias FillNote = @Sendable (any Vault, NamePrefix, LocalPath) -> Void

        let open: Opener
        let connect: Connector
        let make: Maker
        let noteFill: FillNote
        /// Where `vault.log` goes.
        let log: @Sendable (LogLevel, String) -> Void
        /// Where the failures of tasks go that nobody has asked for.
        let tell: @Sendable (String) -> Void
        /// Shows how far a transfer is that the script does not watch itself, several times a second; nil when it is over.
        let draw: (@Sendable (TransferMeter?) -> Void)?

        package init(
            open: @escaping Opener, connect: @escaping Connector, make: @escaping Maker = Host.makesNone,
            noteFill: @escaping FillNote = { _, _, _ in }, log: @escaping @Sendable (LogLevel, String) -> Void,
            tell: @escaping @Sendable (String) -> Void, draw: (@Sendable (TransferMeter?) -> Void)? = nil
        ) {
            self.open = open
            self.connect = connect
            self.make = make
            self.noteFill = noteFill
            self.log = log
            self.tell = tell
            self.draw = draw
        }

        /// For scripts that may make no vault.
        package static let makesNone: Maker = { (_) async throws(VaultError) in
            throw VaultError(.denied, "No vault can be made here.")
        }
    }

    unowned(unsafe) let state: LuaState
    let interrupt: LuaInterrupt
    let host: Host
    let stop: ScriptStop?
    /// What makes the default vault.
    private var defaultVault: () -> VaultSource
    let mailbox = Mailbox()
    private(set) lazy var scheduler = Scheduler(self)
    private var unseenFailures: [Int: LuaError] = [:]
    private(set) var hasToldFailures = false
    /// What scripts can reach of this machine; nil for what their user can.
    var confinement: Confinement?
    /// The place at which the last error was raised first that was raised again elsewhere.
    private var origin: Origin?
    /// Whether a progress function is running.
    var isReporting = false
    /// From where the script has filled names that it did not give itself.
    var derivedNames = DerivedNames()
    /// Files that are open for reading, and how many let garbage be collected.
    var openReads = 0
    var openReadsToCollect = 200
    var openWrites = 0
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
        let vault = VaultSource(on: mailbox, opening: host.open)
        defaultVault = { vault }
    }

    deinit {
        mailbox.close()
    }

    /// The vault that a call acts on which names no connection.
    func vault(of call: borrowing LuaCall) -> VaultSource {
        scheduler.vault(of: call) ?? defaultVault()
    }

    /// Makes another vault the default one.
    func useVault(_ vault: @escaping () -> VaultSource) { defaultVault = vault }

    // MARK: Where errors come from

    private struct Origin {
        var message: String
        var traceback: String
        /// The task that it was raised in; nil for that in which it was raised again.
        var task: Int?
    }

    /// Remembers where an error was raised that is going to be raised again.
    func keepOrigin(message: String, _ traceback: String?, task: Int?) {
        guard let traceback else { return }
        // The functions in between say nothing to whoever reads it.
        let lines = traceback.split(separator: "\n", omittingEmptySubsequences: true).filter { line in
            !line.hasPrefix("\tvault:") && !line.hasPrefix("\t[C]: in function 'xpcall'")
        }
        origin = Origin(message: message, traceback: lines.joined(separator: "\n"), task: task)
    }

    /// The error with where it was raised first: where it was raised again says less.
    func withOrigin(_ error: LuaError) -> LuaError {
        guard let origin, origin.message == error.message else { return error }
        var error = error
        if let task = origin.task {
            error.traceback = [error.traceback, "in task \(task), \(origin.traceback)"].compactMap { $0 }
                .joined(separator: "\n")
        } else {
            error.traceback = origin.traceback
        }
        return error
    }

    // MARK: Failures that nobody has asked for

    func noteFailure(of task: Int, _ error: LuaError) {
        // What is asked to end fails as it likes.
        if stop?.reason == nil { unseenFailures[task] = error }
    }

    /// Notes that the script has asked how a task ended.
    func seeEnd(of task: Int) {
        unseenFailures[task] = nil
    }

    /// Tells of a failure that the script can ask for no more.
    func tellFailure(of task: Int) {
        guard let error = unseenFailures.removeValue(forKey: task), stop?.reason == nil else { return }
        hasToldFailures = true
        tell("task \(task): \(ScriptFailure(error).text ?? "")")
    }

    func tell(_ text: String) { host.tell(text) }

    /// Tells of all failures that are left, at the end of the script.
    func tellFailures() {
        for task in unseenFailures.keys.sorted() { tellFailure(of: task) }
    }

    /// Whether failures have been told since the last time.
    func takeToldFailures() -> Bool {
        defer { hasToldFailures = false }
        return hasToldFailures
    }

    /// Gives up the tasks that are left: the program that made the state closes it.
    package func abandonTasks() {
        scheduler.abandon()
        mailbox.close()
        tellFailures()
    }

    /// Closes the default vault. The state must not be used after.
    package func close() async {
        mailbox.close()
        await defaultVault().close()
    }
}
