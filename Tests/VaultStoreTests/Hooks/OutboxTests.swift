import Testing
import VaultModel

@testable import VaultStore

/// The outbox keeps what hooks are to be told until they have been, and what they keep themselves.
@Suite struct OutboxTests {
    private let everything = Telling(depth: 1) { _, _ in true }

    private func caller(_ telling: Telling?) -> Caller { Caller(user: "bob", peer: "192.0.2.1", telling: telling) }

    private func outbox(of vault: StoredVault) async throws -> [String] {
        try await vault.outbox(limit: 100).map { record in
            let event = record.event
            return
                ([event.kind.rawValue, event.formerName?.text, event.name.text].compactMap { $0 }
                + ["v\(event.version)"]).joined(separator: " ")
        }
    }

    @Test func holdsEveryChangeThatIsAskedFor() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let told = caller(everything)
                _ = try await vault.save([small("d/a", sample(1)), small("d/b", sample(2))], by: told, change: nil)
                // What changes nothing is no event.
                _ = try await vault.save([small("d/a", sample(1))], by: told, change: nil)
                let changes: [Change] = try [
                    .rename(from: name("d"), to: name("e")), .copy(from: name("e/a"), to: name("f")),
                    .tag(name("f"), ["k": "v"]), .remove(NamePrefix(name("e")), ifVersion: nil),
                    .remove(NamePrefix(name("none")), ifVersion: nil),
                ]
                _ = try await vault.change(changes, by: told, change: nil)
                #expect(
                    try await outbox(of: vault) == [
                        "save d/a v1", "save d/b v1", "rename d/a e/a v1", "rename d/b e/b v1", "save f v1",
                        "remove e/a v2", "remove e/b v2",
                    ])
                let first = try #require(try await vault.outbox(limit: 1).first)
                #expect(first.event.user == "bob" && first.event.peer == "192.0.2.1" && first.event.depth == 1)
            }
            // It is there after a restart, and empty where nobody asks.
            try await withVault(directory) { vault in
                #expect(try await vault.outbox(limit: 100).count == 7)
                _ = try await vault.save([small("g", sample(3))], by: caller(nil), change: nil)
                let some = Telling(depth: 0) { kind, name in kind == .save && name.text.hasSuffix(".csv") }
                _ = try await vault.save(
                    [small("h.csv", sample(4)), small("h.txt", sample(5))], by: caller(some), change: nil)
                #expect(try await outbox(of: vault).last == "save h.csv v1")
                #expect(try await vault.outbox(limit: 100).count == 8)
            }
        }
    }

    @Test func isSettledByWhatBecameOfEachEvent() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let saves = try ["a", "b", "c", "d"].map { try small($0, sample(1)) }
                _ = try await vault.save(saves, by: caller(everything), change: nil)
                let records = try await vault.outbox(limit: 100)
                try await vault.settle([
                    .told(records[0].number), .again(records[1].number, due: 77, error: "e", traceback: "t"),
                    .failed(records[2].number, error: "last", traceback: nil), .later(records[3].number, due: 88),
                ])
                let left = try await vault.outbox(limit: 100)
                #expect(left.map(\.event.name.text) == ["b", "d"])
                #expect(left.map(\.due) == [77, 88] && left.map(\.failures) == [1, 0])
                #expect(left[0].error == "e" && left[0].traceback == "t" && left[0].event.id == records[1].event.id)
                let failed = try await vault.outbox(failed: true, limit: 100)
                #expect(failed.map(\.event.id) == [records[2].event.id] && failed[0].error == "last")
                #expect(try await vault.retryFailed([UniqueID()]) == 0)
                #expect(try await vault.retryFailed([records[2].event.id]) == 1)
                #expect(try await outbox(of: vault).count == 3)
                #expect(try await vault.outbox(failed: true, limit: 1).isEmpty)
                #expect(try await vault.retryFailed(nil) == 0)
            }
        }
    }

    @Test func keepsValuesThatChangeOnlyAsExpected() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                #expect(try await vault.hookValue("k") == HookValue(value: [], version: 0))
                #expect(try await vault.store([1], as: "k", ifVersion: 0)?.version == 1)
                #expect(try await vault.store([2], as: "k", ifVersion: 0) == nil)
                #expect(try await vault.store([], as: "k", ifVersion: 1)?.version == 2)
                #expect(try await vault.store([3], as: "k", ifVersion: 2) == HookValue(value: [3], version: 3))
                // A count under an id counts once.
                for _ in 1...3 { _ = try await vault.add(2, to: "n", once: "event") }
                _ = try await vault.add(0.5, to: "n", once: nil)
                #expect(try await vault.hookValue("n").value == Array("2.5".utf8))
                await expect(.invalid) { _ = try await vault.add(1, to: "k", once: nil) }
                await expect(.invalid) { _ = try await vault.add(.infinity, to: "n", once: nil) }
                await expect(.invalid) { _ = try await vault.store([], as: "", ifVersion: 0) }
                let long = [UInt8](repeating: 0, count: StoreLimits.hookValueBytesMax + 1)
                await expect(.invalid) { _ = try await vault.store(long, as: "k", ifVersion: 3) }
            }
        }
    }
}
