import Testing
import VaultModel

@testable import VaultStore

@Suite struct UsageTests {
    @Test func countsChunksOnceAndThoseOfUploadsApart() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let usage = try await vault.usage()
                #expect(usage.storedBytes == 0 && usage.quota == nil)
                try await vault.save("a", sample(1))
                try await vault.save("b", sample(1))
                #expect(try await vault.usage().storedBytes == 372)
                let upload = try await vault.beginUpload(try intent("c"))
                _ = try await vault.send(sample(2, count: 200), to: upload)
                await vault.abort(upload)
                #expect(try await vault.usage().storedBytes == 372)
                #expect(try await vault.usage().pendingBytes == 2 * 172)
                try await vault.upload("c", sample(2, count: 200))
                let list = 72 + 12 + 2 * 40
                #expect(try await vault.usage().storedBytes == UInt64(372 + 2 * 172 + list))
                _ = try await vault.collect()
                #expect(try await vault.usage().storedBytes == UInt64(372 + 2 * 172 + list))
            }
        }
    }

    @Test func aUsedUpQuotaRefusesWhatIsNewAndNothingElse() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            try await withVault(directory, clock: clock) { vault in
                try await vault.save("a", sample(1))
                try await vault.setQuota(372 + 100)
                let results = try await vault.save([
                    small("b", sample(1)), small("c", sample(2)), small("d", sample(3, count: 28)),
                    small("e", sample(4, count: 1)), small("f", []), small("a", sample(1)),
                ])
                #expect(results.map(\.failureCode) == [nil, .quota, nil, .quota, nil, nil])
                let usage = try await vault.usage()
                #expect(usage.storedBytes == 472 && usage.quota == 472)
                try await vault.change(.copy(from: try name("a"), to: try name("g")))
                try await vault.remove("d")
                clock.advance(10)
                var policy = KeepPolicy()
                policy.within = 1
                _ = try await vault.keep(.all, policy, calendar: .utc, isDryRun: false)
                #expect(await code { try await vault.save("e", sample(4, count: 1)) } == .quota)
                _ = try await vault.collect()
                try await vault.save("e", sample(4, count: 1))
                try await vault.setQuota(nil)
                try await vault.save("c", sample(2))
                #expect(try await vault.names() == ["a", "b", "c", "e", "f", "g"])
            }
            try await withVault(directory) { vault in
                try await vault.setQuota(5)
                #expect(try await vault.usage().quota == 5)
            }
        }
    }

    @Test func uploadsReserveTheirBytesOnArrival() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.setQuota(1000)
                let first = try await vault.beginUpload(try intent("a"))
                _ = try await vault.send(sample(1, count: 400), to: first)
                let second = try await vault.beginUpload(try intent("b"))
                #expect(await code { _ = try await vault.send(sample(2, count: 400), to: second) } == .quota)
                await vault.abort(second)
                #expect(await code { try await vault.upload("c", sample(3, count: 400)) } == .quota)
                await vault.abort(first)
                #expect(try await vault.usage().storedBytes <= 1000)
                #expect(await code { try await vault.upload("a", sample(1, count: 400)) } == nil)
                #expect(try await vault.read("a") == sample(1, count: 400))
            }
        }
    }

    @Test func anEmptyDirectoryStaysWhereTheQuotaRefusesAName() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.save("d", [], kind: .directory)
                try await vault.setQuota(10)
                let results = try await vault.save([small("d/e", sample(1)), small("d", [], kind: .directory)])
                #expect(results.map(\.failureCode) == [.quota, nil])
                #expect(try await vault.names() == ["d"])
                #expect(try await vault.history(try name("d")).count == 1)
            }
        }
    }
}
