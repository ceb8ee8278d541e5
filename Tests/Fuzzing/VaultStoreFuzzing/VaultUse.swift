import FuzzSupport
import Glibc
import VaultModel
import VaultStore

/// Somebody uses a vault that came from elsewhere: every use ends, by an error of the vault at worst, and touches no file
/// outside of the vault but those that a pull is told to write.
struct VaultUse {
    static let vaultName = "vault"
    static let victimName = "victim"
    private static let victim = Array("nobody else's".utf8)
    /// Entries that are looked at, of a listing that may have many.
    private static let entriesMax = 300

    private let scratch: ScratchDirectory
    private var directory: LocalPath { scratch.path.appending(VaultUse.vaultName) }
    private var target: LocalPath { scratch.path.appending("target") }

    init(_ scratch: ScratchDirectory) {
        self.scratch = scratch
        VaultImage.write(VaultUse.victim, to: scratch.path.appending(VaultUse.victimName))
    }

    /// Opens the vault as often as the choices have it, and once more at the end for a rebuild.
    func run(_ choices: inout Choices) async throws(BrokenInvariant) {
        for _ in 0...choices.below(3) {
            let access = choices.one(of: [StoredVault.Access.readWrite, .readOnly, .create])
            await withVault(access) { (vault) throws(VaultError) in
                for _ in 0...choices.below(6) { await use(vault, &choices) }
            }
            try check()
        }
        let repair = VaultRepair(directory)
        _ = try? await repair.catalogIsSound()
        if choices.flag(), (try? await repair.rebuild()) != nil {
            await withVault(.readWrite) { (vault) throws(VaultError) in
                _ = await names(in: vault, ListQuery())
                _ = try await vault.verify(VerifyRequest())
            }
        }
        try check()
    }

    private func withVault(
        _ access: StoredVault.Access, _ body: (StoredVault) async throws(VaultError) -> Void
    ) async {
        guard
            let vault = try? await StoredVault.open(directory, access: access, savedBy: "anna", clock: { 2_000_000 })
        else { return }
        try? await body(vault)
        await vault.close()
    }

    private func check() throws(BrokenInvariant) {
        let names = Set(ScratchDirectory.names(in: scratch.path))
        let own: Set = [VaultUse.vaultName, VaultUse.victimName, "target", "copy"]
        try require(names.isSubset(of: own), "files come about outside of the vault: \(names.subtracting(own))")
        let victim = try? SmallFile.read(scratch.path.appending(VaultUse.victimName), bytesMax: 1 << 20)
        try require(victim == VaultUse.victim, "a file outside of the vault is written to")
    }

    // MARK: One use

    private func use(_ vault: StoredVault, _ choices: inout Choices) async {
        do throws(VaultError) {
            switch choices.below(5) {
            case 0: try await look(vault, &choices)
            case 1: try await read(vault, &choices)
            case 2: try await change(vault, &choices)
            case 3: try await maintain(vault, &choices)
            default: try await serve(vault, &choices)
            }
        } catch {
            // It has ended with an error of the vault.
        }
    }

    private func look(_ vault: StoredVault, _ choices: inout Choices) async throws(VaultError) {
        switch choices.below(3) {
        case 0:
            let query = ListQuery(
                prefix: choices.flag() ? .all : NamePrefix(choices.name()), selector: choices.selector(),
                includesVersions: choices.flag(), after: choices.flag() ? choices.name() : nil,
                limit: choices.one(of: [1, 7, 1000]))
            for name in await names(in: vault, query) { _ = try? await vault.stat(name, choices.selector()) }
        case 1:
            for entry in try await vault.history(choices.name()) {
                _ = try? await vault.stat(entry.name, .version(entry.version))
                _ = TimeText.utc(entry.savedAt)
            }
        default: _ = try await vault.stat(choices.name(), choices.selector())
        }
    }

    private func names(in vault: StoredVault, _ query: ListQuery) async -> [Name] {
        var stream = EntryStream(vault, query)
        var names: [Name] = []
        while names.count < VaultUse.entriesMax, let entry = try? await stream.next() { names.append(entry.name) }
        return names
    }

