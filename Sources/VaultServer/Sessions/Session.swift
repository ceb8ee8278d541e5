import Crypto
import FoundationEssentials
import Synchronization
import VaultModel
import VaultStore
import VaultWire

/// One login: who it is, what it may do, and what it has open. It outlives its connections for a while.
final class Session: RequestOwner {
    /// How the session came to be, so that it ends when that is no longer true.
    enum Method: Sendable, Hashable {
        /// With the key that the password's proof was compared with.
        case password(storedKey: [UInt8])
        case deviceKey([UInt8])
        /// A hook's, which acts as the server.
        case hook

        var deviceKey: [UInt8]? {
            if case .deviceKey(let key) = self { key } else { nil }
        }

        /// Nil for a login by other means.
        var storedKey: [UInt8]? {
            if case .password(let key) = self { key } else { nil }
        }
    }

    private struct State {
        var rules: AccessRules
        var uploads: [UniqueID: OpenUpload] = [:]
        var reads: [UniqueID: SessionRead] = [:]
        /// Those among them that another server has opened, oldest first: it alone is told when they end.
        var takenOver: [UniqueID] = []
        var connections: [ObjectIdentifier: ServerConnection] = [:]
        var control: ServerConnection?
        /// When the last connection went.
        var abandonedAt: ContinuousClock.Instant?
        var end: VaultError?
    }

    /// An upload under the client's id.
    struct OpenUpload: Sendable {
        var id: UploadID
        var name: Name
        var tags: [TagText: TagText]
        /// The part of the server's memory that it takes.
        let share: FairBudget.Share
        /// Chunks that have been offered.
        var offered: UInt64 = 0
    }

    let ticket: [UInt8]
    let user: String
    let vaultName: String
    let method: Method
    /// The address from which the session was begun.
    let peer: String
    let vault: HostedVault
    /// The memory for content, which all sessions of the user share.
    let memory: UserMemory
    /// The part of it that the session itself takes; nil for a hook's.
    private let share: FairBudget.Share?
    /// The event that a hook acts on; nil for somebody's own session.
    let cause: HookEvent?
    /// What other servers of the same vaults are told; nil where there are none.
    let tokens: SharedTokens?
    let order = ChangeOrder()
    /// Lets one offer of an upload in at a time, since their order is the file's.
    let offers = AsyncLock()
    /// Lets one fetch in at a time that takes a read over which another server has opened.
    let takingOver = AsyncLock()
    private let state: Mutex<State>

    /// - Parameters:
    ///   - ticket: that of another server's session, which goes on with this one; nil for a new session.
    ///   - now: seconds since 1970 UTC, for those who share the vaults.
    init(
        user: String, vaultName: String, vault: HostedVault, rules: AccessRules, method: Method, peer: String,
        memory: UserMemory, share: FairBudget.Share? = nil, cause: HookEvent? = nil, tokens: SharedTokens? = nil,
        ticket: [UInt8]? = nil, now: Int64 = 0
    ) {
        self.user = user
        self.vaultName = vaultName
        self.vault = vault
        self.method = method
        self.peer = peer
        self.memory = memory
        self.share = share
        self.cause = cause
        self.tokens = tokens
        self.ticket =
            ticket
            ?? tokens.map { tokens in
                tokens.ticket(
                    SharedTokens.Ticket(
                        user: user, vaultName: vaultName, vault: vault.id, deviceKey: method.deviceKey,
                        passwordMark: method.storedKey.map { tokens.mark(of: $0) } ?? []), now: now)
            } ?? Session.randomTicket()
        state = Mutex(State(rules: rules))
    }

    private static func randomTicket() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    // MARK: Rights

    var rules: AccessRules {
        get { state.withLock { $0.rules } }
        set { state.withLock { $0.rules = newValue } }
    }

    /// As whom the session changes the vault.
    var caller: Caller {
        let rules = rules
        return Caller(
            user: user, peer: peer,
            sharing: rules.canReadEverything ? .everything : .own(readable: { rules.allows(.read, on: $0) }),
            telling: vault.telling(depth: depth))
    }

    /// How many hooks stand between somebody's request and what this session does.
    var depth: Int { cause.map { $0.depth + 1 } ?? 0 }

    // MARK: Connections

