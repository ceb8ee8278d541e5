import Testing
import VaultModel

@testable import VaultStore

@Suite struct AuditTests {
    private let bob = Caller.reader("bob")

    @Test func changesOverTheNetworkAreAuditedOnceARequest() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            try await withVault(directory, clock: clock) { vault in
                let saves = try (0..<5).map { try small("d/\($0)", sample($0)) } + [small("d", sample(1))]
                _ = try await vault.save(saves, by: bob, change: nil)
                try await vault.upload("u", sample(9, count: 500), by: bob)
                _ = try await vault.change([.rename(from: try name("d"), to: try name("e"))], by: bob, change: nil)
                clock.advance(10)
                _ = try await vault.change(
                    [
                        .tag(try name("u"), ["k": "v"]), .remove(try NamePrefix("e")),
                        .revert(try name("u"), version: 1),
                    ], by: bob, change: nil)
                var policy = KeepPolicy()
                policy.last = 1
                _ = try await vault.keep(
                    try NamePrefix("u"), policy, calendar: .utc, isDryRun: false, by: bob)
                let audit = try await vault.audit(limit: 100)
                #expect(
                    audit.map { "\($0.action) \($0.name?.text ?? "") \($0.count) \($0.sequences)" } == [
                        "save d/0 5 1...5", "save u 1 6...6", "rename d 5 7...7", "tag u 1 8...8", "remove e 5 9...13",
                        "revert u 1 14...14", "keep u 1 15...15",
                    ])
                #expect(audit.allSatisfy { $0.user == "bob" && $0.peer == "192.0.2.8" })
                #expect(try await vault.audit(since: clock.now, limit: 100) == Array(audit[3...]))
                #expect(try await vault.audit(after: 6, limit: 2) == Array(audit[2...3]))
            }
        }
    }

    @Test func whatChangesNothingOrComesFromHereIsNotAudited() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.save("a", sample(1))
                try await vault.upload("b", sample(2, count: 500))
                _ = try await vault.save([small("a", sample(1)), small("a/b", sample(1))], by: bob, change: UniqueID())
                #expect(try await vault.audit(limit: 100) == [])
                let id = UniqueID()
                for _ in 0..<3 { _ = try await vault.save([small("c", sample(1))], by: bob, change: id) }
                #expect(try await vault.audit(limit: 100).count == 1)
            }
        }
    }

    @Test func theAuditIsKeptForFourHundredDaysAndOverARepair() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            try await withVault(directory, clock: clock) { vault in
                _ = try await vault.save([small("a", sample(1))], by: bob, change: nil)
                clock.advance(300 * 86_400)
                _ = try await vault.save([small("b", sample(1))], by: bob, change: nil)
                clock.advance(100 * 86_400 + 1)
                _ = try await vault.save([small("c", sample(1))], by: bob, change: nil)
                // A clock that is ahead makes nothing old, not before it has been so for a day.
                _ = try await vault.collect()
                #expect(try await vault.audit(limit: 100).count == 3)
                clock.advance(StoreLimits.confirmedSeconds)
                _ = try await vault.collect()
                #expect(try await vault.audit(limit: 100).map(\.name?.text) == ["b", "c"])
            }
            _ = try await VaultRepair(directory).rebuild()
            try await withVault(directory, clock: clock) { vault in
                let audit = try await vault.audit(limit: 100)
                #expect(audit.map(\.name?.text) == ["b", "c"])
            }
        }
    }
}
