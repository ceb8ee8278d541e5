import Crypto
import TestSupport
import Testing
import VaultClient
import VaultModel
import VaultWire

@Suite struct LoginDialogueTests {
    private let directory: TemporaryDirectory
    private let authority: Issued
    private let server: FakeServer
    private let terminal = FakeTerminal()
    private let known: KnownServers
    private let keys: DeviceKeys
    private let url: ServerURL

    init() throws {
        directory = try TemporaryDirectory()
        authority = try Issued.authority("Test CA")
        server = FakeServer(
            chain: [try Issued.authority("self").der], password: "s3cret", typedAt: terminal)
        known = KnownServers(file: directory("known-servers"))
        keys = DeviceKeys(directory: directory("keys"))
        url = try ServerURL("minivault://anna@vault.example")
    }

    private var key: VaultModel.Digest {
        get throws { try CertificateIdentity(der: server.state.value.chain[0]).keyFingerprint }
    }

    private func logIn(_ change: (inout LoginDialogue.Request) -> Void = { _ in }) async -> VaultError? {
        await failure {
            var request = LoginDialogue.Request(url: url, localUser: "local", label: "anna@laptop")
            change(&request)
            let roots = try directory.pem("roots.pem", authority)
            try await LoginDialogue(
                request, server: server, terminal: terminal, known: known, keys: keys, authorities: roots, now: { now }
            ).run()
        }
    }

    private func withoutUser(_ request: inout LoginDialogue.Request) {
        if let url = try? ServerURL("minivault://vault.example") { request.url = url }
    }

    // MARK: On a terminal

    @Test func pinsAfterAYesAndEnrolsAKey() async throws {
        terminal.answer("yes", secret: "s3cret")
        #expect(await logIn() == nil)
        #expect(try known.trust(of: url) == .pinned(try key))
        let made = try #require(try keys.load(for: "anna", at: url))
        #expect(server.state.value.enrolled == [Array(made.publicKey.rawRepresentation): "anna@laptop"])
        #expect(server.state.value.openSessions == 0)
        let text = terminal.text
        #expect(text.contains(try key.fingerprint) && text.contains("minivault serve"))
        #expect(text.contains("Logged in to vault.example:7117 as anna."))
        let file = try keys.file(for: "anna", at: url)
        #expect(text.contains("\(known.file)") && text.contains("\(file)"))
        #expect(text.contains("MINIVAULT_VAULT=minivault://anna@vault.example") && !text.contains("s3cret"))
    }

    @Test func takesThePastedFingerprint() async throws {
        terminal.answer("  \(try key.fingerprint)\t", secret: "s3cret")
        #expect(await logIn() == nil)
        #expect(try known.trust(of: url) == .pinned(try key))
    }

    @Test(arguments: ["", "y", "no", "YES", "yes please", "SHA256:S/W3LWKC6imuLH1n2XqFhwVrt1vrQFhjhJ/5GFfZrUY", nil])
    func anyOtherAnswerRefuses(_ answer: String?) async throws {
        terminal.answer(answer, secret: "s3cret")
        let error = try #require(await logIn())
        #expect(error.code == .login && error.message.contains("Nothing was sent"))
        #expect(try known.trust(of: url) == nil)
        #expect(server.state.value.logins == 0 && terminal.secretsAsked == 0)
    }

    @Test func asksForTheUserOnlyWhereTheURLNamesNone() async throws {
        terminal.answer("yes", "bob", secret: "s3cret")
        #expect(await logIn(withoutUser) == nil)
        #expect(server.state.value.users == ["bob"])
        terminal.answer("", secret: "s3cret")
        #expect(await logIn(withoutUser) == nil)
        #expect(server.state.value.users == ["bob", "local"])
        terminal.answer("No User", secret: "s3cret")
        #expect(await logIn(withoutUser)?.code == .invalid)
    }

    @Test func letsAPasswordBeTypedAgain() async throws {
        terminal.answer("yes", secret: "wrong", "s3cret")
        #expect(await logIn() == nil)
        #expect(terminal.text.contains("The password is wrong."))
    }

    @Test func asksAgainNeitherTooSoonNorForAGivenPassword() async throws {
        server.state.change { $0.isBusy = true }
        terminal.answer("yes", secret: "wrong", "s3cret")
        #expect(await logIn()?.isRetryable == true)
        #expect(terminal.secretsAsked == 1)
        terminal.leave(password: "wrong")
        #expect(await logIn { $0.acceptsNew = true }?.code == .login)
        #expect(terminal.secretsAsked == 2)
    }

    @Test func remembersNothingOfALoginThatFails() async throws {
        terminal.answer("yes", secret: "a", "b", "c", "s3cret")
        #expect(await logIn()?.code == .login)
        #expect(terminal.secretsAsked == 3)
        #expect(try known.trust(of: url) == nil)
        #expect(try keys.load(for: "anna", at: url) == nil)
    }

    @Test func stopsAtTheEndOfTheInput() async throws {
        terminal.answer("yes")
        #expect(await logIn()?.code == .cancelled)
        #expect(try known.trust(of: url) == nil)
    }

    @Test func asksNothingASecondTime() async throws {
        terminal.answer("yes", secret: "s3cret")
        #expect(await logIn() == nil)
        #expect(await logIn() == nil)
        #expect(terminal.text.contains("already logs anna in"))
        #expect(server.state.value.enrolled.count == 1 && server.state.value.openSessions == 0)
    }

