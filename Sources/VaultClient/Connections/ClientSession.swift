import Synchronization
package import VaultModel
import VaultTransport
import VaultWire

/// A login with the connections that it uses: one for control, others for content, made anew when they are
/// cut. Requests that a cut left without an answer are sent again, which the protocol makes harmless.
final class ClientSession: RequestCarrier {
    /// Which connection a request takes.
    enum Route: Sendable {
        case control
        case content
    }

    private struct State {
        var control: ClientConnection?
        var content: [ClientConnection?] = Array(repeating: nil, count: ClientLimits.contentConnections)
        var ticket: [UInt8]?
        var nextContent = 0
        var login: WireLoginDone?
        var isClosed = false
        /// The session could not be taken up again for long: from then on, each request tries once.
        var isGivenUp = false
    }

    private let connector: ClientConnector
    private let identity: ClientIdentity
    private let vault: String
    private let state = Mutex(State())
    /// Held while a connection is made, so that many requests do not make many.
    private let connecting = AsyncLock()
    private let pace: BandwidthLimit?
    private let onEvent: @Sendable (SessionEvent) -> Void

    /// Connects and logs in.
    static func begin(
        _ connector: ClientConnector, as identity: ClientIdentity, vault: String, pace: BandwidthLimit?,
        onEvent: @escaping @Sendable (SessionEvent) -> Void
    ) async throws(VaultError) -> ClientSession {
        let session = ClientSession(connector, identity, vault, pace, onEvent)
        try await session.logIn()
        return session
    }

    private init(
        _ connector: ClientConnector, _ identity: ClientIdentity, _ vault: String, _ pace: BandwidthLimit?,
        _ onEvent: @escaping @Sendable (SessionEvent) -> Void
    ) {
        self.connector = connector
        self.identity = identity
        self.vault = vault
        self.pace = pace
        self.onEvent = onEvent
    }

    var login: WireLoginDone? { state.withLock { $0.login } }

    /// Carries a request out, over as many connections as that takes.
    ///
    /// - Throws: what the server answers; `unavailable` once the session could not be taken up again in time.
    func perform(
        _ message: WireClientMessage, content: [BufferSlice], on route: Route
    ) async throws(VaultError) -> ClientAnswer {
        var time = RetryTime(at: .now)
        var message = message
        var isSent = false
        while true {
            let connection: ClientConnection
            do throws(VaultError) {
                connection = try await self.connection(route, until: time.deadline)
            } catch {
                throw error.after(message, isSent: isSent)
            }
            let start = ContinuousClock.now
            do throws(RequestFailure) {
                return try await connection.request(message, content: content, limit: pace)
            } catch {
                guard case .lost(let reason) = error else { throw error.error }
                isSent = true
                time.lost(at: .now, sentAt: start)
                if case .saveSmall = message.body { message.saveSmall.again = true }
                // The server may have ended the session for a reason that trying again does not change.
                if state.withLock({ $0.isClosed }) || ContinuousClock.now >= time.deadline
                    || [.denied, .login, .invalid].contains(reason.code)
                {
                    throw reason.after(message, isSent: true)
                }
                drop(connection)
            }
        }
    }

    /// Sends a request whose answer nobody waits for, if there is a connection.
    func post(_ message: WireClientMessage) {
        state.withLock { $0.control }?.post(message)
    }

    func close() {
        let closed = state.withLock { state in
            let closed = ([state.control] + state.content).compactMap { $0 }
            state.isClosed = true
            (state.control, state.content) = (nil, [])
            return closed
        }
        for connection in closed { connection.close() }
    }

    // MARK: Connections

    private func connection(
        _ route: Route, until deadline: ContinuousClock.Instant
    ) async throws(VaultError) -> ClientConnection {
        let (slot, ready) = state.withLock { state in
            switch route {
            case .control: return (nil as Int?, state.control)
            case .content:
                guard !state.content.isEmpty else { return (nil, state.control) }
                state.nextContent = (state.nextContent + 1) % state.content.count
                return (state.nextContent, state.content[state.nextContent])
            }
        }
        if let ready, ready.isActive { return ready }
        return try await connecting.withLock { () async throws(VaultError) in
            try await self.reconnect(slot, until: deadline)
        }
    }

