import Crypto
import TestSupport
import Testing
import VaultModel
import VaultServer
import VaultWire

@testable import VaultClient

/// Who may do what, seen from the client.
@Suite struct AccessTests {
    @Test func aPrefixIsAllThatItsUserSeesAndChanges() async throws {
        let office = try await Office([("bert", "photos", [.read, .save, .remove]), ("bert", "b-side", .read)])
        defer { office.end() }
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        for name in ["photos/1", "photos/2", "photosx", "private/a", "b-side", "b/x"] {
            _ = try await anna.save([Service.small(name, 1)])[0].get()
        }
        #expect(try await bert.list(ListQuery()).entries.map(\.name.text) == ["b-side", "photos/1", "photos/2"])
        #expect(try await bert.list(ListQuery(prefix: NamePrefix("photos"))).entries.count == 2)
        #expect(
            try await bert.list(ListQuery(after: Name("b-side"), limit: 1)).entries.map(\.name.text) == ["photos/1"])
        await expect(.denied) { _ = try await bert.list(ListQuery(prefix: NamePrefix("private"))) }
        await expect(.denied) { _ = try await bert.stat(Name("private/a"), .current) }
        await expect(.denied) { _ = try await bert.openRead(Name("photosx"), .current) }
        await expect(.denied) { _ = try await bert.history(Name("private/a")) }
        let reads = try ["photos/1", "private/a", "b-side"].map {
            SmallRead(name: try Name($0), selector: .current, length: Limits.smallFileBytesMax)
        }
        let read = try await bert.read(reads).map { result in (try? result.get())?.entry.name.text }
        #expect(read == ["photos/1", nil, "b-side"])
        await expect(.denied) { _ = try await bert.beginUpload(Service.small("private/b", 2).intent) }
        await expect(.denied) { _ = try await bert.save([Service.small("b-side", 2)])[0].get() }
        await expect(.denied) { _ = try await bert.changing(.remove(NamePrefix("private"))) }
        await expect(.denied) { _ = try await bert.changing(.rename(from: Name("photos/1"), to: Name("private/x"))) }
        await expect(.denied) { _ = try await bert.changing(.copy(from: Name("private/a"), to: Name("photos/x"))) }
        await expect(.denied) { _ = try await bert.collect() }
        // All of them, in one line.
        let accounts = try Accounts.open(office.server.data)
        let isTold = try await soon {
            let denials = try accounts.audit(of: "bert", limit: 100).filter { $0.kind == .denied }
            #expect(denials.count == 1 && denials[0].detail.contains("private"), "\(denials)")
            return denials.first?.count == 11
        }
        #expect(isTold)
        accounts.close()
        _ = try await bert.save([Service.small("photos/3", 3)])[0].get()
        _ = try await bert.changing(.rename(from: Name("photos/3"), to: Name("photos/4")))
        #expect(try await anna.stat(Name("photos/4"), .current)?.savedBy == "bert")
        await office.close([anna, bert])
    }

    @Test func whoMayNotReadLearnsNothingByOtherWays() async throws {
        let office = try await Office([("bert", "secret", [.save, .remove]), ("bert", "own", .full)])
        defer { office.end() }
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        var secret = try Service.small("secret/a", 1)
        secret.intent.tags = ["for": "anna"]
        _ = try await anna.save([secret])[0].get()
        // Under a name that he may read, it would be readable.
        await expect(.denied) { _ = try await bert.changing(.rename(from: Name("secret/a"), to: Name("own/a"))) }
        await expect(.denied) { _ = try await bert.changing(.copy(from: Name("secret/a"), to: Name("own/a"))) }
        let tagged = try await bert.change([.tag(Name("secret/a"), ["none": nil])])[0].get()
        #expect(tagged.entry == nil)
        // The same content again, which the vault does not tell from another.
        let again = try await bert.save([Service.small("secret/a", 1)])[0].get()
        #expect(again.isCreated)
        #expect(again.entry.tags.isEmpty)
        #expect(try await anna.stat(Name("secret/a"), .current)?.tags == ["for": "anna"])
        let status = try await bert.status()
        #expect(status.storedBytes == 0 && status.quota == nil)
        await office.close([anna, bert])
    }

    @Test func aChangedPasswordAndChangedRightsEndWhatWasBegunByTheOld() async throws {
        let office = try await Office([("bert", nil, .full)])
        defer { office.end() }
        let accounts = try Accounts.open(office.server.data)
        defer { accounts.close() }
        let bert = try await office.connect("bert")
        let first = try Service.small("a", 1)
        let upload = try await bert.beginUpload(first.intent)
        try accounts.grant(Grant(prefix: NamePrefix("b"), rights: .full), to: UserName("bert"), in: "anna")
        try accounts.revoke(.all, of: UserName("bert"), in: "anna")
        let chunk = try #require(first.chunk)
        #expect(
            try await soon { await code { _ = try await bert.offer([chunk.reference], to: upload) } == .denied })
        await bert.close()
    }

    @Test func aVaultMayGoWhileItIsUsed() async throws {
        let office = try await Office([])
        defer { office.end() }
        let accounts = try Accounts.open(office.server.data)
        defer { accounts.close() }
        for round in 0..<4 {
            let vault = "v\(round)"
            try await accounts.addVault(UserName(vault))
            try accounts.grant(Grant(prefix: .all, rights: .full), to: UserName("anna"), in: vault)
            let anna = try await office.server.connect(as: "anna", vault: vault)
            let work = Task(executorPreference: BlockingExecutor.shared) {
                for number in 0... {
                    _ = try await anna.save([Service.small("\(number)", number)])[0].get()
                    _ = try await anna.list(ListQuery())
                }
            }
            #expect(try await soon { try await anna.list(ListQuery()).entries.count > 3 })
            try await accounts.removeVault(vault)
            await #expect(throws: VaultError.self) { try await work.value }
            await anna.close()
        }
        let bert = try await office.server.connect(as: "bert")
        #expect(try await bert.stat(Name("none"), .current) == nil)
        await bert.close()
    }

    @Test func theTrailTellsWhoTriedTheVaultsOfOthers() async throws {
        let office = try await Office([("bert", nil, .read)])
        defer { office.end() }
        for _ in 0..<3 {
            await expect(.denied) { _ = try await office.server.connect(as: "bert", vault: "payroll") }
        }
        let accounts = try Accounts.open(office.server.data)
        let isTold = try await soon {
            let denials = try accounts.audit(of: "bert", limit: 100).filter { $0.kind == .denied }
            #expect(denials.count == 1 && denials[0].detail.contains("payroll"), "\(denials)")
            return denials.first?.count == 3
        }
        #expect(isTold)
        accounts.close()
    }

    @Test func whoMayAppendAddsAndDoesNothingElse() async throws {
        let office = try await Office([("bert", nil, .append)])
        defer { office.end() }
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        _ = try await anna.save([Service.small("secret", 1)])[0].get()
        #expect(try await bert.list(ListQuery()).entries.isEmpty)
        let small = try await bert.save([Service.small("in/1", 2)])[0].get()
        #expect(small.isCreated && !small.isTold)
        let entry = small.entry
        #expect(entry.version == 0 && entry.sequence == 0 && entry.savedAt == 0 && entry.savedBy.isEmpty)
        // Nor does an error tell what is there, or that anything is.
        var wanted = try Service.small("secret", 2)
        wanted.intent.ifVersion = 0
        let asked = wanted
        await expect(.denied) { _ = try await bert.save([asked])[0].get() }
        await expect(.denied) { _ = try await bert.beginUpload(asked.intent) }
        let inTheWay = await failure { _ = try await bert.save([Service.small("secret/below", 2)])[0].get() }
        #expect(inTheWay?.message == "The name 'secret/below' cannot be used.")
        #expect(try await ContentSave(to: bert).save(randomBytes(400_000, seed: 3), intent("in/large")).isCreated)
        await expect(.denied) { _ = try await bert.openRead(Name("in/1"), .current) }
        await expect(.denied) { _ = try await bert.changing(.remove(NamePrefix("in/1"))) }
        await expect(.denied) { _ = try await bert.changing(.rename(from: Name("in/1"), to: Name("in/2"))) }
        await expect(.denied) { _ = try await bert.changing(.tag(Name("secret"), ["class": "public"])) }
        var policy = KeepPolicy()
        policy.last = 1
        let keep = policy
        await expect(.denied) { _ = try await bert.keep(.all, keep, calendar: .utc, isDryRun: false) }
        await office.close([anna, bert])
    }

    @Test func aDigestIsNoWayToLearnWhatOthersHave() async throws {
        let office = try await Office([("bert", "in", [.read, .save])])
        defer { office.end() }
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        let bytes = randomBytes(600_000, seed: 4)
        _ = try await ContentSave(to: anna).save(bytes, intent("private"))
        // The whole of it is asked for again, and counts as new, though the vault has every chunk.
        let outcome = try await ContentSave(to: bert).save(bytes, intent("in/guess"))
        #expect(outcome.newBytes == UInt64(bytes.count))
        #expect(try await bert.save([Service.small("in/x", 9)])[0].get().newBytes == 500)
        _ = try await anna.save([Service.small("private2", 10)])[0].get()
        #expect(try await bert.save([Service.small("in/y", 10)])[0].get().newBytes == 500)
        // What bert may read is known to him.
        #expect(try await ContentSave(to: bert).save(bytes, intent("in/guess", modified: 2)).newBytes == 0)
        // Until a collection they lie there twice, so that neither time nor room tells of them.
        #expect(try await anna.status().storedBytes > 1_200_000)
        _ = try await anna.collect()
        #expect(try await anna.status().storedBytes < 700_000)
        await office.close([anna, bert])
    }

    @Test func anotherUsersVaultAndNoVaultLookTheSame() async throws {
        let office = try await Office([])
        defer { office.end() }
        var messages: [String] = []
        for vault in ["anna", "nobody"] {
            do {
                _ = try await office.server.connect(as: "bert", vault: vault)
                Issue.record("bert may use \(vault)")
            } catch let error as VaultError {
                #expect(error.code == .denied)
                messages.append(error.message.replacing(vault, with: "X"))
            }
        }
        #expect(Set(messages).count == 1)
    }

    @Test func whatIsRevokedHoldsAtOnceInOpenSessions() async throws {
        let office = try await Office([("bert", nil, .read)])
        defer { office.end() }
        let accounts = try Accounts.open(office.server.data)
        defer { accounts.close() }
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        _ = try await anna.save([Service.small("a", 1)])[0].get()
        #expect(try await bert.stat(Name("a"), .current) != nil)
        let name = try UserName("bert")
        try accounts.grant(Grant(prefix: NamePrefix("other"), rights: .read), to: name, in: "anna")
        try accounts.revoke(.all, of: name, in: "anna")
        #expect(try await soon { await code { _ = try await bert.stat(Name("a"), .current) } == .denied })
        try accounts.revoke(nil, of: name, in: "anna")
        // The session has ended: it cannot be taken up again either.
        #expect(try await soon { await code { _ = try await bert.stat(Name("other/a"), .current) } == .denied })
        #expect(try await anna.stat(Name("a"), .current) != nil)
        let key = try #require(try accounts.users().first { $0.name == "anna" }?.keys.first)
        try accounts.removeKey(key.fingerprint, of: UserName("anna"))
        #expect(try await soon { await code { _ = try await anna.stat(Name("a"), .current) } == .login })
        await office.close([anna, bert])
    }

    @Test func aManInTheMiddleWithAnotherCertificateIsRefused() async throws {
        let office = try await Office([])
        defer { office.end() }
        let accounts = try Accounts.open(office.server.data)
        defer { accounts.close() }
        let (anna, password) = (try UserName("anna"), try PasswordText("correct horse"))
        try accounts.setPassword(of: anna, Accounts.credentials(of: password))
        let interceptor = try await Interceptor(upstream: office.server.port, directory: TemporaryDirectory())
        defer { interceptor.close() }
        // Even a client that trusts any certificate does not get through, nor does its password help anybody.
        let anyone = ServerTrust { (_) throws(VaultError) in }
        let url = try ServerURL("minivault://anna@127.0.0.1:\(interceptor.port)")
        let direct = try ServerURL("minivault://anna@127.0.0.1:\(office.server.port)")
        let key = try #require(office.keys["anna"])
        for identity in [ClientIdentity.password(user: anna, password: password), .deviceKey(user: anna, key: key)] {
            for (url, isRefused) in [(url, true), (direct, false)] {
                let connect = { () async throws in
                    let vault = try await connecting {
                        try await RemoteVault.connect(to: url, trust: anyone, as: identity)
                    }
                    await vault.close()
                }
                if isRefused { await expect(.login) { try await connect() } } else { try await connect() }
            }
        }
        await expect(.login) {
            _ = try await office.server.connect(as: "anna", through: interceptor.port)
        }
    }

    @Test func wrongPasswordsAreSlowedAndAudited() async throws {
        let office = try await Office([])
        defer { office.end() }
        let anyone = ServerTrust { (_) throws(VaultError) in }
        let url = try ServerURL("minivault://anna@127.0.0.1:\(office.server.port)")
        let clock = ContinuousClock()
        let start = clock.now
        for number in 0..<5 {
            await expect(.login) {
                _ = try await connecting {
                    try await RemoteVault.connect(
                        to: url, trust: anyone,
                        as: .password(user: UserName("anna"), password: PasswordText("\(number)")))
                }
            }
        }
        // The third costs 250 ms, the next one twice that.
        #expect(clock.now - start > .milliseconds(750))
        // A device key is not held up.
        let vault = try await office.connect("anna")
        await vault.close()
        let accounts = try Accounts.open(office.server.data)
        defer { accounts.close() }
        let isTold = try await soon {
            let events = try accounts.audit(of: "anna", limit: 100)
            #expect(events.last?.kind == .login)
            return events.filter { $0.kind == .loginFailed }.map(\.count) == [5]
        }
        #expect(isTold)
    }

    @Test func aBalancerTellsWhoseConnectionItIs() async throws {
        let office = try await Office([], options: ["--proxy-protocol", "--max-per-address", "2"])
        defer { office.end() }
        let accounts = try Accounts.open(office.server.data)
        defer { accounts.close() }
        func balancer(_ introduction: String) throws -> FaultProxy {
            try FaultProxy(upstream: office.server.port, introduction: Array(introduction.utf8))
        }
        for address in ["203.0.113.7", "2001:db8::9"] {
            let version = address.contains(":") ? "TCP6" : "TCP4"
            let proxy = try balancer("PROXY \(version) \(address) 192.0.2.1 4711 7117\r\n")
            defer { proxy.close() }
            // Two of one address, and both at once.
            let vaults = [
                try await office.server.connect(as: "anna", through: proxy.port),
                try await office.server.connect(as: "anna", through: proxy.port),
            ]
            let peers = try accounts.audit(of: "anna", limit: 2).map(\.peer)
            #expect(peers == [address, address])
            await expect(.unavailable) { _ = try await office.server.connect(as: "anna", through: proxy.port) }
            await office.close(vaults)
        }
        // The balancer's own connections, and those who come around it.
        let own = try balancer("PROXY UNKNOWN\r\n")
        defer { own.close() }
        await office.close([try await office.server.connect(as: "anna", through: own.port)])
        #expect(try accounts.audit(of: "anna", limit: 1).map(\.peer) == ["127.0.0.1"])
        await expect(.unavailable) { _ = try await office.connect("anna") }
        #expect(try await soon { office.server.log.contains("it does not begin with the PROXY protocol") })
    }

    @Test func connectionsAreBoundedByUser() async throws {
        let office = try await Office([], options: ["--max-per-user", "3"])
        defer { office.end() }
        var vaults: [RemoteVault] = []
        for _ in 0..<3 { vaults.append(try await office.connect("anna")) }
        await expect(.unavailable) { _ = try await office.connect("anna") }
        let bert = try await office.server.connect(as: "bert")
        await office.close([bert, vaults.removeLast()])
        let isAdmitted = try await soon {
            guard let vault = try? await office.connect("anna") else { return false }
            await vault.close()
            return true
        }
        #expect(isAdmitted)
        await office.close(vaults)
    }

    private func intent(_ name: String, modified: Int64 = 1) throws -> SaveIntent {
        SaveIntent(name: try Name(name), attributes: Attributes(mode: 0o644, modified: modified))
    }

    private func code(_ body: () async throws -> Void) async -> VaultError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? VaultError)?.code
        }
    }

    private func expect(
        _ code: VaultError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async {
        let error = await #expect(throws: VaultError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == code, "\(error.map { "\($0)" } ?? "")", sourceLocation: sourceLocation)
    }
}

/// A server with the users anna and bert, who has grants in anna's vault.
final class Office: Sendable {
    let directory: TemporaryDirectory
    let server: ServerProcess
    let keys: [String: Curve25519.Signing.PrivateKey]

    init(_ grants: [(user: String, prefix: String?, rights: Rights)], options: [String] = []) async throws {
        directory = try TemporaryDirectory()
        let data = directory("data")
        keys = [
            "anna": try await TestLogin.addUser("anna", in: data),
            "bert": try await TestLogin.addUser("bert", in: data),
        ]
        let accounts = try Accounts.open(data)
        for grant in grants {
            let prefix = try grant.prefix.map { try NamePrefix($0) } ?? .all
            try accounts.grant(Grant(prefix: prefix, rights: grant.rights), to: UserName(grant.user), in: "anna")
        }
        accounts.close()
        server = try await ServerProcess.start(data: data, users: keys, options: options)
    }

    /// Connects a user to anna's vault.
    func connect(_ user: String) async throws -> RemoteVault {
        try await server.connect(as: user, vault: "anna")
    }

    func close(_ vaults: [RemoteVault]) async {
        for vault in vaults { await vault.close() }
    }

    func end() { server.kill() }
}
