import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel
import VaultServer

/// How connections and what runs on them come to their ends.
@Suite(.serialized) struct ConnectionLifeTests {
    @Test func aSaveEndsPromptlyAndCanBeResumed() async throws {
        let service = try await Service()
        defer { service.end() }
        let bytes = randomBytes(24 << 20, seed: 11)
        let file = service.directory("file")
        try write(bytes, to: file)
        let vault = try await service.connectSlowly()
        service.proxy.arm(nil)
        let save = Task(executorPreference: BlockingExecutor.shared) {
            try await FileSave(to: vault).save(file, as: Name("large"))
        }
        #expect(try await soon { service.proxy.bytes(.toServer) > 1 << 20 })
        save.cancel()
        let error = await #expect(throws: VaultError.self) { try await save.value }
        #expect(error?.code == .cancelled)
        #expect(try await vault.stat(Name("large"), .current) == nil)
        let quick = try await service.connect()
        let outcome = try await FileSave(to: quick).save(file, as: Name("large"))
        #expect(outcome.isCreated)
        #expect(try await ContentRead(from: quick).read(Name("large"), .current) == bytes)
        await vault.close()
        await quick.close()
    }

    @Test func aReadEndsPromptlyAndOthersGoOn() async throws {
        let service = try await Service()
        defer { service.end() }
        let bytes = randomBytes(24 << 20, seed: 12)
        let saving = try await service.connect()
        _ = try await ContentSave(to: saving).save(
            bytes, SaveIntent(name: Name("large"), attributes: Attributes(mode: 0o644, modified: 1)))
        await saving.close()
        let vault = try await service.connectSlowly()
        service.proxy.arm(nil)
        let read = Task(executorPreference: BlockingExecutor.shared) {
            try await ContentRead(from: vault).read(Name("large"), .current)
        }
        #expect(try await soon { service.proxy.bytes(.toClient) > 1 << 20 })
        read.cancel()
        let error = await #expect(throws: VaultError.self) { try await read.value }
        #expect(error?.code == .cancelled)
        #expect(try await vault.stat(Name("large"), .current)?.size == UInt64(bytes.count))
        await vault.close()
    }

    @Test func aReadWhoseUserIsRemovedEndsWithTheReason() async throws {
        let service = try await Service()
        defer { service.end() }
        let saving = try await service.connect()
        _ = try await ContentSave(to: saving).save(
            randomBytes(24 << 20, seed: 13),
            SaveIntent(name: Name("large"), attributes: Attributes(mode: 0o644, modified: 1)))
        await saving.close()
        let vault = try await service.connectSlowly()
        service.proxy.arm(nil)
        let read = Task(executorPreference: BlockingExecutor.shared) {
            try await ContentRead(from: vault).read(Name("large"), .current)
        }
        #expect(try await soon { service.proxy.bytes(.toClient) > 1 << 20 })
        let accounts = try Accounts.open(service.server.data)
        try accounts.removeUser(UserName("anna"))
        accounts.close()
        let error = await #expect(throws: VaultError.self) { try await read.value }
        #expect(error?.code == .denied || error?.code == .login, "\(error.map { "\($0)" } ?? "")")
        await vault.close()
    }

    @Test func aCertificateIsLoadedAgainWithoutEndingSessions() async throws {
        let own = try TemporaryDirectory()
        let service = try await Service()
        defer { service.end() }
        let vault = try await service.connect()
        // Another pair takes the place of the server's own, as an operator would renew it.
        _ = try await TestLogin.addUser("other", in: own.path)
        let other = try await ServerProcess.start(data: own.path, users: [:])
        other.kill()
        for name in ["key.pem", "certificate.pem"] {
            let bytes = try SmallFile.read(own(name), bytesMax: 1 << 16)
            try SmallFile.write(bytes, to: service.directory("data/" + name), mode: 0o600, .isReplaced)
        }
        service.server.send(SIGHUP)
        // Who pinned the old key is told that it changed; whoever is connected stays so.
        let isChanged = try await soon {
            do {
                let vault = try await service.connect()
                await vault.close()
                return false
            } catch {
                return (error as? VaultError)?.message.contains("has changed") == true
            }
        }
        #expect(isChanged)
        #expect(try await vault.stat(Name("none"), .current) == nil)
        await vault.close()
    }
}
