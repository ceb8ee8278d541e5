import Glibc
import TestSupport
import Testing
import VaultModel
import VaultStore
import VaultWire

@testable import VaultServer

/// Accounts that are lost beside vaults are not made anew by the way, and vaults are named again on purpose.
@Suite struct LostAccountsTests {
    private let directory: TemporaryDirectory
    private let anna: UserName

    init() throws {
        directory = try TemporaryDirectory()
        anna = try UserName("anna")
    }

    private static let credentials = ScramCredentials(
        salt: [UInt8](repeating: 1, count: 16), iterations: 4096, storedKey: [UInt8](repeating: 2, count: 32),
        serverKey: [UInt8](repeating: 3, count: 32))

    private var data: LocalPath { directory("data") }
    private var database: LocalPath { directory("data/server.sqlite") }

    /// Makes the user anna with a vault, and loses the accounts.
    ///
    /// - Returns: the vault.
    private func loseAccounts() async throws -> UniqueID {
        let accounts = try Accounts.open(data)
        try await accounts.addUser(anna, Self.credentials)
        let id = try accounts.knownVault("anna").id
        accounts.close()
        for name in ["server.sqlite", "server.sqlite-wal", "server.sqlite-shm"] {
            try SmallFile.remove(data.appending(name))
        }
        return try #require(UniqueID(id))
    }

    @Test func areNotMadeBesideVaults() async throws {
        _ = try await loseAccounts()
        for creating in [true, false] {
            let error = #expect(throws: VaultError.self) { try Accounts.open(data, creating: creating) }
            #expect(error?.code == .integrity && error?.path == database)
            #expect(error?.message.contains("Restore the file from a backup") == true)
            #expect(error?.message.contains("user adopt-vault ID NAME --data \(data)") == true)
        }
        #expect(code { try FileStatus(of: database) } == .notFound)
    }

    @Test func anEmptyFileCountsAsALostOne() async throws {
        _ = try await loseAccounts()
        _ = try OpenFile(database, flags: O_WRONLY | O_CREAT)
        for _ in 0..<2 { #expect(code { try Accounts.open(data) } == .integrity) }
    }

    @Test func areMadeWhereNoVaultIs() throws {
        // A start that was cut short leaves an empty file, and a vault that was being made an empty directory.
        try LocalDirectories.make(data.appending("vaults").appending("\(UniqueID())"))
        try LocalDirectories.make(data.appending("vaults/no-id/packs"))
        _ = try OpenFile(database, flags: O_WRONLY | O_CREAT)
        #expect(try Accounts.open(data).users().isEmpty)
    }

    @Test func aVaultIsNamedAgainAndItsUserGetsItInFull() async throws {
        let id = try await loseAccounts()
        #expect(try Accounts.vaultsWithoutAccounts(in: data) == [id])
        try await Accounts.requireSound(id, in: DirectoryPlaces(data))
        let accounts = try Accounts.open(data, besideVaults: true)
        #expect(try Accounts.vaultsWithoutAccounts(in: data).isEmpty)
        #expect(try await accounts.orphanedVaults() == [id])
        #expect(try await accounts.adoptVault(id, as: anna) == false)
        #expect(try await accounts.orphanedVaults().isEmpty)
        #expect(try await accounts.addUser(anna, Self.credentials) == false)
        #expect(try accounts.knownVault("anna").id == "\(id)")
        #expect(try accounts.access(of: "anna", in: "\(id)").grants == [Grant(prefix: .all, rights: .full)])
        #expect(try accounts.audit(limit: 9).map(\.kind) == [.vaultAdopted, .userAdded])
    }

    @Test func aUserWhoIsThereIsGrantedTheVault() async throws {
        let id = try await loseAccounts()
        let accounts = try Accounts.open(data, besideVaults: true)
        let bert = try UserName("bert")
        try await accounts.addUser(bert, Self.credentials)
        #expect(await eventualCode { try await accounts.adoptVault(id, as: bert) } == .exists)
        try await accounts.removeVault("bert")
        #expect(try await accounts.adoptVault(id, as: bert))
        #expect(try accounts.access(of: "bert", in: "\(id)").grants == [Grant(prefix: .all, rights: .full)])
        #expect(await eventualCode { try await accounts.adoptVault(id, as: anna) } == .exists)
    }

    @Test func whatIsNoVaultOrNotWholeIsNotNamed() async throws {
        let id = try await loseAccounts()
        let accounts = try Accounts.open(data, besideVaults: true)
        #expect(await eventualCode { try await accounts.adoptVault(UniqueID(), as: anna) } == .notFound)
        let vault = data.appending("vaults").appending("\(id)")
        #expect(vault.appending("packs/ab").withCString { mkdir($0, 0o700) } == 0)
        for name in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
            try SmallFile.remove(vault.appending(name))
        }
        #expect(try await accounts.orphanedVaults() == [id])
        let error = await #expect(throws: VaultError.self) { try await accounts.adoptVault(id, as: anna) }
        #expect(error?.code == .integrity && error?.message.contains("verify --repair") == true)
        #expect(try accounts.vaults().isEmpty)
    }

    @Test func aVaultThatIsBeingMadeIsNoOrphan() async throws {
        let accounts = try Accounts.open(data)
        let vault = try accounts.beginVault("anna")
        try await accounts.places.make(vault.id, quota: nil)
        #expect(try await accounts.orphanedVaults().isEmpty)
    }
}
