import Synchronization
import TestSupport
import Testing
import VaultClient
import VaultModel

/// What a server does with its hooks, whatever they are written in.
@Suite struct HookPoolTests {
    private func hook(
        _ number: Int, _ kind: HookKind, match: String? = nil, timeout: Duration = .seconds(60),
        acceptsErrors: Bool = false, hearsHooks: Bool = false
    ) -> HookDeclaration {
        HookDeclaration(
            number: number, kind: kind, pattern: match.map { Array($0.utf8) }, timeout: timeout,
            acceptsErrors: acceptsErrors, hearsHooks: hearsHooks, place: "hooks:\(number)")
    }

    private static func accept(_ call: HookCall) -> HookAnswer { HookAnswer(number: call.number) }

    private static func reject(_ call: HookCall, _ reason: String) -> HookAnswer {
        var answer = HookAnswer(number: call.number)
        answer.rejection = reason
        return answer
    }

    private func outcome(_ body: () async throws -> SaveOutcome) async -> Result<SaveOutcome, VaultError> {
        do { return .success(try await body()) } catch { return .failure(VaultError(error)) }
    }

    @Test func decideOnSavesOfAnySize() async throws {
        let seen = Mutex<[String: [UInt8]]>([:])
        let hooks = FakeWorkers([hook(1, .beforeSave, match: "hook/**")]) { call, link in
            guard let name = call.name else { return nil }
            let (read, vault) = try await link.openContent(of: call)
            let bytes = Mutex<[UInt8]>([])
            try await Download(from: vault).stream(read) { piece in bytes.withLock { $0 += piece } }
            await vault.closeRead(read.id)
            seen.withLock { $0[name.text] = bytes.withLock { $0 } }
            if name.text.hasSuffix("bad") { return HookPoolTests.reject(call, "bad content") }
            var answer = HookAnswer(number: call.number)
            answer.tags = ["seen": TagText(call.user)]
            if name.text.hasSuffix("moved") { answer.name = Array("elsewhere/\(call.size ?? 0)".utf8) }
            return answer
        }
        let server = try await BoundedServer(hooks: hooks)
        let vault = try await server.connect()
        for (prefix, size) in [("s", 1000), ("l", 3 << 20)] {
            let bytes = randomBytes(size, seed: 1)
            func save(_ name: String) async -> Result<SaveOutcome, VaultError> {
                await outcome {
                    try await ContentSave(to: vault).save(
                        bytes,
                        SaveIntent(name: Name(name), attributes: Attributes(mode: 0o644, modified: 1)))
                }
            }
            let bad = await save("hook/\(prefix)/bad")
            guard case .failure(let error) = bad else {
                Issue.record("a rejected save was done")
                continue
            }
            #expect(error.code == .rejected && error.message.contains("bad content"), "\(error)")
            #expect(try await vault.stat(Name("hook/\(prefix)/bad"), .current) == nil)
            let moved = try await save("hook/\(prefix)/moved").get()
            #expect(moved.entry.name.text == "elsewhere/\(size)" && moved.entry.tags == ["seen": "anna"])
            #expect(try await ContentRead(from: vault).read(Name("elsewhere/\(size)"), .current) == bytes)
            #expect(try await save("plain/\(prefix)").get().entry.tags.isEmpty)
            #expect(seen.withLock { $0["hook/\(prefix)/bad"] } == bytes)
            #expect(seen.withLock { $0["plain/\(prefix)"] } == nil)
        }
        await vault.close()
        await server.stop()
    }

    @Test func decideOnReadsRemovalsAndLogins() async throws {
        let isClosed = Atomic<Bool>(false)
        let hooks = FakeWorkers([
            hook(1, .beforeRead, match: "secret/**"), hook(2, .beforeRemove, match: "*.keep"), hook(3, .login),
        ]) { call, _ in
            if call.kind == .login, !isClosed.load(ordering: .relaxed) { return HookPoolTests.accept(call) }
            return HookPoolTests.reject(call, "no")
        }
        let server = try await BoundedServer(hooks: hooks)
        let vault = try await server.connect()
        for name in ["secret/a", "d/b", "d/c.keep", "e"] { _ = try await vault.save([Service.small(name, 1)])[0].get() }
        await expect(.rejected) { _ = try await vault.openRead(Name("secret/a"), .current) }
        let read = SmallRead(name: try Name("secret/a"), selector: .current, length: Limits.smallFileBytesMax)
        await expect(.rejected) { _ = try await vault.read([read])[0].get() }
        #expect(try await vault.stat(Name("e"), .current) != nil)
        _ = try await vault.openRead(Name("e"), .current)
        // What is below a prefix is asked for one by one, and what is renamed is gone from where it was.
        await expect(.rejected) { _ = try await vault.changing(.remove(NamePrefix("d"))) }
        await expect(.rejected) { _ = try await vault.changing(.rename(from: Name("d"), to: Name("f"))) }
        #expect(try await vault.changing(.remove(NamePrefix("d/b"))).count == 1)
        isClosed.store(true, ordering: .relaxed)
        await expect(.rejected) { _ = try await server.connect() }
        await vault.close()
        await server.stop()
    }

