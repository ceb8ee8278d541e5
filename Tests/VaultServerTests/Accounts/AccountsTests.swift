import TestSupport
import Testing
import VaultModel
import VaultStore
import VaultWire

@testable import VaultServer

@Suite struct AccountsTests {
    private let directory: TemporaryDirectory
    private let accounts: Accounts
    private let anna: UserName

    init() throws {
        directory = try TemporaryDirectory()
        accounts = try Accounts.open(directory("data")) { 1_700_000_000 }
        anna = try UserName("anna")
    }

    @Test func aNewUserHasAVaultOfItsOwnInFull() async throws {
        try await accounts.addUser(anna, AccountsTests.credentials, quota: 5000)
        let vault = try #require(try accounts.vault(named: "anna"))
        #expect(try accounts.access(of: "anna", in: vault.id).grants == [Grant(prefix: .all, rights: .full)])
        let local = try await accounts.places.open(vault.id, access: .readWrite)
        #expect(try await local.usage().quota == 5000)
        await local.close()
        #expect(try accounts.credentials(for: "anna").credentials.storedKey == AccountsTests.credentials.storedKey)
        let error = await #expect(throws: VaultError.self) {
            try await accounts.addUser(anna, AccountsTests.credentials)
        }
        #expect(error?.code == .exists)
        #expect(try accounts.audit(limit: 10).map(\.kind) == [.userAdded])
    }

    @Test func anUnknownUserLooksLikeAKnownOne() async throws {
        try await accounts.addUser(anna, Accounts.credentials(of: PasswordText("correct horse")))
        let (known, unknown) = (try accounts.credentials(for: "anna"), try accounts.credentials(for: "bert"))
        #expect(known.isKnown)
        #expect(!unknown.isKnown)
        #expect(known.credentials.salt.count == unknown.credentials.salt.count)
        #expect(known.credentials.iterations == unknown.credentials.iterations)
        #expect(known.credentials.storedKey.count == unknown.credentials.storedKey.count)
        #expect(try accounts.credentials(for: "bert").credentials.salt == unknown.credentials.salt)
        #expect(try accounts.credentials(for: "carl").credentials.salt != unknown.credentials.salt)
        let other = try Accounts.open(directory("other"))
        #expect(try other.credentials(for: "bert").credentials.salt != unknown.credentials.salt)
    }

    @Test func grantsAreGivenReplacedAndTakenBack() async throws {
        try await accounts.addUser(anna, AccountsTests.credentials)
        let bert = try UserName("bert")
        try await accounts.addUser(bert, AccountsTests.credentials)
        let vault = try accounts.knownVault("anna")
        let photos = try NamePrefix("photos")
        try accounts.grant(Grant(prefix: photos, rights: .read), to: bert, in: "anna")
        try accounts.grant(Grant(prefix: photos, rights: [.read, .append]), to: bert, in: "anna")
        #expect(
            try accounts.access(of: "bert", in: vault.id).grants == [Grant(prefix: photos, rights: [.read, .append])])
        try accounts.revoke(photos, of: bert, in: "anna")
        #expect(try accounts.access(of: "bert", in: vault.id).grants.isEmpty)
        for body in [
            { try accounts.revoke(photos, of: bert, in: "anna") },
            { try accounts.revoke(nil, of: bert, in: "none") },
            { try accounts.grant(Grant(prefix: .all, rights: .read), to: try UserName("carl"), in: "anna") },
        ] {
            let error = #expect(throws: VaultError.self) { try body() }
            #expect(error?.code == .notFound)
        }
    }

    @Test func keysAreEnrolledAndTakenAwayByTheirFingerprint() async throws {
        try await accounts.addUser(anna, AccountsTests.credentials)
        let (first, second) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        try accounts.enrolKey(first, label: "laptop", of: anna)
        try accounts.enrolKey(second, label: "phone", of: anna)
        #expect(try accounts.hasKey(first, of: "anna"))
        #expect(try !accounts.hasKey(first, of: "bert"))
        let fingerprint = try #require(accounts.users().first?.keys.first { $0.label == "laptop" }?.fingerprint)
        #expect(throws: VaultError.self) { try accounts.removeKey("SHA256:", of: anna) }
        try accounts.removeKey(String(fingerprint.prefix(14)), of: anna)
        #expect(try !accounts.hasKey(first, of: "anna"))
        #expect(try accounts.hasKey(second, of: "anna"))
        for number in 0..<63 {
            try accounts.enrolKey([UInt8](repeating: UInt8(number + 10), count: 32), label: "x", of: anna)
        }
        let error = #expect(throws: VaultError.self) { try accounts.enrolKey(first, label: "one more", of: anna) }
        #expect(error?.code == .quota)
    }

    @Test func aRemovedUserLeavesTheVaultAndNothingElse() async throws {
        try await accounts.addUser(anna, AccountsTests.credentials)
        try accounts.enrolKey([UInt8](repeating: 1, count: 32), label: "laptop", of: anna)
        let vault = try accounts.knownVault("anna")
        try accounts.removeUser(anna)
        #expect(try !accounts.credentials(for: "anna").isKnown)
        #expect(try !accounts.hasKey([UInt8](repeating: 1, count: 32), of: "anna"))
        #expect(try accounts.access(of: "anna", in: vault.id).grants.isEmpty)
        #expect(try accounts.vault(named: "anna") == vault)
        #expect(throws: VaultError.self) { try accounts.removeUser(anna) }
        // Who comes again gets the vault again.
        try await accounts.addUser(anna, AccountsTests.credentials)
        #expect(try accounts.knownVault("anna") == vault)
    }

    @Test func anotherProcessSeesChangesAndTheirVersion() async throws {
        let other = try Accounts.open(directory("data"))
        let before = try other.dataVersion()
        #expect(try other.dataVersion() == before)
        try await accounts.addUser(anna, AccountsTests.credentials)
        #expect(try other.dataVersion() != before)
        #expect(try other.credentials(for: "anna").isKnown)
    }

    @Test func accountsOfANewerFormatAreRefused() throws {
        try accounts.write { try $0.setFormat(99) }
        let error = #expect(throws: VaultError.self) { try Accounts.open(directory("data")) }
        #expect(error?.code == .invalid)
        #expect(error?.message.contains("99") == true)
    }

    @Test func theFilesAreTheOwnersAlone() throws {
        #expect(try FileStatus(of: directory("data")).mode & 0o077 == 0)
        #expect(try FileStatus(of: directory("data/server.sqlite")).mode & 0o077 == 0)
    }

    private static let credentials = ScramCredentials(
        salt: [UInt8](repeating: 1, count: 16), iterations: 4096, storedKey: [UInt8](repeating: 2, count: 32),
        serverKey: [UInt8](repeating: 3, count: 32))
}
