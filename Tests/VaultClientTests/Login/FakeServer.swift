import Crypto
import TestSupport
import VaultClient
import VaultModel
import VaultWire

/// A server that knows one password, and the keys that were enrolled.
final class FakeServer: LoginServer {
    struct State {
        var chain: [[UInt8]]
        /// What it shows for a login, where that is something else.
        var chainOfLogins: [[UInt8]]?
        var password: String
        /// How often it has a password hashed.
        var iterations = 4096
        var refusesKeys = false
        /// Whether it wants a pause after each wrong password.
        var isBusy = false
        var logins = 0
        var openSessions = 0
        var users: [String] = []
        var enrolled: [[UInt8]: String] = [:]
    }

    let state: Shared<State>
    /// Where the password was typed: what is sent of it is nothing that a test could read.
    private let terminal: FakeTerminal

    init(chain: [[UInt8]], password: String, typedAt terminal: FakeTerminal) {
        state = Shared(State(chain: chain, password: password))
        self.terminal = terminal
    }

    func certificateChain(of url: ServerURL) async throws(VaultError) -> [[UInt8]] { state.value.chain }

    func logIn(
        to url: ServerURL, as identity: ClientIdentity, trust: ServerTrust
    ) async throws(VaultError) -> any LoginSession {
        try await trust.verify(state.value.chainOfLogins ?? state.value.chain)
        state.change { $0.logins += 1 }
        switch identity {
        case .password(let user, _):
            try trust.judgeIterations(state.value.iterations, user)
            guard terminal.lastSecret == state.value.password else {
                throw VaultError(.login, "The password is wrong.", isRetryable: state.value.isBusy)
            }
            trust.noteIterations(state.value.iterations, user)
            return open(user.text)
        case .deviceKey(let user, let key):
            guard state.value.enrolled[key.publicKeyBytes] != nil else {
                throw VaultError(.login, "The key is not known.")
            }
            return open(user.text)
        }
    }

    private func open(_ user: String) -> FakeSession {
        state.change { state in
            state.openSessions += 1
            state.users.append(user)
        }
        return FakeSession(state: state)
    }
}

struct FakeSession: LoginSession {
    let state: Shared<FakeServer.State>

    func enrol(publicKey: [UInt8], label: String) async throws(VaultError) {
        if state.value.refusesKeys { throw VaultError(.denied, "No more keys.") }
        state.change { $0.enrolled[publicKey] = label }
    }

    func close() async {
        state.change { $0.openSessions -= 1 }
    }
}

/// A terminal at which the answers are known beforehand; behind them is the end of the input.
final class FakeTerminal: LoginTerminal {
    private struct State {
        var isInteractive = true
        var isPasswordGiven = false
        var answers: [String?] = []
        var secrets: [String] = []
        var secretsAsked = 0
        var lastSecret: String?
        var text = ""
    }

    private let state = Shared(State())

    var isInteractive: Bool { state.value.isInteractive }
    var isPasswordGiven: Bool { state.value.isPasswordGiven }
    var text: String { state.value.text }
    var lastSecret: String? { state.value.lastSecret }
    var secretsAsked: Int { state.value.secretsAsked }

    func answer(_ answers: String?..., secret: String...) {
        state.change { ($0.answers, $0.secrets) = (answers, secret) }
    }

    /// Leaves nobody there, with a password or without.
    func leave(password: String? = nil) {
        state.change { state in
            (state.isInteractive, state.isPasswordGiven) = (false, password != nil)
            state.secrets = password.map { [$0] } ?? []
        }
    }

    func tell(_ text: String) {
        state.change { $0.text += text + "\n" }
    }

    func ask(_ question: String) throws(VaultError) -> String? {
        state.change { $0.answers.isEmpty ? nil : $0.answers.removeFirst() }
    }

    func password(of user: UserName) throws(VaultError) -> PasswordText {
        let secret = state.change { state -> String? in
            state.secretsAsked += 1
            state.lastSecret = state.secrets.isEmpty ? nil : state.secrets.removeFirst()
            return state.lastSecret
        }
        guard let secret else { throw .cancelled }
        return try PasswordText(secret)
    }
}
