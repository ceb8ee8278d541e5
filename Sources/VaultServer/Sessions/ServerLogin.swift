import FoundationEssentials
import Logging
import Synchronization
import VaultModel
import VaultStore
import VaultWire

/// Leads one connection's login: by password, by device key, or by the ticket of a session that is open.
struct ServerLogin {
    enum Step {
        case challenge(WireServerMessage)
        case done(Session, isControl: Bool, WireServerMessage)
    }

    private enum State {
        case start
        /// - Parameter known: the key that the proof is compared with; nil for a user that is not there.
        case password(ScramServer, user: String, known: [UInt8]?, vault: String)
        case deviceKey(WireLoginKey, nonce: [UInt8])
        case over
    }

    private let peer: String
    private let identity: CertificateIdentity
    private let services: ServerServices
    private let logger: Logger
    private var state = State.start

    init(_ connection: ServerConnection, _ services: ServerServices, _ logger: Logger) {
        peer = connection.peer
        identity = connection.identity
        self.services = services
        self.logger = logger
    }

    mutating func begin(_ begin: WireLoginBegin) async throws(VaultError) -> Step {
        switch begin.method {
        case .password(let password): return try await self.begin(password)
        case .key(let key): return self.begin(key)
        case .ticket(let ticket): return try await takeUp(ticket)
        case nil: throw VaultError(WireViolation("a login of no kind"))
        }
    }

    mutating func prove(_ proof: WireLoginProof) async throws(VaultError) -> Step {
        defer { state = .over }
        switch (state, proof.method) {
        case (.password(let scram, let user, let known, let vault), .clientFinal(let final)):
            return try await prove(scram, Array(final), user: user, known: known, vault: vault)
        case (.deviceKey(let key, let nonce), .signature(let signature)):
            return try await prove(key, nonce, signature: Array(signature))
        default:
            throw VaultError(WireViolation("a proof of another kind than was asked for"))
        }
    }

    // MARK: Passwords

    private mutating func begin(_ password: WireLoginPassword) async throws(VaultError) -> Step {
        var scram = ScramServer(binding: identity.endPointBinding, nonce: ScramNonce(random: ServerLogin.nonce()))
        let user = try scram.begin(Array(password.clientFirst))
        let found = try services.accounts.credentials(for: user)
        let first = scram.challenge(found.credentials)
        state = .password(
            scram, user: user, known: found.isKnown ? found.credentials.storedKey : nil, vault: password.vault)
        var message = WireServerMessage()
        message.loginChallenge.serverFirst = Data(first)
        return .challenge(message)
    }

    private func prove(
        _ scram: ScramServer, _ final: [UInt8], user: String, known storedKey: [UInt8]?, vault: String
    ) async throws(VaultError) -> Step {
        // Only now: who begins and never proves anything has guessed nothing, and keeps nobody out.
        try await slowDown(user, vault: vault)
        var scram = scram
        let (answer, key): ([UInt8], [UInt8])
        do throws(VaultError) {
            answer = try scram.verify(final)
            guard let storedKey else { throw ServerLogin.refused }
            key = storedKey
        } catch {
            fail(user, "password", vault: vault)
            throw error
        }
        let (name, address) = (try? UserName(user), AddressGroup(ipAddress: peer))
        services.throttle.withLock { $0.succeeded(user: name, address: address, now: .now) }
        return try await open(user, vault, .password(storedKey: key), serverFinal: answer)
    }

    /// Makes whoever has guessed wrong wait, longer each time.
    private func slowDown(_ user: String, vault: String) async throws(VaultError) {
        let (name, address) = (try? UserName(user), AddressGroup(ipAddress: peer))
        let end = ContinuousClock.now + .seconds(ServerLimits.loginDelaySecondsMax)
        // Of several that wait, one goes first; the others wait for its outcome as well.
        while let delay = services.throttle.withLock({ $0.delay(user: name, address: address, now: .now) }) {
            if .now + delay > end {
                fail(user, "password, not looked at", vault: vault)
                throw VaultError(
                    .login, "There were too many failed logins: wait \(delay.components.seconds + 1) seconds.",
                    isRetryable: true)
            }
            do { try await Task.sleep(for: delay) } catch { throw .cancelled }
        }
    }

    // MARK: Device keys

    private mutating func begin(_ key: WireLoginKey) -> Step {
        let nonce = ServerLogin.nonce()
        state = .deviceKey(key, nonce: nonce)
        var message = WireServerMessage()
        message.loginChallenge.nonce = Data(nonce)
        return .challenge(message)
    }

    private func prove(_ key: WireLoginKey, _ nonce: [UInt8], signature: [UInt8]) async throws(VaultError) -> Step {
        let proof = try DeviceProof(
            user: try UserName(key.user), clientNonce: Array(key.nonce), serverNonce: nonce, certificate: identity)
        guard try services.accounts.hasKey(Array(key.publicKey), of: key.user),
            proof.isValid(signature, publicKey: Array(key.publicKey))
        else {
            fail(key.user, "device key", vault: key.vault)
            throw VaultError(
                .login, "The server does not know this device's key: run 'minivault login' on this device again.")
        }
        return try await open(key.user, key.vault, .deviceKey(Array(key.publicKey)), serverFinal: [])
    }

    // MARK: Sessions

    private mutating func takeUp(_ ticket: WireLoginTicket) async throws(VaultError) -> Step {
        state = .over
        let known = services.sessions.session(withTicket: Array(ticket.ticket))
        let session: Session
        if let known { session = known } else { session = try await takeOver(Array(ticket.ticket)) }
        return .done(session, isControl: ticket.control, welcome(session, serverFinal: []))
    }