    /// - Throws: the reason, once the session has ended; `unavailable` for too many connections.
    func attach(_ connection: ServerConnection, isControl: Bool) throws(VaultError) {
        let replaced = try state.withLock { (state) throws(VaultError) in
            if let end = state.end { throw end }
            guard state.connections.count < ServerLimits.connectionsPerSessionMax else {
                throw VaultError(.unavailable, "The session has too many connections.")
            }
            state.connections[ObjectIdentifier(connection)] = connection
            state.abandonedAt = nil
            guard isControl else { return nil as ServerConnection? }
            defer { state.control = connection }
            return state.control
        }
        // A connection that was cut may look alive from here for a long time.
        replaced?.close(VaultError(.unavailable, "The session goes on over another connection."))
    }

    func detach(_ connection: ServerConnection) {
        state.withLock { state in
            state.connections[ObjectIdentifier(connection)] = nil
            if state.control === connection { state.control = nil }
            if state.connections.isEmpty { state.abandonedAt = .now }
        }
    }

    /// Lets the session end in time where no connection ever came to use it.
    func abandonIfUnused() {
        state.withLock { state in
            if state.connections.isEmpty, state.abandonedAt == nil { state.abandonedAt = .now }
        }
    }

    /// Whether nobody has used the session for so long that it ends.
    func isAbandoned(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            guard let since = state.abandonedAt else { return false }
            return now - since > .seconds(ServerLimits.lingerSeconds)
        }
    }

    /// Ends the session: its connections close with the reason, its uploads and reads are given up.
    func end(_ reason: VaultError) async {
        let ended = state.withLock { state in
            let ended = state
            if state.end == nil { state.end = reason }
            (state.uploads, state.reads, state.connections, state.control) = ([:], [:], [:], nil)
            return ended
        }
        for connection in ended.connections.values { connection.close(reason) }
        for upload in ended.uploads.values { await vault.local.abort(upload.id) }
        for read in ended.reads.values { await vault.local.closeRead(read.id) }
    }

    // MARK: Uploads and reads

    func upload(_ id: UniqueID) -> OpenUpload? { state.withLock { $0.uploads[id] } }

    func add(_ upload: OpenUpload, as id: UniqueID) throws(VaultError) {
        try state.withLock { (state) throws(VaultError) in
            if let end = state.end { throw end }
            guard state.uploads.count < ServerLimits.uploadsPerSessionMax else {
                throw VaultError(.unavailable, "The session has too many unfinished saves.")
            }
            state.uploads[id] = upload
        }
    }

    func offered(_ count: UInt64, of id: UniqueID) {
        state.withLock { $0.uploads[id]?.offered = count }
    }

    @discardableResult
    func removeUpload(_ id: UniqueID) -> OpenUpload? { state.withLock { $0.uploads.removeValue(forKey: id) } }

    /// Gives all uploads up; clients begin them again, and send only what is missing.
    func forgetUploads() async {
        let uploads = state.withLock { state in
            defer { state.uploads = [:] }
            return Array(state.uploads.values)
        }
        for upload in uploads { await vault.local.abort(upload.id) }
    }

    func read(_ id: UniqueID) -> SessionRead? { state.withLock { $0.reads[id] } }

    func add(_ read: SessionRead, as id: UniqueID) throws(VaultError) {
        try state.withLock { (state) throws(VaultError) in
            if let end = state.end { throw end }
            guard state.reads.count < ServerLimits.readsPerSessionMax else {
                throw VaultError(.unavailable, "The session has too many open reads.")
            }
            state.reads[id] = read
        }
    }

    /// Adds a read that another server has opened, in place of the oldest of many such.
    ///
    /// - Returns: the one that is to be closed.
    func addTakenOver(_ read: SessionRead, as id: UniqueID) throws(VaultError) -> SessionRead? {
        try state.withLock { (state) throws(VaultError) in
            if let end = state.end { throw end }
            state.reads[id] = read
            state.takenOver.append(id)
            guard state.takenOver.count > ServerLimits.readsTakenOverMax else { return nil }
            return state.reads.removeValue(forKey: state.takenOver.removeFirst())
        }
    }

    func removeRead(_ id: UniqueID) -> SessionRead? { state.withLock { $0.reads.removeValue(forKey: id) } }

    /// Gives a change its place in the order of the session.
    func enter(_ message: WireClientMessage) -> ChangeOrder.Turn? {
        switch message.body {
        case .saveSmall(let save): return order.enter(.names(save.files.map(\.intent.name)))
        case .commit(let commit):
            guard let id = try? UniqueID(wire: commit.upload), let upload = upload(id) else { return nil }
            return order.enter(.names([Data(upload.name.bytes)]))
        case .change, .keep: return order.enter(.everything)
        default: return nil
        }
    }
}

/// An open read with what the session may still do with it.
struct SessionRead: Sendable {
    var id: ReadID
    var entry: Entry
    /// The part of the server's memory that it takes.
    let share: FairBudget.Share
}
