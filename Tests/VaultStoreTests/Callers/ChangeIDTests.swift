import Foundation
import Testing
import VaultModel

@testable import VaultStore

/// A change that is repeated by its id is answered as it was and takes effect once.
@Suite struct ChangeIDTests {
    private let bob = Caller.reader("bob")

    @Test func aRepeatedBatchIsAnsweredTheSame() async throws {
        try await withTemporaryDirectory { directory in
            let id = UniqueID()
            let saves = try [
                small("a", sample(1), tags: ["k": "v"]), small("a/b", sample(2)), small("c", [], kind: .removed),
                small("a", sample(1)), small("d", [], kind: .directory),
            ]
            let first = try await withVault(directory) { vault in
                let first = try await vault.save(saves, by: bob, change: id)
                #expect(first.map { (try? $0.get())?.isCreated } == [true, nil, nil, false, true])
                #expect(describe(try await vault.save(saves, by: bob, change: id)) == describe(first))
                // A batch is one row, however many files it has.
                let rows = try #require(vault.catalog as? SQLiteCatalog).read { database in
                    let query = try Query(database, "SELECT count(*) FROM answer")
                    defer { query.finish() }
                    return try query.step() ? query.int(0) : 0
                }
                #expect(rows == 1)
                return first
            }
            try await withVault(directory) { vault in
                try await vault.save("a", sample(3))
                try await vault.remove("d")
                #expect(describe(try await vault.save(saves, by: bob, change: id)) == describe(first))
                #expect(try await vault.history(try name("a")).count == 2)
                #expect(try await vault.names() == ["a"])
            }
        }
    }

    @Test func aVersionThatIsGoneIsAnsweredFromTheRequest() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let id = UniqueID()
                let saves = try [small("a", sample(1), tags: ["k": "v"])]
                let first = try await vault.save(saves, by: bob, change: id)[0].get()
                try await vault.rename("a", "b")
                try await vault.save("a", sample(2))
                let again = try await vault.save(saves, by: bob, change: id)[0].get()
                #expect(again.entry == first.entry)
                #expect(again.newBytes == 300)
                try await vault.keep(last: 1)
            }
        }
    }

    @Test func repeatedChangesTakeEffectOnce() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                for text in ["a", "b/c", "b/d"] { try await vault.save(text, sample(1)) }
                let id = UniqueID()
                let changes: [Change] = [
                    .remove(try NamePrefix("a")), .remove(try NamePrefix("b")), .remove(try NamePrefix("x")),
                ]
                let first = try await vault.change(changes, by: bob, change: id)
                #expect(first.map { (try? $0.get())?.count } == [1, 2, nil])
                try await vault.save("a", sample(2))
                let again = try await vault.change(changes, by: bob, change: id)
                #expect(again.map { (try? $0.get())?.count } == [1, 2, nil])
                #expect(try again[0].get().entry == first[0].get().entry)
                #expect(try again[0].get().entry?.kind == .removed)
                #expect(again[2].failureCode == .notFound)
                #expect(try await vault.names() == ["a"])
                #expect(try await vault.change(changes, by: .reader("eve"), change: id)[0].get().count == 1)
            }
        }
    }

    @Test func anIDNamesOneChangeOnly() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let id = UniqueID()
                _ = try await vault.save([small("a", sample(1))], by: bob, change: id)
                for saves in try [[small("a", sample(2))], [small("b", sample(1))]] {
                    #expect(try await vault.save(saves, by: bob, change: id)[0].failureCode == .invalid)
                }
                let tag = try await vault.change([.tag(try name("a"), ["k": "v"])], by: bob, change: id)
                #expect(tag[0].failureCode == .invalid)
                let content = try small("a", sample(1)).content
                #expect(
                    await code { _ = try await vault.answer(toCommit: id, of: "bob", content: content) } == .invalid)
                #expect(try await vault.entries().map(\.version) == [1])
            }
        }
    }

    @Test func repetitionsThatRaceTheFirstAreAnsweredLikeIt() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { one in
                try await withVault(directory) { other in
                    for round in 0..<10 {
                        let id = UniqueID()
                        let saves = try [small("a", sample(round)), small("b\(round)", sample(round), ifVersion: 0)]
                        let answers = try await withThrowingTaskGroup(of: [String].self) { group in
                            for vault in [one, other, one, other] {
                                group.addTask { describe(try await vault.save(saves, by: .reader("bob"), change: id)) }
                            }
                            return try await group.reduce(into: Set<[String]>()) { $0.insert($1) }
                        }
                        #expect(answers.count == 1)
                    }
                    #expect(try await one.history(try name("a")).count == 10)
                }
            }
        }
    }

    @Test func aCommitIsAnsweredAgainWhenItsUploadIsOver() async throws {
        try await withTemporaryDirectory { directory in
            let (id, refused) = (UniqueID(), UniqueID())
            let bytes = sample(1, count: 500)
            let first = try await withVault(directory) { vault in
                let first = try #require(try await vault.upload("a", bytes, by: bob, change: id))
                let late = try await vault.beginUpload(try intent("a", ifVersion: 1), by: bob)
                let content = try await vault.send(sample(2, count: 200), to: late)
                try await vault.save("a", sample(3))
                #expect(
                    await code { _ = try await vault.commit(late, content: content, change: refused) } == .conflict)
                return first
            }
            try await withVault(directory) { vault in
                let content = first.entry.content
                let outcome = try await vault.answer(toCommit: id, of: "bob", content: content)?.outcome
                #expect(outcome?.entry == first.entry)
                #expect(outcome?.isCreated == true)
                #expect(outcome?.newBytes == 500)
                #expect(try await vault.answer(toCommit: UniqueID(), of: "bob", content: content) == nil)
                #expect(try await vault.answer(toCommit: id, of: "eve", content: content) == nil)
                #expect(
                    await code { _ = try await vault.answer(toCommit: id, of: "bob", content: .empty) } == .invalid)
                #expect(
                    await code { _ = try await vault.answer(toCommit: refused, of: "bob", content: content) }
                        == .conflict)
            }
        }
    }

    @Test func commitsOfOneUploadThatRaceAreAnsweredAlike() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let (id, caller) = (UniqueID(), bob)
                let upload = try await vault.beginUpload(try intent("a"), by: caller)
                let content = try await vault.send(sample(1, count: 500), to: upload)
                try await withThrowingTaskGroup(of: SaveOutcome?.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            do throws(VaultError) {
                                return try await vault.commit(upload, content: content, change: id)
                            } catch {
                                // As a server does for an upload that it no longer has.
                                guard error.code == .notFound else { throw error }
                                return try await vault.answer(toCommit: id, of: "bob", content: content)?.outcome
                            }
                        }
                    }
                    for try await outcome in group { #expect(outcome?.entry.version == 1 && outcome?.newBytes == 500) }
                }
                #expect(try await vault.history(try name("a")).count == 1)
            }
        }
    }

    @Test func aSaveThatMustBeTriedAgainMayKeepItsID() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let id = UniqueID()
                try await vault.upload("old", sample(1, count: 300))
                let upload = try await vault.beginUpload(try intent("a"), by: bob)
                let content = try await vault.send(sample(1, count: 300), to: upload)
                try await vault.remove("old")
                try await vault.save("old", sample(2))
                try await vault.keep(last: 1)
                #expect(try await vault.collect().removedChunks > 0)
                #expect(try await vault.commit(upload, content: content, change: id)?.entry == nil)
                guard case .again = try await vault.answer(toCommit: id, of: "bob", content: content) else {
                    Issue.record("The commit is not answered again.")
                    return
                }
                for _ in 0..<2 {
                    let outcome = try await vault.upload("a", sample(1, count: 300), by: bob, change: id)
                    #expect(outcome?.entry.version == 1)
                }
                #expect(try await vault.answer(toCommit: id, of: "bob", content: content)?.outcome != nil)
            }
        }
    }

    @Test func answersAreForgottenAfterSevenDays() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            try await withVault(directory, clock: clock) { vault in
                let id = UniqueID()
                let remove: [Change] = [.remove(try NamePrefix("a"))]
                try await vault.save("a", sample(1))
                _ = try await vault.change(remove, by: bob, change: id)
                clock.advance(7 * 86_400)
                _ = try await vault.save([small("b", sample(1))], by: bob, change: UniqueID())
                #expect(try await vault.change(remove, by: bob, change: id)[0].failureCode == nil)
                clock.advance(1)
                _ = try await vault.save([small("b", sample(3))], by: bob, change: UniqueID())
                // A clock that is ahead makes nothing old, not before it has been so for a day.
                #expect(try await vault.change(remove, by: bob, change: id)[0].failureCode == nil)
                clock.advance(StoreLimits.confirmedSeconds)
                _ = try await vault.save([small("b", sample(2))], by: bob, change: UniqueID())
                #expect(try await vault.change(remove, by: bob, change: id)[0].failureCode == .notFound)
            }
        }
    }

    @Test(arguments: [FaultyFiles.Fault.error(ENOSPC), .crash])
    func aChangeAndItsAnswerAreDurableTogether(_ fault: FaultyFiles.Fault) async throws {
        try await withTemporaryDirectory { directory in
            let base = directory.appending("base")
            try await withVault(base) { try await $0.save("a", sample(1)) }
            for failing in 1... {
                let copy = directory.appending("vault\(failing)")
                copyVault(base, to: copy)
                let files = FaultyFiles(copy, failing: failing, with: fault)
                let id = UniqueID()
                let remove: [Change] = [.remove(try NamePrefix("a"))]
                do {
                    try await withVault(copy, files: files) { vault in
                        _ = try await vault.change(remove, by: bob, change: id)
                    }
                } catch  where files.hasReachedFault {}
                for remains in files.remains.map({ [$0.killed, $0.powerless] }) ?? [copy] {
                    try await withVault(remains) { vault in
                        let again = try await vault.change(remove, by: bob, change: id)
                        #expect(try again[0].get().count == 1, "operation \(failing)")
                        #expect(try await vault.history(try name("a")).count == 2, "operation \(failing)")
                    }
                }
                if !files.hasReachedFault { break }
            }
        }
    }
}

/// What answers tell, to compare them.
private func describe(_ results: [Result<SaveOutcome, VaultError>]) -> [String] {
    results.map { result in
        switch result {
        case .success(let outcome): "\(outcome.entry) \(outcome.isCreated) \(outcome.newBytes)"
        case .failure(let error): "\(error.code) \(error.message) \(error.name?.text ?? "")"
        }
    }
}