    /// Goes on with a session that was begun at another server.
    private func takeOver(_ token: [UInt8]) async throws(VaultError) -> Session {
        let over = VaultError(.login, "The session is over.")
        let now = services.accounts.clock()
        guard let tokens = services.tokens, let ticket = tokens.ticket(opening: token, now: now),
            let vault = try services.accounts.vault(named: ticket.vaultName), vault.id == ticket.vault
        else { throw over }
        let method: Session.Method
        if let key = ticket.deviceKey {
            method = .deviceKey(key)
        } else {
            let found = try services.accounts.credentials(for: ticket.user)
            let storedKey = found.credentials.storedKey
            guard found.isKnown, tokens.mark(of: storedKey) == ticket.passwordMark else { throw over }
            method = .password(storedKey: storedKey)
        }
        let memory = services.memory(of: ticket.user)
        let session = Session(
            user: ticket.user, vaultName: vault.name, vault: try await services.hosts.vault(vault.id),
            rules: try services.accounts.access(of: ticket.user, in: vault.id), method: method, peer: peer,
            memory: memory, share: try memory.open(ServerLimits.sessionBytes), tokens: tokens, ticket: token)
        // Nobody finds it before it is known that it may go on.
        if let end = try await services.review(session) { throw end }
        if let refusal = await refusal(of: session) {
            services.auditRefusal(
                .denied, user: ticket.user, peer: peer, vault: vault.name, detail: refusal.message)
            throw refusal
        }
        // Of several connections that come at once, one brings the session.
        let kept = services.sessions.addIfNew(session)
        guard kept === session else { return kept }
        // What was changed since it was looked at has passed it by.
        do throws(VaultError) {
            if let end = try await services.review(session) { throw end }
        } catch {
            await services.sessions.end { $0 === session ? error : nil }
            throw error
        }
        services.audit(.login, user: ticket.user, peer: peer, detail: vault.name)
        return session
    }

    private func open(
        _ user: String, _ vaultName: String, _ method: Session.Method, serverFinal: [UInt8]
    ) async throws(VaultError) -> Step {
        let name = vaultName.isEmpty ? user : vaultName
        // Vaults that are not there and vaults of others look the same.
        let denied = VaultError(
            .denied,
            "There is no vault '\(printable(name))' that \(user) may use: name another one, or ask for a grant.")
        let vault = try services.accounts.vault(named: name)
        let rules = try vault.map { (vault) throws(VaultError) in try services.accounts.access(of: user, in: vault.id) }
        guard let vault, let rules, !rules.grants.isEmpty else {
            logger.notice(
                "login refused", metadata: ["user": "\(user)", "vault": "\(name)", "peer": "\(peer)"])
            services.auditRefusal(.denied, user: user, peer: peer, vault: name, detail: denied.message)
            throw denied
        }
        let hosted = try await services.hosts.vault(vault.id)
        let memory = services.memory(of: user)
        let session = Session(
            user: user, vaultName: vault.name, vault: hosted, rules: rules, method: method, peer: peer,
            memory: memory, share: try memory.open(ServerLimits.sessionBytes), tokens: services.tokens,
            now: services.accounts.clock())
        services.sessions.add(session)
        // What was changed since the rights were read has passed a session by that was not there yet.
        if let end = try await services.review(session) {
            await services.sessions.end { $0 === session ? end : nil }
            throw end
        }
        if let refusal = await refusal(of: session) {
            await services.sessions.end { $0 === session ? refusal : nil }
            services.auditRefusal(.denied, user: user, peer: peer, vault: name, detail: refusal.message)
            throw refusal
        }
        services.audit(.login, user: user, peer: peer, detail: name)
        logger.info(
            "login", metadata: ["user": "\(user)", "vault": "\(name)", "peer": "\(peer)", "by": "\(method.text)"])
        return .done(session, isControl: true, welcome(session, serverFinal: serverFinal))
    }

    /// Asks hooks about a login whose proof is right.
    private func refusal(of session: Session) async -> VaultError? {
        guard let pool = services.hooks.value, pool.table.wants(.login) else { return nil }
        let event = HookEvent(
            kind: .login, vaultName: session.vaultName, host: nil, user: session.user, peer: peer,
            time: currentSeconds())
        return await pool.run([event]).first?.refusal(of: event)
    }

    private func welcome(_ session: Session, serverFinal: [UInt8]) -> WireServerMessage {
        var message = WireServerMessage()
        message.loginDone.serverFinal = Data(serverFinal)
        message.loginDone.ticket = Data(session.ticket)
        message.loginDone.lingerSeconds = UInt32(ServerLimits.lingerSeconds)
        message.loginDone.user = session.user
        message.loginDone.vault = session.vaultName
        message.loginDone.requestsMax = UInt32(WireLimits.requestsMax)
        message.loginDone.bytesMax = UInt32(WireLimits.requestBytesMax)
        return message
    }

    private func fail(_ user: String, _ method: String, vault: String) {
        logger.notice(
            "login failed", metadata: ["user": "\(user)", "peer": "\(peer)", "by": "\(method)"])
        services.auditRefusal(.loginFailed, user: user, peer: peer, vault: vault, detail: method)
    }

    /// The same for a wrong password and for a user that is not there.
    private static let refused = VaultError(.login, "The user name or the password is wrong.")

    private static func nonce() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<DeviceProof.nonceBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}

extension Session.Method {
    fileprivate var text: String {
        switch self {
        case .password: "password"
        case .deviceKey: "device key"
        case .hook: "hook"
        }
    }
}