    private func reconnect(
        _ slot: Int?, until deadline: ContinuousClock.Instant
    ) async throws(VaultError) -> ClientConnection {
        var backOff = BackOff()
        var isTold = false
        while true {
            if Task.isCancelled { throw .cancelled }
            let (known, isClosed) = state.withLock { state in
                (slot.map { $0 < state.content.count ? state.content[$0] : nil } ?? state.control, state.isClosed)
            }
            if isClosed { throw .connectionLost(cause: "it was closed here") }
            if let known, known.isActive { return known }
            let isLastTry = ContinuousClock.now >= deadline || state.withLock { $0.isGivenUp }
            do throws(VaultError) {
                // A connection for content needs a session, which the control connection keeps.
                if slot != nil, state.withLock({ !($0.control?.isActive ?? false) }) { try await takeUp() }
                let connection = try await attach(slot)
                state.withLock { $0.isGivenUp = false }
                if isTold { onEvent(.reconnected) }
                return connection
            } catch {
                guard error.isRetryable, [.unavailable, .timeout].contains(error.code) else { throw error }
                if isLastTry {
                    state.withLock { $0.isGivenUp = true }
                    throw error
                }
                if !isTold {
                    isTold = true
                    onEvent(.lost(error))
                }
                try await backOff.wait()
            }
        }
    }

    private func attach(_ slot: Int?) async throws(VaultError) -> ClientConnection {
        guard let slot else {
            try await takeUp()
            guard let control = state.withLock({ $0.control }) else { throw .connectionLost() }
            return control
        }
        guard let ticket = state.withLock({ $0.ticket }) else { throw .connectionLost() }
        let connection: ClientConnection
        do throws(VaultError) {
            (connection, _) = try await connector.connect(.ticket(ticket, isControl: false)) { _ in }
        } catch {
            guard error.code == .login else { throw error }
            // The server was started anew: the control connection is gone too, whether that was noticed or not.
            let old = state.withLock { state in
                guard state.ticket == ticket else { return nil as ClientConnection? }
                defer { (state.ticket, state.control) = (nil, nil) }
                return state.control
            }
            old?.close()
            throw .connectionLost(cause: error.message)
        }
        state.withLock { state in
            if slot < state.content.count { state.content[slot] = connection }
        }
        return connection
    }

    /// Takes the session up again by its ticket, or begins another one.
    private func takeUp() async throws(VaultError) {
        guard let ticket = state.withLock({ $0.ticket }) else { return try await logIn() }
        do throws(VaultError) {
            let (connection, done) = try await connector.connect(.ticket(ticket, isControl: true)) { _ in }
            keep(connection, done)
        } catch {
            guard error.code == .login else { throw error }
            state.withLock { $0.ticket = nil }
            try await logIn()
        }
    }

    private func logIn() async throws(VaultError) {
        let (connection, done) = try await connector.connect(.identity(identity, vault: vault)) { _ in }
        keep(connection, done)
    }

    private func keep(_ connection: ClientConnection, _ done: WireLoginDone) {
        state.withLock { state in
            state.control = connection
            state.ticket = Array(done.ticket)
            state.login = done
        }
    }

    private func drop(_ connection: ClientConnection) {
        state.withLock { state in
            if state.control === connection { state.control = nil }
            for index in state.content.indices where state.content[index] === connection { state.content[index] = nil }
        }
        connection.close()
    }
}

/// What a session tells besides its answers.
package enum SessionEvent: Sendable {
    /// The connection was cut; the session is about to be taken up again.
    case lost(VaultError)
    case reconnected
}

/// Waits longer each time, and not quite as long as others do ("full jitter", AWS Architecture Blog,
/// "Exponential Backoff And Jitter", 2015).
struct BackOff: Sendable {
    private var milliseconds = ClientLimits.retryMillisecondsMin

    /// The next wait.
    mutating func next() -> Duration {
        defer { milliseconds = min(milliseconds * 2, ClientLimits.retryMillisecondsMax) }
        return .milliseconds(Int.random(in: milliseconds / 2...milliseconds))
    }

    mutating func wait() async throws(VaultError) {
        do { try await Task.sleep(for: next()) } catch { throw .cancelled }
    }
}

extension VaultError {
    /// The error of a request that was sent and has no answer: nobody knows whether a change took effect.
    fileprivate func after(_ message: WireClientMessage, isSent: Bool) -> VaultError {
        guard isSent, message.isChange else { return self }
        var error = self
        error.isUncertain = true
        return error
    }
}

extension WireClientMessage {
    fileprivate var isChange: Bool {
        switch body {
        case .commit, .saveSmall, .change, .keep: true
        default: false
        }
    }
}
