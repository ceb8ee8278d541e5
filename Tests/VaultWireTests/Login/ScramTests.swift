import TestSupport
import Testing
import VaultModel

@testable import VaultWire

@Suite struct ScramTests {
    /// The example of RFC 7677, section 3, which has no channel binding.
    @Test func makesTheMessagesOfTheRFC() throws {
        let password = try PasswordText("pencil")
        var client = ScramClient(
            user: try UserName("user"), password: password, channel: .none,
            nonce: ScramNonce(text: "rOprNGfwEbeRWgbNEkqO"))
        var server = ScramServer(channel: .none, nonce: ScramNonce(text: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"))
        let salt = try #require(bytes(ofBase64: utf8("W22ZaJ0SNY7soEsUEjb6gQ==")))
        let credentials = ScramCredentials(password: password, salt: salt, iterations: 4096)

        let first = client.first()
        #expect(text(first) == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        #expect(try server.begin(first) == "user")
        let challenge = server.challenge(credentials)
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
        #expect(text(challenge) == "r=\(nonce),s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        let answer = try client.respond(to: challenge)
        #expect(text(answer) == "c=biws,r=\(nonce),p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        let final = try server.verify(answer)
        #expect(text(final) == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        try client.verify(final)
    }

    @Test func bindsTheLoginToTheCertificate() throws {
        let fixture = try ScramFixture()
        #expect(try fixture.logIn() == "ada")
        let messages = try fixture.messages()
        #expect(messages[.clientFirst].map(text)?.hasPrefix("p=tls-server-end-point,,n=ada,r=") == true)
        let bound = base64(utf8("p=tls-server-end-point,,") + ScramFixture.binding)
        #expect(messages[.clientFinal].map(text)?.hasPrefix("c=\(bound),r=") == true)
    }

    @Test func refusesAManInTheMiddleWithAnotherCertificate() throws {
        var fixture = try ScramFixture()
        fixture.clientBinding = [UInt8](repeating: 0xEE, count: 32)
        let error = #expect(throws: VaultError.self) { try fixture.logIn() }
        #expect(error?.code == .login)
        #expect(error?.message.contains("another certificate") == true)
        // One that passes the right binding on, without the password, cannot make the proof fit.
        let right = base64(utf8("p=tls-server-end-point,,") + ScramFixture.binding)
        let wrong = base64(utf8("p=tls-server-end-point,,") + fixture.clientBinding)
        #expect(
            code {
                try fixture.logIn { step, message in
                    step == .clientFinal ? utf8(text(message).replacing(wrong, with: right)) : message
                }
            } == .login)
    }

    @Test func tellsAWrongPasswordFromAnUnknownUserByNothing() throws {
        var wrongPassword = try ScramFixture()
        wrongPassword.password = "wrong horse"
        var server = wrongPassword.server
        var client = try wrongPassword.client
        _ = try server.begin(client.first())
        let unknown = ScramCredentials(
            salt: ScramFixture.salt, iterations: 4_096, storedKey: [UInt8](repeating: 7, count: 32),
            serverKey: [UInt8](repeating: 8, count: 32))
        let challenge = server.challenge(unknown)
        var same = wrongPassword.server
        _ = try same.begin(try wrongPassword.clientFirst)
        #expect(same.challenge(wrongPassword.credentials) == challenge)
        let answer = try client.respond(to: challenge)
        let errors = [
            #expect(throws: VaultError.self) { try wrongPassword.logIn() },
            #expect(throws: VaultError.self) { try server.verify(answer) },
        ]
        #expect(errors.allSatisfy { $0?.code == .login })
        #expect(errors[0]?.message == errors[1]?.message)
    }

    @Test func refusesAServerThatDoesNotKnowThePassword() throws {
        let fixture = try ScramFixture()
        let finals = ["v=\(base64([UInt8](repeating: 0, count: 32)))", "v=\(base64([1]))", "e=invalid-proof"]
        for final in finals {
            #expect(code { try fixture.logIn { $0 == .serverFinal ? utf8(final) : $1 } } == .login)
        }
        for final in ["", "v=", "v=AAAA,", "e", "x=1", "m=1,v=AAAA", "v=A"] {
            #expect(code { try fixture.logIn { $0 == .serverFinal ? utf8(final) : $1 } } == .invalid)
        }
    }

    @Test(arguments: ScramFixture.Step.allCases)
    func refusesAMessageChangedInAnyByte(_ step: ScramFixture.Step) throws {
        let fixture = try ScramFixture()
        let message = try #require(try fixture.messages()[step])
        for index in message.indices {
            for mask in [0x01, 0x20, 0xFF] as [UInt8] {
                let code = code { try fixture.logIn(changing: step) { $0[index] ^= mask } }
                #expect(code == .login || code == .invalid, "byte \(index) of \(text(message)), mask \(mask)")
            }
        }
    }

    @Test(arguments: ScramFixture.Step.allCases)
    func refusesAMessageCutAnywhere(_ step: ScramFixture.Step) throws {
        let fixture = try ScramFixture()
        let message = try #require(try fixture.messages()[step])
        for length in message.indices {
            let code = code { try fixture.logIn(changing: step) { $0.removeLast($0.count - length) } }
            #expect(code == .login || code == .invalid, "\(length) bytes of \(text(message))")
        }
    }

    @Test(arguments: ScramFixture.Step.allCases)
    func refusesAMessageWithoutEndOrText(_ step: ScramFixture.Step) throws {
        let fixture = try ScramFixture()
        for extra in [",x=" + String(repeating: "y", count: 16 << 10), ",x=\0", ",", ",,", ",x", ",x=", ",1=a", ",m=a"]
        {
            #expect(code { try fixture.logIn(changing: step) { $0 += utf8(extra) } } != nil)
        }
        #expect(code { try fixture.logIn(changing: step) { $0 += utf8(",x=") + [0xFF] } } != nil)
        for bytes in [[], [0xFF], utf8(","), [UInt8](repeating: comma, count: 16 << 10)] {
            #expect(code { try fixture.logIn { $0 == step ? bytes : $1 } } == .invalid || step == .clientFirst)
        }
    }
}

extension ScramFixture {
    fileprivate func logIn(changing step: Step, _ change: (inout [UInt8]) -> Void) throws {
        try logIn { current, message in
            guard current == step else { return message }
            var changed = message
            change(&changed)
            return changed
        }
    }

    fileprivate var clientFirst: [UInt8] {
        get throws {
            var client = try client
            return client.first()
        }
    }
}
