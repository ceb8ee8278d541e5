import Glibc
import NIOHTTP1
import Synchronization
import TestSupport
import Testing
import VaultClient
import VaultModel
import VaultStore

@testable import VaultEngines

/// What becomes of saves whose engines are stopped, frozen or killed.
@Suite(.serialized, .enabled(if: TestEngines.areThere, "scripts/test starts the engines"))
struct EngineFaultTests {
    /// Engines for the tests of this suite alone, which harm them, and leave them running.
    private static let own = Result { try OwnEngines() }
    private let own: OwnEngines

    init() throws {
        own = try Self.own.get()
        _ = Self.stopping
    }

    private static let stopping: Void = { atexit { try? EngineFaultTests.own.get().end() } }()

    private func withVault(_ body: (RemoteVault) async throws -> Void) async throws {
        let engines = try own.engines.alone()
        let directory = try TemporaryDirectory()
        let key = try await engines.withAccounts { try await TestLogin.addUser("anna", to: $0) }
        let server = try await ServerProcess.start(data: directory("data"), users: ["anna": key], engines: engines)
        defer { server.kill() }
        let vault = try await server.connect(as: "anna")
        do {
            try await body(vault)
        } catch {
            await vault.close()
            throw error
        }
        await vault.close()
    }

    /// What has become of the saves so far.
    private struct Progress: Sendable {
        var saved = 0
        /// The codes of those that failed.
        var codes: Set<VaultError.Code> = []
    }

    /// Saves files one after another while `harm` is done, until some have been saved behind it.
    ///
    /// - Returns: the codes of the saves that failed.
    private func saving(
        to vault: RemoteVault, while harm: @escaping @Sendable (Shared<Progress>) async throws -> Void
    ) async throws -> Set<VaultError.Code> {
        let isDone = Shared(false)
        let progress = Shared(Progress())
        let work = Task(executorPreference: BlockingExecutor.shared) {
            defer { isDone.change { $0 = true } }
            try await harm(progress)
        }
        var saved: [Name: [UInt8]] = [:]
        var after = 0
        var number: UInt64 = 0
        let deadline = ContinuousClock.now + .seconds(90)
        while after < 5, ContinuousClock.now < deadline {
            let wasDone = isDone.value
            let bytes = randomBytes(number % 10 == 9 ? 3 << 20 : 2000, seed: number)
            let name = try Name("f/\(number)")
            number += 1
            do {
                _ = try await ContentSave(to: vault).save(
                    bytes, SaveIntent(name: name, attributes: Attributes(mode: 0o644, modified: 1)))
                saved[name] = bytes
                progress.change { $0.saved += 1 }
                if wasDone { after += 1 }
            } catch {
                let error = VaultError(error)
                progress.change { _ = $0.codes.insert(error.code) }
                #expect(error.cause != nil, "\(error)")
            }
        }
        try await work.value
        #expect(after == 5)
        for (name, bytes) in saved {
            #expect(try await ContentRead(from: vault).read(name, .current) == bytes, "\(name)")
        }
        #expect(try await vault.verify(VerifyRequest()).isClean)
        return progress.value.codes
    }

