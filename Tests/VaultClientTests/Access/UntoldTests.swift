import TestSupport
import Testing
import VaultModel
import VaultServer

@testable import VaultClient

/// What is not told to those who may change something and may not read it.
@Suite struct UntoldTests {
    private func change(_ change: Change, by vault: RemoteVault) async -> (outcome: ChangeOutcome?, error: VaultError?)
    {
        do {
            return (try await vault.changing(change), nil)
        } catch {
            return (nil, error)
        }
    }

    @Test func aRemovalTellsNeitherVersionsNorCounts() async throws {
        let office = try await Office([("bert", "in", [.save, .remove])])
        defer { office.end() }
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        for name in ["in/a", "in/d/1", "in/d/2", "in/d/3"] {
            _ = try await anna.save([Service.small(name, 1)])[0].get()
        }
        let guessed = await change(.remove(try NamePrefix("in/a"), ifVersion: 9), by: bert)
        #expect(guessed.error?.code == .denied)
        let absent = await change(.remove(try NamePrefix("in/none")), by: bert)
        #expect(absent.error?.message == "The name 'in/none' cannot be used.")
        let removed = await change(.remove(try NamePrefix("in/d")), by: bert)
        #expect(removed.outcome?.count == 1 && removed.outcome?.entry == nil)
        #expect(try await anna.list(ListQuery()).entries.map(\.name.text) == ["in/a"])
        await office.close([anna, bert])
    }

    @Test func aTagTellsNothingOfTheTagsThatAreThere() async throws {
        let office = try await Office([("bert", "in", .save)])
        defer { office.end() }
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        var save = try Service.small("in/a", 1)
        save.intent.tags = ["class": "secret"]
        _ = try await anna.save([save])[0].get()
        for tags in [["class": "secret"], ["class": "public"]] as [[TagText: TagText]] {
            let tagged = await change(.tag(try Name("in/a"), tags), by: bert)
            #expect(tagged.outcome?.count == 1 && tagged.outcome?.entry == nil)
        }
        #expect(try await anna.stat(Name("in/a"), .current)?.tags == ["class": "public"])
        let absent = await change(.tag(try Name("in/none"), ["class": "public"]), by: bert)
        #expect(absent.error?.message == "The name 'in/none' cannot be used.")
        await office.close([anna, bert])
    }

    @Test func aCopyTellsNothingOfWhatIsInItsWay() async throws {
        let office = try await Office([("bert", "own", .full), ("bert", "in", .save)])
        defer { office.end() }
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        for name in ["own/a", "in/file", "in/tree/x"] { _ = try await anna.save([Service.small(name, 1)])[0].get() }
        for target in ["in/file", "in/file/below", "in/tree"] {
            for kind in ["copy", "rename"] {
                let (from, to) = (try Name("own/a"), try Name(target))
                let failed = await change(
                    kind == "copy" ? .copy(from: from, to: to) : .rename(from: from, to: to), by: bert)
                #expect(failed.error?.message == "The name '\(target)' cannot be used.")
                #expect(failed.error?.code == .exists)
            }
        }
        // What bert may read is told as ever.
        let none = await change(.copy(from: try Name("own/none"), to: try Name("in/x")), by: bert)
        #expect(none.error?.code == .notFound)
        let own = await change(.copy(from: try Name("own/a"), to: try Name("own/a/b")), by: bert)
        #expect(own.error?.code == .invalid)
        await office.close([anna, bert])
    }

    @Test func whatIsKeptAndFreedIsCountedForThoseWhoMayRead() async throws {
        let office = try await Office([("bert", nil, [.save, .remove])])
        defer { office.end() }
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        for number in 1...3 { _ = try await anna.save([Service.small("a", number)])[0].get() }
        var policy = KeepPolicy()
        policy.last = 2
        for isDryRun in [true, false] {
            let report = try await bert.keep(.all, policy, calendar: .utc, isDryRun: isDryRun)
            #expect(report.keptVersions == 0 && report.droppedVersions == 0 && report.forgottenNames == 0)
        }
        #expect(try await anna.history(Name("a")).count == 2)
        let refused = await failure { _ = try await bert.collect() }
        #expect(refused?.code == .denied)
        _ = try await anna.collect()
        await office.close([anna, bert])
    }

    @Test func aUsedUpQuotaDoesNotSayHowMuchThereIs() async throws {
        let office = try await Office([("bert", "in", .save)])
        defer { office.end() }
        let accounts = try Accounts.open(office.server.data)
        defer { accounts.close() }
        try await accounts.setQuota(1 << 20, of: "anna")
        let (anna, bert) = (try await office.connect("anna"), try await office.connect("bert"))
        let large = randomBytes(2 << 20, seed: 5)
        let intent = SaveIntent(name: try Name("in/large"), attributes: Attributes(mode: 0o644, modified: 1))
        for (vault, isTold) in [(anna, true), (bert, false)] {
            let error = await failure { _ = try await ContentSave(to: vault).save(large, intent) }
            #expect(error?.code == .quota && error?.message.contains("1 MiB") == isTold, "\(error?.message ?? "")")
        }
        await office.close([anna, bert])
    }
}
