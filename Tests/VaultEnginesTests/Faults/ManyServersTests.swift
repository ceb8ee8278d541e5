import TestSupport
import Testing
import VaultClient
import VaultEngines
import VaultModel
import VaultServer
import VaultStore

/// Several servers on the same engines are one to whoever uses them.
@Suite(.serialized, .enabled(if: TestEngines.areThere, "scripts/test starts the engines"))
struct ManyServersTests {
    private let engines: TestEngines

    init() throws {
        engines = try #require(TestEngines.shared).alone()
    }

    @Test func contentGoesOverConnectionsToBothServers() async throws {
        let pair = try await ServerPair(engines)
        defer { pair.end() }
        let vault = try await pair.connect()
        let files = try (0..<4).map { number in
            (try Name("large/\(number)"), randomBytes(20 << 20, seed: UInt64(number)))
        }
        for (name, bytes) in files {
            let outcome = try await ContentSave(to: vault).save(
                bytes, SaveIntent(name: name, attributes: Attributes(mode: 0o644, modified: 1)))
            #expect(outcome.newBytes == UInt64(bytes.count))
        }
        for (name, bytes) in files { #expect(try await ContentRead(from: vault).read(name, .current) == bytes) }
        #expect(pair.balancer.connections >= 2)
        #expect(try await vault.verify(VerifyRequest()).isClean)
        await vault.close()
    }

    @Test func nothingIsLostWhenEitherServerIsKilled() async throws {
        let pair = try await ServerPair(engines)
        defer { pair.end() }
        let vault = try await pair.connect()
        let directory = try TemporaryDirectory()
        var saved: [Name: [UInt8]] = [:]
        for round in 0..<4 {
            pair.balancer.arm(nil)
            let bytes = randomBytes(12 << 20, seed: UInt64(round))
            let name = try Name("large/\(round)")
            try SmallFile.write(bytes, to: directory("large"), mode: 0o644, .isReplaced)
            let isDone = Shared(false)
            let work = Task(executorPreference: BlockingExecutor.shared) {
                defer { isDone.change { $0 = true } }
                _ = try await FileSave(to: vault).save(directory("large"), as: name)
                for number in 0..<100 {
                    let text = Array("\(round) \(number)".utf8)
                    let save = SmallSave(
                        intent: SaveIntent(
                            name: try Name("small/\(round)/\(number)"), attributes: Attributes(mode: 0o644, modified: 1)
                        ),
                        chunk: Chunk(digest: Digest(of: text), bytes: BufferSlice(copying: text)))
                    _ = try await vault.save([save])[0].get()
                }
            }
            // Somewhere in the midst: another place in each round.
            _ = try await soon { pair.balancer.records(.toServer) >= 40 + round * 90 || isDone.value }
            try await pair.restart(round % 2)
            try await work.value
            saved[name] = bytes
            for (name, bytes) in saved {
                #expect(try await ContentRead(from: vault).read(name, .current) == bytes, "\(name)")
                #expect(try await vault.history(name).count == 1)
            }
            for number in 0..<100 {
                let name = try Name("small/\(round)/\(number)")
                #expect(try await ContentRead(from: vault).read(name, .current) == Array("\(round) \(number)".utf8))
                #expect(try await vault.history(name).count == 1)
            }
        }
        #expect(try await vault.verify(VerifyRequest()).isClean)
        await vault.close()
    }

    @Test func whatIsGrantedAndTakenBackHoldsOnBoth() async throws {
        let pair = try await ServerPair(engines)
        defer { pair.end() }
        let vaults = [try await pair[0].connect(as: "anna"), try await pair[1].connect(as: "anna")]
        for vault in vaults { _ = try await vault.list(ListQuery()) }
        try await engines.withAccounts { accounts in
            let anna = try UserName("anna")
            try accounts.grant(Grant(prefix: .all, rights: .read), to: anna, in: "anna")
        }
        for vault in vaults {
            #expect(
                try await soon {
                    let save = SmallSave(
                        intent: SaveIntent(name: try Name("a"), attributes: Attributes(mode: 0, modified: 0)),
                        chunk: nil)
                    let result = try await vault.save([save])[0]
                    if case .failure(let error) = result { return error.code == .denied }
                    return false
                })
        }
        try await engines.withAccounts { try $0.removeUser(try UserName("anna")) }
        for vault in vaults {
            #expect(
                try await soon {
                    do {
                        _ = try await vault.list(ListQuery())
                        return false
                    } catch {
                        return [.denied, .login].contains(VaultError(error).code)
                    }
                })
            await vault.close()
        }
    }

    @Test func eventsCountOnceWhoeverIsKilled() async throws {
        let hooks = """
            vault.on("save", function(event) vault.kv.incr("told", 1, event.id) vault.kv.incr("calls", 1) end)
            """
        let pair = try await ServerPair(engines, hooks: hooks)
        defer { pair.end() }
        let vault = try await pair.connect()
        var count = 0
        for round in 0..<3 {
            for _ in 0..<4 {
                let saves = try (0..<50).map { number in
                    SmallSave(
                        intent: SaveIntent(
                            name: try Name("f/\(count)/\(number)"), attributes: Attributes(mode: 0, modified: 0)),
                        chunk: nil)
                }
                for result in try await vault.save(saves) { _ = try result.get() }
                count += 1
            }
            if round < 2 { try await pair.restart(round) }
        }
        let all = count * 50
        func told() async throws -> (told: Int, calls: Int) {
            try await engines.withAccounts { accounts in
                let vault = try await accounts.places.open(try accounts.knownVault("anna").id, access: .readWrite)
                let told = try await vault.hookValue("told").value
                let calls = try await vault.hookValue("calls").value
                await vault.close()
                return (
                    Int(String(decoding: told, as: UTF8.self)) ?? 0, Int(String(decoding: calls, as: UTF8.self)) ?? 0
                )
            }
        }
        #expect(try await soon(within: .seconds(60)) { try await told().told >= all })
        let end = try await told()
        #expect(end.told == all)
        // Each once, but for those that were being told as a server was killed.
        #expect(end.calls < all + 600)
        await vault.close()
    }

    @Test func aServerWhoseClockIsWrongTakesNothingAway() async throws {
        let now = currentSeconds()
        let pair = try await ServerPair(engines, clocks: [nil, now + 3 * 86_400])
        defer { pair.end() }
        let (right, wrong) = (try await pair[0].connect(as: "anna"), try await pair[1].connect(as: "anna"))
        let bytes = randomBytes(6 << 20, seed: 3)
        let intent = SaveIntent(name: try Name("a"), attributes: Attributes(mode: 0o644, modified: 1))
        let upload = try await right.beginUpload(intent)
        let chunk = Chunk(
            digest: Digest(of: Array(bytes[..<1000])), bytes: BufferSlice(copying: Array(bytes[..<1000])))
        #expect(try await right.offer([chunk.reference], to: upload) == [true])
        try await right.put([chunk], to: upload)
        // What the other takes for three days old is not.
        _ = try await wrong.collect()
        let again = try await right.beginUpload(intent)
        #expect(try await right.offer([chunk.reference], to: again) == [false])
        let outcome = try await ContentSave(to: wrong).save(bytes, intent)
        #expect(abs(outcome.entry.savedAt - now) < 3600)
        #expect(try await ContentRead(from: right).read(try Name("a"), .current) == bytes)
        await right.close()
        await wrong.close()
    }
}