    @Test func aServerSaysWhetherItCanServe() async throws {
        let engines = try own.engines.alone()
        let directory = try TemporaryDirectory()
        let key = try await engines.withAccounts { try await TestLogin.addUser("anna", to: $0) }
        let server = try await ServerProcess.start(
            data: directory("data"), users: ["anna": key], options: ["--metrics", "127.0.0.1:0"], engines: engines)
        defer { server.kill() }
        let port = try #require(server.metricsPort)
        func ready() async throws -> String {
            let question = Array("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            return String(decoding: try await RawPeer.exchangePlainly(question, port: port), as: UTF8.self)
        }
        // What was found counts for a moment.
        func answers(_ status: Int, _ text: String) async throws -> Bool {
            try await soon {
                let answer = try await ready()
                return answer.hasPrefix("HTTP/1.1 \(status)") && answer.contains(text)
            }
        }
        #expect(try await answers(200, "ready"))
        try own.stop(.postgres)
        #expect(try await answers(503, "The catalog cannot be reached."))
        try own.start(.postgres)
        #expect(try await answers(200, "ready"))
        do {
            try own.send(SIGSTOP, to: .store)
            defer { try? own.send(SIGCONT, to: .store) }
            #expect(try await answers(503, "The vaults do not answer in time."))
        }
        #expect(try await answers(200, "ready"))
    }

    @Test func savesGoOnWhenPostgresIsStoppedAndStartedAgain() async throws {
        try await withVault { vault in
            let codes = try await saving(to: vault) { progress in
                try own.stop(.postgres)
                #expect(try await soon { !progress.value.codes.isEmpty })
                try own.start(.postgres)
            }
            #expect(codes == [.unavailable])
        }
    }

    @Test func savesGoOnWhenPostgresIsKilled() async throws {
        try await withVault { vault in
            let codes = try await saving(to: vault) { progress in
                try own.send(SIGKILL, to: .postgres)
                #expect(try await soon { !progress.value.codes.isEmpty })
                try own.start(.postgres)
            }
            #expect(codes == [.unavailable])
        }
    }

    @Test func savesGoOnWhenTheObjectStoreIsKilledAndStartedAgain() async throws {
        try await withVault { vault in
            let codes = try await saving(to: vault) { _ in
                try own.send(SIGKILL, to: .store)
                try own.start(.store)
            }
            #expect(codes.isSubset(of: [.unavailable]))
        }
    }

    @Test func savesGoOnWhenTheObjectStoreThaws() async throws {
        try await withVault { vault in
            let codes = try await saving(to: vault) { _ in
                try own.send(SIGSTOP, to: .store)
                // Longer than a request is waited for.
                try await Task.sleep(for: .seconds(EngineLimits.idleSeconds + 2))
                try own.send(SIGCONT, to: .store)
            }
            #expect(codes.isEmpty)
        }
    }

    @Test func savesGoOnOnceThereAreConnectionsAgain() async throws {
        try await withVault { vault in
            let codes = try await saving(to: vault) { progress in
                var hogs: [PostgresConnection] = []
                while let hog = try? PostgresConnection(own.engines.catalog) { hogs.append(hog) }
                #expect(hogs.count > 50)
                let before = progress.value
                let isFelt = try await soon {
                    let now = progress.value
                    return now.saved > before.saved + 3 || now.codes != before.codes
                }
                #expect(isFelt)
                withExtendedLifetime(hogs) {}
                hogs = []
            }
            #expect(codes.isSubset(of: [.unavailable]))
        }
    }

    @Test func anObjectThatWasLostIsToldOfAndHealed() async throws {
        let engines = try own.engines.alone()
        try await engines.with { engines in
            let vault = try await engines.makeVault(UniqueID())
            func save(_ name: String, _ seed: UInt64) async throws {
                _ = try await ContentSave(to: vault).save(
                    randomBytes(1000, seed: seed),
                    SaveIntent(name: try Name(name), attributes: Attributes(mode: 0o644, modified: 1)))
            }
            for number in 0..<5 { try await save("f\(number)", UInt64(number)) }
            let key = try #require(try await engines.store.objects(below: engines.store.location.prefix).first?.key)
            _ = try await engines.store.perform(S3Client.Request(method: .DELETE, key: key))
            let report = try await vault.verify(VerifyRequest())
            #expect(report.damaged.count == 1)
            let lost = try #require(report.damaged.first?.name)
            await #expect(throws: VaultError.self) { try await ContentRead(from: vault).read(lost, .current) }
            for number in 0..<5 { try await save("f\(number)", UInt64(number)) }
            #expect(try await vault.verify(VerifyRequest()).damaged.isEmpty)
            for number in 0..<5 {
                #expect(
                    try await ContentRead(from: vault).read(try Name("f\(number)"), .current)
                        == randomBytes(1000, seed: UInt64(number)))
            }
            await vault.close()
        }
    }
}
