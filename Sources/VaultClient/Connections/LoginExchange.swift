import FoundationEssentials
import VaultModel
import VaultWire

/// The client's part of a login, message by message, for each of the methods.
struct LoginExchange {
    private enum Method {
        case password(ScramClient, user: UserName)
        case deviceKey(user: UserName, key: any DeviceSigner, nonce: [UInt8])
        case ticket([UInt8], isControl: Bool)
    }

    private let server: CertificateIdentity
    private let trust: ServerTrust
    private let vault: String
    private var method: Method
    private var isProven = false
    /// The number of times that the password was hashed.
    private var iterations = 0

    /// - Parameters:
    ///   - server: the certificate that the connection was encrypted with.
    ///   - trust: judges what the server wants of a password.
    init(_ login: ClientConnector.Login, server: CertificateIdentity, trust: ServerTrust) throws(VaultError) {
        self.server = server
        self.trust = trust
        switch login {
        case .identity(.password(let user, let password), let vault):
            self.vault = vault
            method = .password(
                ScramClient(
                    user: user, password: password, binding: server.endPointBinding,
                    nonce: ScramNonce(random: LoginExchange.nonce())), user: user)
        case .identity(.deviceKey(let user, let key), let vault):
            self.vault = vault
            method = .deviceKey(user: user, key: key, nonce: LoginExchange.nonce())
        case .ticket(let ticket, let isControl):
            vault = ""
            method = .ticket(ticket, isControl: isControl)
        }
    }

    mutating func begin() -> WireClientMessage {
        var message = WireClientMessage()
        switch method {
        case .password(var scram, let user):
            message.loginBegin.password.clientFirst = Data(scram.first())
            message.loginBegin.password.vault = vault
            method = .password(scram, user: user)
        case .deviceKey(let user, let key, let nonce):
            message.loginBegin.key.user = user.text
            message.loginBegin.key.publicKey = Data(key.publicKeyBytes)
            message.loginBegin.key.nonce = Data(nonce)
            message.loginBegin.key.vault = vault
        case .ticket(let ticket, let isControl):
            message.loginBegin.ticket.ticket = Data(ticket)
            message.loginBegin.ticket.control = isControl
        }
        return message
    }

    mutating func prove(_ challenge: WireLoginChallenge) throws(VaultError) -> WireClientMessage {
        guard !isProven else { throw LoginExchange.outOfTurn }
        isProven = true
        var message = WireClientMessage()
        switch (method, challenge.method) {
        case (.password(var scram, let user), .serverFirst(let first)):
            var wanted = 0
            message.loginProof.clientFinal = Data(
                try scram.respond(to: Array(first)) { (iterations) throws(VaultError) in
                    try trust.judgeIterations(iterations, user)
                    wanted = iterations
                })
            iterations = wanted
            method = .password(scram, user: user)
        case (.deviceKey(let user, let key, let nonce), .nonce(let other)):
            let proof = try DeviceProof(
                user: user, clientNonce: nonce, serverNonce: Array(other), certificate: server)
            message.loginProof.signature = Data(try key.sign(proof))
        default:
            throw LoginExchange.outOfTurn
        }
        return message
    }

    /// Makes sure that the server has proven itself too, where the method has it do so.
    mutating func finish(_ done: WireLoginDone) throws(VaultError) {
        switch method {
        case .password(var scram, let user):
            guard isProven else { throw LoginExchange.outOfTurn }
            try scram.verify(Array(done.serverFinal))
            trust.noteIterations(iterations, user)
        case .deviceKey:
            guard isProven else { throw LoginExchange.outOfTurn }
        case .ticket: break
        }
    }

    private static func nonce() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<DeviceProof.nonceBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    private static var outOfTurn: VaultError {
        VaultError(.invalid, "The server does not keep to the protocol's login.")
    }
}
