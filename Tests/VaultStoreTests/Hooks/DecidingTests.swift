import Synchronization
import Testing
import VaultModel

@testable import VaultStore

/// Hooks decide on a save when its content is durable and nobody can see it.
@Suite struct DecidingTests {
    private let bob = Caller.reader("bob")

    /// Decides by the names of saves: some are refused, some renamed or tagged.
    private func decide(_ saves: [StagedSave]) -> [SaveDecision] {
        saves.map { save in
            var intent = save.intent
            switch save.intent.name.text {
            case "refused": return SaveDecision(intent: intent, refusal: VaultError(.rejected, "No."))
            case "renamed": intent.name = Name(validated: Array("elsewhere/renamed".utf8))
            case "tagged": intent.tags["by"] = "hook"
            default: break
            }
            return SaveDecision(intent: intent)
        }
    }

    @Test func smallSavesAreRefusedRenamedAndTagged() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.save("refused", sample(1))
                let saves = try ["refused", "renamed", "tagged", "plain"].enumerated().map {
                    try small($1, sample(10 + $0))
                }
                let seen = Mutex<[StagedSave]>([])
                let results = try await vault.save(
                    saves, by: bob, change: nil,
                    deciding: .init { staged in
                        seen.withLock { $0 = staged }
                        // Nothing is visible yet, and every content is on the disk once one is to be read.
                        await #expect(throws: Never.self) { try await staged[0].staging?.finish() }
                        #expect((try? await vault.names()) == ["refused"])
                        let stored = directory.files(ending: ".pack").flatMap { (try? $0.contents()) ?? [] }
                        for save in staged { #expect(stored.contains(save.bytes?.bytes ?? [])) }
                        return self.decide(staged)
                    })
                #expect(seen.withLock { $0.map(\.intent.name.text) } == ["refused", "renamed", "tagged", "plain"])
                #expect(throws: VaultError.self) { try results[0].get() }
                #expect(try results[1].get().entry.name.text == "elsewhere/renamed")
                #expect(try results[2].get().entry.tags == ["by": "hook"])
                #expect(try await vault.names() == ["elsewhere/renamed", "plain", "refused", "tagged"])
                #expect(try await vault.read("refused") == sample(1))
                #expect(try await vault.read("elsewhere/renamed") == sample(11))
                #expect(try await vault.verify(VerifyRequest()).isClean)
                // What was refused takes space until it is collected.
                let before = directory.files(ending: ".pack").reduce(0) { $0 + ((try? $1.contents().count) ?? 0) }
                _ = try await vault.collect()
                let after = directory.files(ending: ".pack").reduce(0) { $0 + ((try? $1.contents().count) ?? 0) }
                #expect(after <= before)
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }

    @Test func uploadsAreReadBeforeTheyAreDecidedOn() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let bytes = sample(1, count: 5000)
                let upload = try await vault.beginUpload(try intent("refused"), by: bob)
                let content = try await vault.send(bytes, to: upload)
                await expect(.rejected) {
                    _ = try await vault.commit(
                        upload, content: content, change: nil,
                        deciding: .init { staged in
                            let read = try? await vault.openStaged(staged[0])
                            if let read {
                                #expect((try? await vault.bytes(of: read)) == bytes)
                                await vault.closeRead(read.id)
                            }
                            #expect(read != nil)
                            return self.decide(staged)
                        })
                }
                #expect(try await vault.names().isEmpty)
                // The next try need not send it again.
                let again = try await vault.beginUpload(try intent("renamed"), by: bob)
                let whole = try await vault.send(bytes, to: again)
                let outcome = try #require(
                    try await vault.commit(
                        again, content: whole, change: nil, deciding: .init { self.decide($0) }))
                #expect(outcome.entry.name.text == "elsewhere/renamed")
                #expect(try await vault.read("elsewhere/renamed") == bytes)
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }

    @Test func aRepetitionIsNotDecidedOnAgain() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let (id, saves) = (UniqueID(), try [small("refused", sample(1)), small("renamed", sample(2))])
                let asked = Mutex(0)
                let decider = StoredVault.Decider { staged in
                    asked.withLock { $0 += 1 }
                    return self.decide(staged)
                }
                let first = try await vault.save(saves, by: bob, change: id, deciding: decider)
                let again = try await vault.save(
                    saves, by: bob, change: id, isRepeated: true, deciding: decider)
                #expect(asked.withLock { $0 } == 1)
                for results in [first, again] {
                    #expect(throws: VaultError.self) { try results[0].get() }
                    #expect(try results[1].get().isCreated)
                }
                #expect(try await vault.names() == ["elsewhere/renamed"])
            }
        }
    }

    @Test func onlyWhatIsWantedIsDecidedOn() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let names = ["plain", "refused", "other", "renamed"]
                let saves = try names.enumerated().map { try small($1, sample($0)) }
                let asked = Mutex<[Int]>([])
                let decider = StoredVault.Decider {
                    ["refused", "renamed"].contains("\($0)")
                } decide: { staged in
                    asked.withLock { $0 += staged.map(\.number) }
                    return self.decide(staged)
                }
                let results = try await vault.save(saves, by: bob, change: nil, deciding: decider)
                #expect(asked.withLock { $0 } == [1, 3])
                #expect(throws: VaultError.self) { try results[1].get() }
                #expect(try await vault.names() == ["elsewhere/renamed", "other", "plain"])
                #expect(try await vault.read("other") == sample(2))
                #expect(try await vault.read("elsewhere/renamed") == sample(3))
            }
        }
    }

    @Test func aQuotaHoldsBeforeAnythingIsStored() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.save("a", sample(1))
                try await vault.setQuota(try await vault.usage().storedBytes + 100)
                let saves = try [small("b", sample(2, count: 5000))]
                let results = try await vault.save(
                    saves, by: bob, change: nil,
                    deciding: .init { staged in
                        await expect(.quota) { try await staged[0].staging?.finish() }
                        return self.decide(staged)
                    })
                await expect(.quota) { _ = try results[0].get() }
                let reserved = try #require(vault.catalog as? SQLiteCatalog).reservations.bytes
                #expect(reserved == 0)
            }
        }
    }
}

extension [UInt8] {
    fileprivate func contains(_ part: [UInt8]) -> Bool {
        guard let first = part.first, count >= part.count else { return part.isEmpty }
        return (0...(count - part.count)).contains {
            self[$0] == first && self[$0..<($0 + part.count)].elementsEqual(part)
        }
    }
}
