import Crypto
import Synchronization
package import VaultModel
import VaultWire

/// The dialogue of `minivault login`: finds out whether the server is the right one, logs in by the password, and
/// enrols a key of this device, with which everything later logs in.
package struct LoginDialogue: Sendable {
    /// What the user said on the command line.
    package struct Request: Sendable {
        package var url: ServerURL
        /// Whether a server that nobody vouches for is trusted without asking.
        package var acceptsNew = false
        /// The file of the only authorities to trust.
        package var authority: LocalPath?
        /// Who the user is on this machine.
        package var localUser: String
        /// What the server calls this device.
        package var label: String

        package init(url: ServerURL, localUser: String, label: String) {
            self.url = url
            self.localUser = localUser
            self.label = label
        }
    }

    let request: Request
    let server: any LoginServer
    let terminal: any LoginTerminal
    let known: KnownServers
    let keys: DeviceKeys
    /// The file of the authorities that this machine trusts.
    let authorities: LocalPath
    /// Seconds since 1970 UTC.
    let now: @Sendable () -> Int64

    package init(
        _ request: Request, server: any LoginServer, terminal: any LoginTerminal, known: KnownServers,
        keys: DeviceKeys, authorities: LocalPath,
        now: @escaping @Sendable () -> Int64 = { currentNanoseconds() / 1_000_000_000 }
    ) {
        self.request = request
        self.server = server
        self.terminal = terminal
        self.known = known
        self.keys = keys
        self.authorities = authorities
        self.now = now
    }

    /// - Throws: `login` for a server that is not trusted or refuses the login, and what else ends it.
    package func run() async throws(VaultError) {
        let trust = try await trust()
        let verifier = try ServerVerifier(trust, url: request.url, authorities: authorities)
        let now = now
        let judge = Judge(
            ServerTrust { (chain) throws(VaultError) in try await verifier.verify(chain, now: now()) }
                .withIterations(in: known, of: request.url))
        let user = try user()
        if try await isEnrolled(user, judge) {
            try known.remember(trust, of: request.url)
            terminal.tell("This device's key already logs \(user) in to \(request.url.place).")
            return tellNext(user)
        }
        let session = try await passwordSession(user, judge)
        do throws(VaultError) {
            // Not earlier: a server that has taken the password's proof has shown that it knows the user too, so
            // that a man in the middle is never remembered.
            try known.remember(trust, of: request.url)
            let key = try keys.make(for: user.text, at: request.url)
            try await session.enrol(publicKey: Array(key.publicKey.rawRepresentation), label: request.label)
        } catch {
            await session.close()
            throw error
        }
        await session.close()
        try tellStored(trust, user)
    }

    // MARK: The user

    private func user() throws(VaultError) -> UserName {
        if let user = request.url.user { return try UserName(user) }
        let local = try? UserName(request.localUser)
        if terminal.isInteractive {
            let answer = try terminal.ask(local.map { "User [\($0)]: " } ?? "User: ")
            guard let answer = answer?.trimmed else { throw .cancelled }
            if !answer.isEmpty { return try UserName(answer) }
        }
        guard let local else {
            throw VaultError(.invalid, "Name the user in the URL, as in \(request.url.withUser("anna")).")
        }
        return local
    }

    /// Whether this device has a key that the server takes.
    private func isEnrolled(_ user: UserName, _ judge: Judge) async throws(VaultError) -> Bool {
        guard let key = try keys.load(for: user.text, at: request.url) else { return false }
        do throws(VaultError) {
            let identity = ClientIdentity.deviceKey(user: user, key: key)
            try await server.logIn(to: request.url, as: identity, trust: judge.trust).close()
            return true
        } catch  where error.code == .login && !judge.hasRefused {
            // The key was removed at the server; the password decides.
            return false
        }
    }

    private func passwordSession(
        _ user: UserName, _ judge: Judge
    ) async throws(VaultError) -> any LoginSession {
        guard terminal.isInteractive || terminal.isPasswordGiven else {
            throw VaultError(
                .login,
                "There is no terminal to ask for the password of \(user) at: give it by --password-file or in "
                    + "MINIVAULT_PASSWORD.")
        }
        var tries = 0
        while true {
            let password = try terminal.password(of: user)
            tries += 1
            do throws(VaultError) {
                let identity = ClientIdentity.password(user: user, password: password)
                return try await server.logIn(to: request.url, as: identity, trust: judge.trust)
            } catch {
                // Only what was typed is typed again, and not to a server that wants a pause or is another one.
                let isTypo = error.code == .login && !error.isRetryable && !judge.hasRefused
                guard isTypo, !terminal.isPasswordGiven, tries < ClientLimits.passwordTriesMax else { throw error }
                terminal.tell(error.message)
            }
        }
    }

    // MARK: The end

    private func tellStored(_ trust: Trust, _ user: UserName) throws(VaultError) {
        let what =
            switch trust {
            case .pinned: "The server's key is pinned"
            case .authorities: "That certificate authorities vouch for the server is noted"
            case .authority(let file): "That the authorities in '\(file)' vouch for the server is noted"
            }
        terminal.tell("Logged in to \(request.url.place) as \(user).")
        terminal.tell(
            "\(what) in '\(known.file)'; this device's key is in '\(try keys.file(for: user.text, at: request.url))'; "
                + "the password is stored nowhere.")
        tellNext(user)
    }

    private func tellNext(_ user: UserName) {
        let url = request.url.withUser(user.text)
        terminal.tell("Next: export MINIVAULT_VAULT=\(url), then minivault save FILE")
    }
}

/// Judges the server of each login, and remembers whether it was refused: that is no fault of the password.
private final class Judge: Sendable {
    private let judged: ServerTrust
    private let refused = Mutex(false)

    init(_ judged: ServerTrust) {
        self.judged = judged
    }

    var hasRefused: Bool { refused.withLock { $0 } }

    var trust: ServerTrust {
        var trust = judged
        trust.verify = { (chain) throws(VaultError) in
            do throws(VaultError) {
                try await self.judged.verify(chain)
            } catch {
                self.refused.withLock { $0 = true }
                throw error
            }
        }
        trust.judgeIterations = { (count, user) throws(VaultError) in
            do throws(VaultError) {
                try self.judged.judgeIterations(count, user)
            } catch {
                self.refused.withLock { $0 = true }
                throw error
            }
        }
        return trust
    }
}

extension String {
    /// The text without blanks around it.
    var trimmed: String {
        let isBlank: (Character) -> Bool = { $0.isWhitespace }
        let start = drop(while: isBlank)
        return String(start.prefix(start.count - start.reversed().prefix(while: isBlank).count))
    }
}
