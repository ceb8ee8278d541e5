import Glibc
import TestSupport
import Testing
import VaultModel
import VaultStore
import VaultWire

@testable import VaultServer

/// Vaults of a server come and go whole, whatever happens in between.
@Suite struct HostedVaultsTests {
    private let directory: TemporaryDirectory
    private let accounts: Accounts
    private let anna: UserName

    init() throws {
        directory = try TemporaryDirectory()
        accounts = try Accounts.open(directory("data"))
        anna = try UserName("anna")
    }

    private var vaultDirectories: [String] {
        ((try? DirectoryListing(directory("data/vaults")).names) ?? []).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func whatAKilledAdditionLeavesGoesWithTheNextChange() async throws {
        // All but the last transaction, as a kill leaves it.
        let vault = try accounts.beginVault("anna")
        try await accounts.places.make(vault.id, quota: nil)
        #expect(vaultDirectories == [vault.id])
        let other = try Accounts.open(directory("data"))
        #expect(try other.users().isEmpty)
        #expect(try other.vaults().isEmpty)
        try await other.addUser(anna, HostedVaultsTests.credentials)
        #expect(vaultDirectories == [try other.knownVault("anna").id])
    }

    @Test func whatAKilledRemovalLeavesGoesAsAServerStarts() async throws {
        try await accounts.addUser(anna, HostedVaultsTests.credentials)
        let vault = try accounts.knownVault("anna")
        try accounts.write { session in
            try session.execute("DELETE FROM vault", [])
            try session.execute("INSERT INTO unfinished_vault VALUES (?, 1)", [.text(vault.id)])
        }
        try await accounts.removeLeftovers()
        #expect(vaultDirectories.isEmpty)
        try await accounts.removeLeftovers()
    }

    @Test func aVaultInUseIsNeverTakenForAnUnfinishedOne() async throws {
        try await accounts.addUser(anna, HostedVaultsTests.credentials)
        let vault = try accounts.knownVault("anna")
        // Accounts put back from a copy that was made in the midst of the addition.
        try accounts.write { session in
            try session.execute("DELETE FROM vault", [])
            try session.execute("INSERT INTO unfinished_vault VALUES (?, 0)", [.text(vault.id)])
        }
        let pack = directory("data/vaults/\(vault.id)/packs/ab")
        #expect(pack.withCString { mkdir($0, 0o700) } == 0)
        try await accounts.removeLeftovers()
        #expect(vaultDirectories == [vault.id])
    }

    @Test func aFailedAdditionLeavesNothing() async throws {
        // A file is where the vaults' directory belongs.
        _ = try OpenFile(directory("data/vaults"), flags: O_WRONLY | O_CREAT)
        #expect(throws: VaultError.self) { try FileStatus(of: directory("data/vaults/x")) }
        await #expect(throws: VaultError.self) { try await accounts.addUser(anna, HostedVaultsTests.credentials) }
        #expect(try accounts.users().isEmpty)
        #expect(try accounts.vaults().isEmpty)
        _ = directory("data/vaults").withCString { unlink($0) }
        try await accounts.addUser(anna, HostedVaultsTests.credentials)
    }

    @Test func ofManyThatAddOneUserAtOnceOneDoes() async throws {
        let outcomes = await withTaskGroup(of: VaultError.Code?.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    await eventualCode {
                        let accounts = try Accounts.open(directory("data"))
                        try await accounts.addUser(anna, HostedVaultsTests.credentials)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == nil } == 1)
        #expect(outcomes.count { $0 == .exists } == 7)
        #expect(vaultDirectories.count == 1)
    }

    @Test func whoChangedARemovedVaultStaysTold() async throws {
        try await accounts.addVault(UserName("team"))
        let team = try accounts.knownVault("team")
        let local = try await accounts.places.open(team.id, access: .readWrite)
        let intent = SaveIntent(name: try Name("a"), attributes: Attributes(mode: 0o600, modified: 1))
        for user in ["bert", "carl"] {
            var save = SmallSave(intent: intent, chunk: nil)
            save.intent.attributes.modified += Int64(user.utf8.first ?? 0)
            _ = try await local.save([save], by: Caller(user: user, peer: "192.0.2.1"), change: nil)[0].get()
        }
        await local.close()
        #expect(try accounts.trailsOfRemovedVaults().isEmpty)
        try await accounts.removeVault("team")
        let trails = try accounts.trailsOfRemovedVaults()
        #expect(trails.map(\.vault) == [team])
        #expect(trails.first?.records.map(\.user) == ["bert", "carl"])
        #expect(trails.first?.records.first?.name == intent.name)
        // One that is lost takes its own along.
        try await accounts.addVault(UserName("lost"))
        let lost = try accounts.knownVault("lost")
        for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
            let path = DirectoryPlaces(directory("data")).directory(of: lost.id).appending(file)
            _ = path.withCString { unlink($0) }
        }
        try await accounts.removeVault("lost")
        #expect(try accounts.trailsOfRemovedVaults().count == 1)
    }

    @Test func aRemovedVaultTakesItsContentAndGrantsAlong() async throws {
        try await accounts.addUser(anna, HostedVaultsTests.credentials)
        try await accounts.addVault(UserName("team"), quota: 7)
        try accounts.grant(Grant(prefix: .all, rights: .read), to: anna, in: "team")
        let team = try accounts.knownVault("team")
        #expect(await eventualCode { try await accounts.addVault(UserName("team")) } == .exists)
        try await accounts.removeVault("team")
        #expect(try accounts.vault(named: "team") == nil)
        #expect(try accounts.access(of: "anna", in: team.id).grants.isEmpty)
        #expect(vaultDirectories == [try accounts.knownVault("anna").id])
        #expect(await eventualCode { try await accounts.removeVault("team") } == .notFound)
        #expect(try accounts.audit(limit: 9).map(\.kind) == [.userAdded, .vaultAdded, .granted, .vaultRemoved])
    }

    @Test(.enabled(if: geteuid() == 0)) func whatRootMakesIsTheOwnersOfTheDirectory() async throws {
        let data = directory("given")
        try LocalDirectories.make(data, mode: 0o700)
        #expect(data.withCString { chown($0, 65534, 65534) } == 0)
        let accounts = try Accounts.open(data)
        try await accounts.addUser(anna, HostedVaultsTests.credentials)
        func owners(_ path: LocalPath) throws -> Set<uid_t> {
            var status = stat()
            #expect(path.withCString { lstat($0, &status) } == 0)
            guard try FileStatus(of: path).kind == .directory else { return [status.st_uid] }
            return try DirectoryListing(path).names.reduce(into: [status.st_uid]) {
                $0.formUnion(try owners(path.appending($1)))
            }
        }
        #expect(try owners(data) == [65534])
    }

    @Test func accountsThatAreNotThereAreNotMadeUnasked() throws {
        #expect(code { try Accounts.open(directory("none"), creating: false) } == .notFound)
        #expect(code { try FileStatus(of: directory("none")) } == .notFound)
        #expect(code { try Accounts.open(directory("data"), creating: false) } == nil)
    }

    private static let credentials = ScramCredentials(
        salt: [UInt8](repeating: 1, count: 16), iterations: 4096, storedKey: [UInt8](repeating: 2, count: 32),
        serverKey: [UInt8](repeating: 3, count: 32))
}
