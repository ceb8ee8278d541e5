import VaultModel

@testable import VaultWire

/// A login of one user, whose messages a test can change on their way.
struct ScramFixture {
    enum Step: CaseIterable {
        case clientFirst, serverFirst, clientFinal, serverFinal
    }

    static let binding = [UInt8](repeating: 0xB1, count: 32)
    static let salt = Array("salt of this user".utf8)

    var user = "ada"
    var password = "correct horse"
    var iterations = 4_096
    var clientBinding = binding
    var serverBinding = binding

    /// Makes the credentials once, since that takes a while.
    let credentials: ScramCredentials

    init() throws {
        credentials = ScramCredentials(
            password: try PasswordText("correct horse"), salt: ScramFixture.salt, iterations: 4_096)
    }

    var client: ScramClient {
        get throws {
            ScramClient(
                user: try UserName(user), password: try PasswordText(password), binding: clientBinding,
                nonce: ScramNonce(random: [UInt8](repeating: 1, count: 18)))
        }
    }

    var server: ScramServer {
        ScramServer(binding: serverBinding, nonce: ScramNonce(random: [UInt8](repeating: 2, count: 18)))
    }

    /// Logs in, sending every message through `change`; gives the user as the server heard it.
    @discardableResult
    func logIn(_ change: (Step, [UInt8]) -> [UInt8] = { _, message in message }) throws -> String {
        var client = try client
        var server = server
        let user = try server.begin(change(.clientFirst, client.first()))
        let answer = try client.respond(to: change(.serverFirst, server.challenge(credentials)))
        try client.verify(change(.serverFinal, try server.verify(change(.clientFinal, answer))))
        return user
    }

    /// The messages of a login that nothing disturbs.
    func messages() throws -> [Step: [UInt8]] {
        var messages: [Step: [UInt8]] = [:]
        try logIn { step, message in
            messages[step] = message
            return message
        }
        return messages
    }
}

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }
func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