    @Test func hearInTheOrderOfEachNameUntilTheyHaveHeard() async throws {
        let heard = Mutex<[String]>([])
        let hooks = FakeWorkers([hook(1, .save), hook(2, .remove), hook(3, .rename)]) { call, _ in
            let text =
                "\(call.kind.rawValue) \(call.formerName.map { "\($0) " } ?? "")\(call.name.map { "\($0)" } ?? "")"
            heard.withLock { $0.append("\(text) \(call.attempt)") }
            var answer = HookAnswer(number: call.number)
            // The first attempt at each fails.
            if call.attempt == 1, call.name?.text == "a" { answer.failure = VaultError(.internal, "not yet") }
            return answer
        }
        let server = try await BoundedServer(hooks: hooks)
        let vault = try await server.connect()
        for (name, seed) in [("a", 1), ("a", 2), ("b", 3)] {
            _ = try await vault.save([Service.small(name, seed)])[0].get()
        }
        _ = try await vault.changing(.rename(from: Name("a"), to: Name("c")))
        _ = try await vault.changing(.remove(NamePrefix("c")))
        #expect(try await soon { heard.withLock { $0.contains("remove c 1") } })
        let all = heard.withLock { $0 }
        #expect(all.contains("save b 1"))
        #expect(
            all.filter { !$0.contains("b") } == [
                "save a 1", "save a 2", "save a 1", "save a 2", "rename a c 1", "remove c 1",
            ], "\(all)")
        await vault.close()
        await server.stop()
    }

    @Test func costAWorkerOnlyTheEventThatItDiesOf() async throws {
        let hooks = FakeWorkers([hook(1, .beforeSave, timeout: .seconds(5))]) { call, _ in
            if call.name?.text == "deadly" { return nil }
            if call.name?.text == "endless" { try await Task.sleep(for: .seconds(1000)) }
            return HookPoolTests.accept(call)
        }
        let server = try await BoundedServer(hooks: hooks)
        let vault = try await server.connect()
        let names = ["a", "deadly", "b", "endless", "c"]
        let results = try await vault.save(names.map { try Service.small($0, 1) })
        for (name, result) in zip(names, results) {
            let isFine = (try? result.get()) != nil
            #expect(isFine == (name.count == 1), "\(name)")
        }
        // The server serves on, with other workers.
        #expect(try await vault.save([Service.small("d", 1)])[0].get().isCreated)
        #expect(hooks.launched > 2)
        await vault.close()
        await server.stop()
    }

    @Test func keepTheLastGoodFile() async throws {
        let hooks = FakeWorkers([hook(1, .beforeSave)]) { call, _ in
            HookPoolTests.reject(call, "no")
        }
        let server = try await BoundedServer(hooks: hooks)
        let vault = try await server.connect()
        hooks.declare(.failure(VaultError(.invalid, "a syntax error")))
        await server.reloadHooks()
        await expect(.rejected) { _ = try await vault.save([Service.small("a", 1)])[0].get() }
        hooks.declare(.success([]))
        await server.reloadHooks()
        #expect(try await vault.save([Service.small("a", 1)])[0].get().isCreated)
        await vault.close()
        await server.stop()
    }

    @Test func reachNoVaultButTheirEvents() async throws {
        let problems = Mutex<[VaultError.Code?]>([])
        let last = Mutex<UInt64>(0)
        let hooks = FakeWorkers([hook(1, .beforeSave)]) { call, link in
            func note(_ body: () async throws -> Void) async {
                do {
                    try await body()
                    problems.withLock { $0.append(nil) }
                } catch {
                    problems.withLock { $0.append((error as? VaultError)?.code) }
                }
            }
            let own = link.vault(of: call.number)
            await note { _ = try await own.save([Service.small("from-a-hook", 7)])[0].get() }
            // What it decides on waits for it.
            await note { _ = try await own.save([Service.small("a", 7)])[0].get() }
            await note { _ = try await own.changing(.remove(NamePrefix("a"))) }
            // Events that are over, or none.
            for number in [last.withLock { $0 }, 999_999, 0] {
                await note { _ = try await link.vault(of: number).stat(Name("a"), .current) }
            }
            await note { _ = try await link.store([1], as: "k", ifVersion: 0, for: call.number) }
            last.withLock { $0 = call.number }
            return HookPoolTests.accept(call)
        }
        let server = try await BoundedServer(hooks: hooks)
        let vault = try await server.connect()
        _ = try await vault.save([Service.small("a", 1)])[0].get()
        let found = problems.withLock { $0 }
        #expect(found[0] == nil && found[1] == .invalid && found[2] == .invalid && found[6] == nil, "\(found)")
        #expect(found[3...5].allSatisfy { $0 != nil }, "\(found)")
        // It fires no hook itself.
        #expect(try await vault.stat(Name("from-a-hook"), .current)?.savedBy == "hooks")
        #expect(found.count == 7)
        await vault.close()
        await server.stop()
    }

    private func expect(_ expected: VaultError.Code, _ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("nothing was refused")
        } catch {
            #expect((error as? VaultError)?.code == expected, "\(error)")
        }
    }
}
