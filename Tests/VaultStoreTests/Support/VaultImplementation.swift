import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel

@testable import VaultEngines
@testable import VaultStore

/// A kind of vault that must keep the contract, made anew for each claim.
struct VaultImplementation: Sendable, CustomTestStringConvertible {
    /// What a claim works with.
    struct Subject: Sendable {
        let vault: any Vault
        /// Flips a bit of these bytes wherever they are in a pack.
        let damage: @Sendable ([UInt8]) async throws -> Void
        let clock: ManualClock
    }

    let testDescription: String
    private let run: @Sendable (@Sendable (Subject) async throws -> Void) async throws -> Void

    static let all = [local, served] + (TestEngines.areThere ? [engines] : [])

    /// The vault of a user of the built server, over TLS.
    static let served = VaultImplementation(testDescription: "served") { body in
        try await withTemporaryDirectory { directory in
            let file = try OpenFile(directory.appending("clock"), flags: O_RDWR | O_CREAT)
            let clock = ManualClock { time in
                var time = time
                pwrite(file.descriptor, &time, 8, 0)
            }
            let data = directory.appending("data")
            let key = try await TestLogin.addUser("anna", in: data)
            let server = try await ServerProcess.start(
                data: data, users: ["anna": key], clock: directory.appending("clock"))
            defer { server.kill() }
            let vault = try await server.connect(as: "anna")
            do {
                let packs = try server.vaultDirectory(of: "anna")
                try await body(Subject(vault: vault, damage: { try flip($0, below: packs) }, clock: clock))
            } catch {
                await vault.close()
                throw error
            }
            await vault.close()
        }
    }

    static let local = VaultImplementation(testDescription: "local") { body in
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            let vault = try await StoredVault.open(
                directory, access: .create, savedBy: "anna", clock: { clock.now })
            do {
                try await body(Subject(vault: vault, damage: { try flip($0, below: directory) }, clock: clock))
            } catch {
                await vault.close()
                throw error
            }
            await vault.close()
        }
    }

    /// A vault in PostgreSQL and an object store.
    static let engines = VaultImplementation(testDescription: "engines") { body in
        let clock = ManualClock()
        try await #require(TestEngines.shared).with(clock: { clock.now }) { engines in
            let vault = try await engines.makeVault(UniqueID(), savedBy: "anna")
            try await body(
                Subject(vault: vault, damage: { try await engines.flip($0, of: vault) }, clock: clock))
            await vault.close()
        }
    }

    init(
        testDescription: String,
        run: @escaping @Sendable (@Sendable (Subject) async throws -> Void) async throws -> Void
    ) {
        self.testDescription = testDescription
        self.run = run
    }

    func callAsFunction(_ body: @Sendable (Subject) async throws -> Void) async throws {
        try await run(body)
    }
}
