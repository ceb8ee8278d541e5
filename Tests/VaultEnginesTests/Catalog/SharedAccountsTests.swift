import TestSupport
import Testing
import VaultEngines
import VaultModel
import VaultServer
import VaultStore
import VaultWire

/// Accounts that many servers share do what those in a file do.
@Suite(.enabled(if: TestEngines.areThere, "scripts/test starts the engines")) struct SharedAccountsTests {
    private let places: TestEngines
    private let anna: UserName

    init() throws {
        places = try #require(TestEngines.shared).alone()
        anna = try UserName("anna")
    }

    private static let credentials = ScramCredentials(
        salt: [UInt8](repeating: 1, count: 16), iterations: 4096, storedKey: [UInt8](repeating: 2, count: 32),
        serverKey: [UInt8](repeating: 3, count: 32))

    @Test func usersGrantsKeysAndVaultsComeAndGo() async throws {
        try await places.withAccounts { accounts in
            try await accounts.addUser(anna, Self.credentials, quota: 5000)
            let vault = try accounts.knownVault("anna")
            let opened = try await accounts.places.open(vault.id, access: .readWrite)
            #expect(try await opened.usage().quota == 5000)
            await opened.close()
            #expect(try accounts.credentials(for: "anna").isKnown)
            #expect(try !accounts.credentials(for: "bert").isKnown)
            #expect(try accounts.access(of: "anna", in: vault.id).grants == [Grant(prefix: .all, rights: .full)])
            let bert = try UserName("bert")
            try await accounts.addUser(bert, Self.credentials)
            let photos = try NamePrefix("photos")
            try accounts.grant(Grant(prefix: photos, rights: .read), to: bert, in: "anna")
            try accounts.grant(Grant(prefix: photos, rights: [.read, .append]), to: bert, in: "anna")
            #expect(
                try accounts.access(of: "bert", in: vault.id).grants
                    == [Grant(prefix: photos, rights: [.read, .append])])
            try accounts.revoke(nil, of: bert, in: "anna")
            #expect(try accounts.access(of: "bert", in: vault.id).grants.isEmpty)
            let key = [UInt8](repeating: 7, count: 32)
            try accounts.enrolKey(key, label: "laptop", of: anna)
            try accounts.enrolKey(key, label: "laptop again", of: anna)
            #expect(try accounts.hasKey(key, of: "anna"))
            #expect(try accounts.users().first?.keys.map(\.label) == ["laptop again"])
            try accounts.setPassword(of: anna, Self.credentials)
            try accounts.removeUser(bert)
            try await accounts.removeVault("anna")
            #expect(try accounts.vault(named: "anna") == nil)
            let gone = await #expect(throws: VaultError.self) {
                try await accounts.places.open(vault.id, access: .readWrite)
            }
            #expect(gone?.code == .notFound)
            #expect(
                try accounts.audit(limit: 20).map(\.kind) == [
                    .userAdded, .userAdded, .granted, .granted, .revoked, .keyEnrolled, .keyEnrolled,
                    .passwordChanged, .userRemoved, .vaultRemoved,
                ])
        }
    }

    @Test func anotherServerSeesChangesAndTheirVersion() async throws {
        try await places.withAccounts { one in
            try await places.withAccounts { other in
                let before = try other.dataVersion()
                #expect(try other.dataVersion() == before)
                try await one.addUser(anna, Self.credentials)
                #expect(try other.dataVersion() != before)
                #expect(try other.credentials(for: "anna").isKnown)
                let error = await #expect(throws: VaultError.self) {
                    try await other.addUser(anna, Self.credentials)
                }
                #expect(error?.code == .exists)
            }
        }
    }

    @Test func aVaultThatTheAccountsDoNotKnowIsNamedAgain() async throws {
        try await places.withAccounts { accounts in
            let id = UniqueID()
            try await accounts.places.make("\(id)", quota: nil)
            try await accounts.addUser(anna, Self.credentials)
            #expect(try await accounts.orphanedVaults() == [id])
            try await accounts.removeVault("anna")
            #expect(try await accounts.adoptVault(id, as: anna))
            #expect(try await accounts.orphanedVaults().isEmpty)
            #expect(try accounts.knownVault("anna").id == "\(id)")
        }
    }

    @Test func manyThatStartAtOnceMakeTheTablesOnce() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<6 {
                group.addTask { try await places.withAccounts { _ = try $0.users() } }
            }
            try await group.waitForAll()
        }
    }
}
