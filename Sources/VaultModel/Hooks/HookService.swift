/// What a worker of hooks is given to run.
package struct HookSetup: Sendable {
    /// The file's name, for messages.
    package var file: String
    package var text: [UInt8]
    /// Bytes that Lua may allocate.
    package var memoryBytes: Int
    /// Programs and hosts that hooks may use.
    package var programs: [[UInt8]]
    package var hosts: [String]

    package init(file: String, text: [UInt8], memoryBytes: Int, programs: [[UInt8]], hosts: [String]) {
        self.file = file
        self.text = text
        self.memoryBytes = memoryBytes
        self.programs = programs
        self.hosts = hosts
    }
}

/// An event as a worker is told of it.
package struct HookCall: Sendable {
    /// By which the worker names it.
    package var number: UInt64
    /// The hooks to run, in their order.
    package var hooks: [Int]
    /// The same at each attempt.
    package var id: UniqueID
    package var kind: HookKind
    package var name: Name?
    package var formerName: Name?
    /// Of what the event is about, where it is known without ``HookService/entry(of:)``.
    package var size: UInt64?
    /// 0 for none.
    package var version: UInt64
    package var vault: String
    package var user: String
    package var peer: String
    /// Seconds since 1970 UTC.
    package var time: Int64
    /// Counted from 1.
    package var attempt: Int

    package init(
        number: UInt64, hooks: [Int], id: UniqueID, kind: HookKind, name: Name? = nil, formerName: Name? = nil,
        vault: String, user: String, peer: String, time: Int64,
        attempt: Int, size: UInt64? = nil, version: UInt64 = 0
    ) {
        self.number = number
        self.hooks = hooks
        self.id = id
        self.kind = kind
        self.name = name
        self.formerName = formerName
        self.size = size
        self.version = version
        self.vault = vault
        self.user = user
        self.peer = peer
        self.time = time
        self.attempt = attempt
    }
}

/// What hooks say of an event.
package struct HookAnswer: Sendable {
    /// What became of one hook.
    package struct Run: Sendable {
        package var hook: Int
        package var microseconds: UInt32
        package var hasRejected: Bool
        package var hasFailed: Bool

        package init(hook: Int, microseconds: UInt32, hasRejected: Bool, hasFailed: Bool) {
            self.hook = hook
            self.microseconds = microseconds
            self.hasRejected = hasRejected
            self.hasFailed = hasFailed
        }
    }

    package var number: UInt64
    /// Why it is refused; nil where it is not.
    package var rejection: String?
    /// What a hook has failed with, and where.
    package var failure: VaultError?
    package var traceback: String?
    /// Another name for it.
    package var name: [UInt8]?
    /// Tags to set, or to take away.
    package var tags: [TagText: TagText?] = [:]
    package var runs: [Run] = []

    package init(number: UInt64) {
        self.number = number
    }
}

/// The other side of a worker of hooks: the server that it works for, or who tries hooks without one.
package protocol HookService: Sendable {
    func setup() async throws(VaultError) -> HookSetup
    /// Tells what the file asks for, or why it cannot be loaded.
    func ready(_ hooks: Result<[HookDeclaration], VaultError>) async throws(VaultError)
    /// Tells of events that are over. Blocks the thread.
    ///
    /// - Parameter isLast: whether there will be no others: the rest is for another worker.
    func report(_ answers: [HookAnswer], isLast: Bool) throws(VaultError)
    /// The same, and waits for more events. Blocks the thread.
    ///
    /// - Throws: `cancelled` where there will be none.
    func next(after answers: [HookAnswer]) throws(VaultError) -> [HookCall]
    /// - Parameters:
    ///   - hook: the hook's number; 0 for none.
    ///   - event: the event's number; 0 for none.
    func log(_ level: String, _ text: String, hook: Int, event: UInt64)
    /// Tells at once that a hook has refused an event, which is final whatever becomes of the worker.
    func reject(_ reason: String, event: UInt64)
    /// The vault of an event, and what the hooks of an event may do there.
    func vault(of event: UInt64) -> any Vault
    /// What an event is about; nil for nothing.
    func entry(of event: HookCall) async throws(VaultError) -> Entry?
    /// Opens the content that an event is about.
    func openContent(of event: HookCall) async throws(VaultError) -> (OpenRead, any Vault)
    /// What hooks keep: the text of a JSON value, and its version.
    func value(_ key: String, for event: UInt64) async throws(VaultError) -> (json: [UInt8], version: UInt64)
    /// - Returns: false where the key is at another version.
    func store(
        _ json: [UInt8], as key: String, ifVersion: UInt64, for event: UInt64
    ) async throws(VaultError) -> Bool
    func add(_ amount: Double, to key: String, once id: String, for event: UInt64) async throws(VaultError) -> [UInt8]
}