    private func read(_ vault: StoredVault, _ choices: inout Choices) async throws(VaultError) {
        let (name, selector) = (choices.name(), choices.selector())
        switch choices.below(3) {
        case 0:
            _ = try await vault.read(
                (0..<3).map { _ in SmallRead(name: choices.name(), selector: selector, length: 4096) })
        case 1:
            let read = try await vault.openRead(name, selector)
            for chunk in try await vault.layout(read.id, from: choices.number(), count: 100) {
                _ = try? await vault.fetch([chunk], of: read.id)
                _ = try? await vault.fetch(
                    positions: [chunk.position, choices.number()], of: read.id, verifying: false)
            }
            await vault.closeRead(read.id)
        default:
            var options = TreeOptions()
            (options.selector, options.deletes, options.checksum) = (selector, choices.flag(), choices.flag())
            let prefix = choices.flag() ? NamePrefix.all : NamePrefix(name)
            _ = try await Pull(from: vault, options: options).run(prefix, target)
        }
    }

    private func change(_ vault: StoredVault, _ choices: inout Choices) async throws(VaultError) {
        let (name, other) = (choices.name(), choices.name())
        let caller = Caller(user: "bob", peer: "192.0.2.1", telling: Telling(depth: 0) { _, _ in true })
        let id = UniqueID(high: UInt64(choices.below(3)), low: UInt64(choices.below(6)))
        switch choices.below(8) {
        case 0: _ = try await vault.save([SmallSave(name.text, "new"), SmallSave(other.text, "newer")])
        case 1: _ = try await vault.save([SmallSave(name.text, "one")], by: caller, change: id)
        case 2: _ = try await vault.saveLarge(name.text, (0..<30).map { Array("new piece \($0)".utf8) })
        default:
            let changes: [Change] = [
                .rename(from: name, to: other), .copy(from: name, to: other), .remove(NamePrefix(name)),
                .revert(name, version: choices.flag() ? 1 : choices.number()),
                .tag(name, [TagText("t"): choices.flag() ? TagText("u") : nil]), .remove(.all),
            ]
            let some = (0...choices.below(2)).map { _ in choices.one(of: changes) }
            _ = try await vault.change(some, by: caller, change: choices.flag() ? id : nil)
        }
    }

    private func maintain(_ vault: StoredVault, _ choices: inout Choices) async throws(VaultError) {
        switch choices.below(4) {
        case 0:
            var policy = KeepPolicy()
            (policy.last, policy.daily, policy.weekly) = (choices.below(3), choices.below(3), choices.below(3))
            (policy.monthly, policy.within) = (choices.below(3), choices.number())
            let calendar = try CivilCalendar(zone: choices.one(of: ["UTC", "Europe/Berlin", "Pacific/Apia"]))
            _ = try await vault.keep(.all, policy, calendar: calendar, isDryRun: choices.flag())
        case 1: _ = try await vault.collect()
        case 2: _ = try await vault.verify(VerifyRequest(prefix: choices.flag() ? .all : NamePrefix(choices.name())))
        default:
            let copy = try await StoredVault.open(scratch.path.appending("copy"), access: .create)
            _ = try? await VaultMigration(from: vault, to: copy).run()
            await copy.close()
        }
    }

    /// What only a server does.
    private func serve(_ vault: StoredVault, _ choices: inout Choices) async throws(VaultError) {
        switch choices.below(5) {
        case 0:
            _ = try await vault.usage()
            try await vault.setQuota(choices.flag() ? choices.number() : nil)
        case 1: _ = try await vault.audit(since: choices.number(), after: choices.number(), limit: 100)
        case 2:
            _ = try await vault.outboxCounts()
            for record in try await vault.outbox(failed: choices.flag(), after: choices.number(), limit: 100) {
                try await vault.settle([.again(record.number, due: choices.number(), error: "e", traceback: nil)])
            }
            _ = try await vault.retryFailed(nil)
        case 3:
            let value = try await vault.hookValue("count")
            _ = try await vault.store(value.value, as: "count", ifVersion: value.version)
            _ = try await vault.add(1, to: "sum", once: choices.flag() ? "first" : nil)
        default:
            let time = try await vault.claimTime("daily")
            _ = try await vault.claim("daily", since: time)
        }
    }
}

extension Choices {
    /// A name that the samples have, or that came about since.
    mutating func name() -> Name {
        let texts = [
            "x/a", "x", "x/c", "x/large", "x/link", "y", "z", "z/large", "old", "u", "x/empty", "x/a/b", "new",
        ]
        return (try? Name(one(of: texts))) ?? Name(validated: [UInt8(ascii: "x")])
    }

    mutating func selector() -> Selector {
        switch below(4) {
        case 0: .current
        case 1: .version(flag() ? UInt64(below(4)) : number())
        case 2: .time(flag() ? 1_000_000 + Int64(below(60_000)) : number())
        default: .sequence(flag() ? UInt64(below(40)) : number())
        }
    }
}