    @Test func enrolsTheSameKeyAgainWhereTheServerLostIt() async throws {
        terminal.answer("yes", secret: "s3cret")
        #expect(await logIn() == nil)
        let before = server.state.change { state in
            defer { state.enrolled = [:] }
            return state.enrolled
        }
        terminal.answer(secret: "s3cret")
        #expect(await logIn() == nil)
        #expect(server.state.value.enrolled == before)
    }

    @Test func closesTheSessionWhenTheEnrolmentFails() async throws {
        server.state.change { $0.refusesKeys = true }
        terminal.answer("yes", secret: "s3cret")
        #expect(await logIn()?.code == .denied)
        #expect(server.state.value.openSessions == 0)
    }

    // MARK: Trust

    @Test func refusesAChangedKeyBeforeAnythingIsAsked() async throws {
        try known.remember(.pinned(VaultModel.Digest(of: [1])), of: url)
        for acceptsNew in [false, true] {
            let error = await logIn { $0.acceptsNew = acceptsNew }
            #expect(error?.code == .login && error?.message.contains("has changed") == true)
        }
        #expect(server.state.value.logins == 0 && terminal.text.isEmpty)
    }

    @Test func refusesAServerThatShowsAnotherKeyForTheLogin() async throws {
        let other = try Issued.authority("other").der
        server.state.change { $0.chainOfLogins = [other] }
        terminal.answer("yes", secret: "s3cret")
        #expect(await logIn()?.message.contains("has changed") == true)
        #expect(server.state.value.logins == 0 && terminal.secretsAsked == 1)
        #expect(try known.trust(of: url) == nil)
    }

    @Test func refusesAServerThatWantsFewerIterationsThanBefore() async throws {
        server.state.change { $0.iterations = 10_000 }
        terminal.answer("yes", secret: "wrong", "s3cret")
        #expect(await logIn() == nil)
        server.state.change { ($0.iterations, $0.enrolled) = (9999, [:]) }
        terminal.answer(secret: "s3cret", "s3cret")
        let error = try #require(await logIn())
        #expect(error.code == .login && error.message.contains("9999") && error.message.contains("--forget"))
        // It is no fault of the password, which is not asked for again.
        #expect(terminal.secretsAsked == 3)
        try LoginDialogue.forget(url, known, terminal)
        terminal.answer("yes", secret: "s3cret")
        #expect(await logIn() == nil)
    }

    @Test func aWrongPasswordLeavesNoIterationsBehind() async throws {
        server.state.change { $0.iterations = 1_000_000 }
        terminal.answer("yes", secret: "wrong")
        #expect(await logIn() != nil)
        #expect(try known.iterations(of: UserName("anna"), at: url) == nil)
    }

    @Test func trustsTheMachinesAuthoritiesWithoutAsking() async throws {
        let chain = [try authority.server().der]
        server.state.change { $0.chain = chain }
        terminal.answer(secret: "s3cret")
        #expect(await logIn() == nil)
        #expect(try known.trust(of: url) == .authorities)
        #expect(terminal.text.contains("vouches for vault.example:7117"))
    }

    @Test func saysWhatIsWrongWithACertificateBeforeItAsks() async throws {
        let chain = [try authority.server(to: now - day).der]
        server.state.change { $0.chain = chain }
        terminal.answer("yes", secret: "s3cret")
        #expect(await logIn() == nil)
        #expect(terminal.text.contains("expired on 2026-11-23"))
        #expect(try known.trust(of: url) == .pinned(try key))
    }

    @Test func asksNobodyWhereAnAuthorityIsNamed() async throws {
        let own = try Issued.authority("Own CA")
        let file = try directory.pem("own.pem", own)
        #expect(await logIn { $0.authority = file }?.code == .login)
        let chain = [try own.server().der]
        server.state.change { $0.chain = chain }
        terminal.answer(secret: "s3cret")
        #expect(await logIn { $0.authority = file } == nil)
        #expect(try known.trust(of: url) == .authority(file))
        let other = try directory.pem("other.pem", authority)
        #expect(await logIn { $0.authority = other }?.code == .conflict)
    }

    @Test func forgetsAServer() throws {
        try known.remember(.authorities, of: url)
        try LoginDialogue.forget(url, known, terminal)
        #expect(try known.trust(of: url) == nil)
        try LoginDialogue.forget(url, known, terminal)
        #expect(terminal.text.contains("is forgotten") && terminal.text.contains("was not known"))
    }

    // MARK: Where nobody sits

    @Test func saysWhatIsMissingWithoutATerminal() async throws {
        terminal.leave(password: "s3cret")
        let unknown = try #require(await logIn())
        #expect(unknown.code == .login && unknown.message.contains("--accept-new") && unknown.message.contains("--ca"))
        #expect(unknown.message.contains(try key.fingerprint))
        terminal.leave()
        let silent = try #require(await logIn { $0.acceptsNew = true })
        #expect(silent.message.contains("--password-file") && silent.message.contains("MINIVAULT_PASSWORD"))
        #expect(server.state.value.logins == 0)
    }

    @Test func logsInWithoutATerminal() async throws {
        terminal.leave(password: "s3cret")
        let error = await logIn { request in
            withoutUser(&request)
            request.acceptsNew = true
        }
        #expect(error == nil)
        #expect(server.state.value.users == ["local"])
        #expect(try known.trust(of: url) == .pinned(try key))
        let nameless = await logIn { request in
            withoutUser(&request)
            request.localUser = "Domain\\User"
        }
        #expect(nameless?.code == .invalid)
    }
}
