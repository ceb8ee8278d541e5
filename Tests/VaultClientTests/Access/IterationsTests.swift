import TestSupport
import Testing
import VaultModel
import VaultServer
import VaultWire

@testable import VaultClient

/// How often a server has passwords hashed, seen from a client that was there before.
@Suite struct IterationsTests {
    @Test func aServerGetsNoProofForFewerIterationsThanBefore() async throws {
        let directory = try TemporaryDirectory()
        let office = try await Office([])
        defer { office.end() }
        let accounts = try Accounts.open(office.server.data)
        defer { accounts.close() }
        let (anna, password) = (try UserName("anna"), try PasswordText("correct horse"))
        let known = KnownServers(file: directory("known-servers"))
        let url = try ServerURL("minivault://anna@127.0.0.1:\(office.server.port)")
        let trust = ServerTrust { (_) throws(VaultError) in }.withIterations(in: known, of: url)
        func logIn(_ password: PasswordText) async throws {
            let vault = try await connecting {
                try await RemoteVault.connect(to: url, trust: trust, as: .password(user: anna, password: password))
            }
            await vault.close()
        }
        func hash(_ iterations: Int) throws {
            let salt = [UInt8](repeating: 4, count: 16)
            try accounts.setPassword(
                of: anna, ScramCredentials(password: password, salt: salt, iterations: iterations))
        }
        try hash(8192)
        // Whoever does not know the password has nothing remembered.
        #expect(await failure { try await logIn(PasswordText("battery staple")) }?.code == .login)
        #expect(try known.iterations(of: anna, at: url) == nil)
        try await logIn(password)
        #expect(try known.iterations(of: anna, at: url) == 8192)
        try hash(8191)
        let refusal = await failure { try await logIn(password) }
        #expect(refusal?.code == .login && refusal?.message.contains("hashed 8191 times") == true)
        #expect(try known.iterations(of: anna, at: url) == 8192)
        #expect(try known.forget(url))
        try await logIn(password)
        #expect(try known.iterations(of: anna, at: url) == 8191)
        try hash(9000)
        try await logIn(password)
        #expect(try known.iterations(of: anna, at: url) == 9000)
    }
}
