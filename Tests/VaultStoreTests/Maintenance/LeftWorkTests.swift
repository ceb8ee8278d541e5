import TestSupport
import Testing
import VaultModel

@testable import VaultStore

/// Work that nobody waits for any more ends, and leaves the vault as it was.
@Suite struct LeftWorkTests {
    @Test func workThatIsLeftEnds() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                for number in 0..<10 { try await vault.save("f", sample(number)) }
                try await vault.upload("large", sample(20, count: 50_000), chunkSize: 10)
                let works: [@Sendable () async throws -> Void] = [
                    { _ = try await vault.verify(VerifyRequest()) },
                    { _ = try await vault.verify(VerifyRequest(prefix: try NamePrefix("large"))) },
                    { _ = try await vault.keep(last: 1) }, { _ = try await vault.collect() },
                ]
                for (index, work) in works.enumerated() {
                    let task = Task {
                        while !Task.isCancelled { await Task.yield() }
                        return await code { try await work() }
                    }
                    task.cancel()
                    #expect(await task.value == .cancelled, "\(index)")
                }
                #expect(try await vault.history(try name("f")).count == 10)
                #expect(try await vault.read("large") == sample(20, count: 50_000))
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }

    /// Runs work in a task that is cancelled before it begins.
    private func left(_ work: @escaping @Sendable () async throws -> Void) async -> VaultError.Code? {
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return await code { try await work() }
        }
        task.cancel()
        return await task.value
    }

    /// However much there is to read, few rows are.
    @Test func readingThatIsLeftEndsBeforeItHasReadAll() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                for start in stride(from: 0, to: 8000, by: 250) {
                    let saves = try (start..<start + 250).flatMap {
                        [try small("a/\($0)", []), try small("one", [], modified: Int64($0))]
                    }
                    for result in try await vault.save(saves) { _ = try result.get() }
                }
                let works: [@Sendable () async throws -> Void] = [
                    { _ = try await vault.list(ListQuery(tags: ["no": "such"])) },
                    { _ = try await vault.list(ListQuery(includesVersions: true, limit: 20_000)) },
                    { _ = try await vault.history(try name("one")) },
                    { _ = try await vault.catalog.objects(.all, afterObject: 0, limit: 10_000) },
                    { _ = try await vault.catalog.forgetUnused(at: 5) { (_) throws(VaultError) in throw .cancelled } },
                ]
                for (index, work) in works.enumerated() { #expect(await left(work) == .cancelled, "\(index)") }
                // What reads little is not worth the looks.
                #expect(await left { _ = try await vault.stat(try name("a/1"), .current) } == nil)
                #expect(try await vault.history(try name("one")).count == 8000)
            }
        }
    }

    /// Between its commits `keep` looks whether anybody waits for it; each commit dates itself by the clock.
    @Test func keepEndsBehindTheCommitDuringWhichItIsLeft() async throws {
        try await withTemporaryDirectory { directory in
            let looks = Shared(0)
            let cancel = Shared<(@Sendable () -> Void)?>(nil)
            let vault = try await StoredVault.open(
                directory, access: .create, savedBy: "anna",
                clock: {
                    if looks.change({
                        $0 += 1
                        return $0
                    }) == 4 {
                        cancel.value?()
                    }
                    return 1_700_000_000
                })
            for version in 0..<2 {
                for start in stride(from: 0, to: 4000, by: 250) {
                    let saves = try (start..<start + 250).map { try small("a/\($0)", [], modified: Int64(version)) }
                    for result in try await vault.save(saves) { _ = try result.get() }
                }
            }
            let before = try await vault.sequence()
            looks.change { $0 = 0 }
            let ended = await cancelling { end in
                cancel.change { $0 = end }
                return await code { _ = try await vault.keep(last: 1) }
            }
            #expect(ended == .cancelled)
            // One look at the clock is of keep itself, so that three commits took effect, each whole.
            let groups = try await vault.catalog.journal(after: before, limit: 100)
            #expect(groups.count == 3)
            #expect(try await vault.sequence() - before <= 3 * UInt64(Limits.pageEntries))
            #expect(try await vault.keep(last: 1).droppedVersions == 4000 - Int(groups[2].lastSequence - before))
            await vault.close()
        }
    }
}
