import TestSupport
import Testing
import VaultModel

@testable import VaultStore

extension VaultContract {
    /// A quota counts what a vault takes up, and nothing that nobody needs.
    @Suite struct Quota {
        private static let stored = VaultImplementation.all.filter { $0.testDescription != "served" }

        private func withVault(
            _ implementation: VaultImplementation, _ body: @Sendable (StoredVault) async throws -> Void
        ) async throws {
            try await implementation { subject in try await body(try #require(subject.vault as? StoredVault)) }
        }

        /// Sends 10 chunks of 100 bytes and gives up.
        private func abandon(_ vault: StoredVault, _ text: String, seed: Int) async throws {
            let upload = try await vault.beginUpload(try intent(text))
            _ = try? await vault.send(sample(seed, count: 1000), to: upload)
            await vault.abort(upload)
        }

        @Test(arguments: stored)
        func whatWasRefusedOrAbandonedCountsForNothing(_ implementation: VaultImplementation) async throws {
            try await withVault(implementation) { vault in
                try await vault.setQuota(4000)
                try await vault.save("a", sample(1, count: 1000))
                for seed in 2..<12 {
                    #expect(await code { try await vault.upload("b", sample(seed, count: 2000)) } == .quota)
                }
                #expect(try await vault.usage().storedBytes == 1072)
                try await vault.save("c", sample(20, count: 2700))
                #expect(try await vault.usage().storedBytes == 1072 + 2772)
                #expect(await code { try await vault.save("d", sample(21, count: 200)) } == .quota)
            }
        }

        @Test(arguments: stored)
        func whatAnAbandonedUploadHadStoredIsNotSentAgain(_ implementation: VaultImplementation) async throws {
            try await withVault(implementation) { vault in
                // Less than twice what it takes: the first upload gives way, and the second keeps its chunks.
                try await vault.setQuota(3000)
                let bytes = sample(1, count: 1200)
                let first = try await vault.beginUpload(try intent("a"))
                _ = try await vault.send(Array(bytes[..<1000]), to: first)
                await vault.abort(first)
                let second = try await vault.beginUpload(try intent("a"))
                let chunks = pieces(of: bytes, 100)
                let needed = try await vault.offer(chunks.map(\.reference), to: second)
                #expect(needed == (0..<12).map { $0 >= 10 })
                try await vault.put(Array(chunks[10...]), to: second)
                var list = ListBuilder()
                for chunk in chunks { list.append(chunk.reference) { _ in } }
                #expect(try await vault.commit(second, content: list.finish { _ in }) != nil)
                #expect(try await vault.read("a") == bytes)
                _ = try await vault.collect()
                #expect(try await vault.read("a") == bytes)
                #expect(try await vault.verify(VerifyRequest()).isClean)
                let usage = try await vault.usage()
                #expect(usage.storedBytes <= 3000 && usage.pendingBytes == 0)
            }
        }

        @Test(arguments: stored)
        func aSmallSaveKeepsTheChunkOfAnUploadThatGivesWay(_ implementation: VaultImplementation) async throws {
            try await withVault(implementation) { vault in
                try await vault.setQuota(2000)
                try await abandon(vault, "a", seed: 1)
                try await vault.save("b", Array(sample(1, count: 1000)[..<100]))
                #expect(try await vault.usage().storedBytes == 172)
                try await vault.save("c", sample(2, count: 1700))
                #expect(try await vault.usage().pendingBytes == 0)
                _ = try await vault.collect()
                #expect(try await vault.read("b") == Array(sample(1, count: 1000)[..<100]))
                #expect(try await vault.usage().storedBytes == 172 + 1772)
            }
        }

        @Test(arguments: stored)
        func anUploadThatIsUnderWayGivesWayToNobody(_ implementation: VaultImplementation) async throws {
            try await withVault(implementation) { vault in
                try await vault.setQuota(2500)
                let upload = try await vault.beginUpload(try intent("a"))
                let content = try await vault.send(sample(1, count: 1000), to: upload)
                await vault.recordAll(of: upload)
                #expect(try await vault.usage().pendingBytes == 1720)
                #expect(await code { try await vault.save("b", sample(2, count: 1000)) } == .quota)
                #expect(try await vault.commit(upload, content: content) != nil)
                #expect(try await vault.read("a") == sample(1, count: 1000))
            }
        }

        @Test(arguments: stored)
        func anUploadThatGaveWayElsewhereIsTriedAgain(_ implementation: VaultImplementation) async throws {
            try await withVault(implementation) { vault in
                try await vault.setQuota(4000)
                let upload = try await vault.beginUpload(try intent("a"))
                let content = try await vault.send(sample(1, count: 1000), to: upload)
                await vault.recordAll(of: upload)
                // As another process sees it, which knows of no upload.
                vault.catalog.release(upload)
                try await vault.save("b", sample(2, count: 3000))
                #expect(try await vault.commit(upload, content: content) == nil)
                await #expect(throws: VaultError.self) { _ = try await vault.read("a") }
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }

        /// Stores ten chunks for an upload that is then over, and has a version need them for a while.
        private func passOn(_ subject: VaultImplementation.Subject, _ vault: StoredVault, _ bytes: [UInt8]) async throws
        {
            let upload = try await vault.beginUpload(try intent("a"))
            _ = try await vault.send(bytes, to: upload)
            await vault.abort(upload)
            for (index, piece) in pieces(of: bytes, 100).enumerated() {
                try await vault.save("b/\(index)", piece.bytes.bytes)
            }
            try await vault.remove("b")
            subject.clock.advance(10)
            var policy = KeepPolicy()
            policy.within = 1
            _ = try await vault.keep(.all, policy, calendar: .utc, isDryRun: false)
        }

        /// What a version needed is told to an upload without becoming its own. Once only another upload needs it, it may
        /// give way, and whoever was told is to be told again.
        @Test(arguments: stored)
        func whatOnlyAnUploadNeedsIsNoLongerReliedOnByOthers(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = try #require(subject.vault as? StoredVault)
                let bytes = sample(1, count: 1000)
                try await passOn(subject, vault, bytes)
                let upload = try await vault.beginUpload(try intent("c"))
                let content = try await vault.send(bytes, to: upload)
                _ = try await vault.collect()
                try await vault.setQuota(4000)
                try await vault.save("d", sample(2, count: 3200))
                #expect(try await vault.commit(upload, content: content) == nil)
                #expect(try await vault.verify(VerifyRequest()).isClean)
                try await vault.setQuota(nil)
                try await vault.upload("c", bytes)
                #expect(try await vault.read("c") == bytes)
            }
        }

        @Test(arguments: stored)
        func anUploadThatOutlivedItsRecordIsTriedAgain(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = try #require(subject.vault as? StoredVault)
                let upload = try await vault.beginUpload(try intent("a"))
                let content = try await vault.send(sample(1, count: 1000), to: upload)
                await vault.recordAll(of: upload)
                subject.clock.advance(StoreLimits.uploadSeconds + 10)
                _ = try await vault.collect()
                #expect(try await vault.commit(upload, content: content) == nil)
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }

        @Test(arguments: stored)
        func whatSeveralUploadsHaveCountsOnce(_ implementation: VaultImplementation) async throws {
            try await withVault(implementation) { vault in
                let bytes = sample(1, count: 1000)
                var uploads: [UploadID] = []
                for name in ["a", "b", "c"] {
                    let upload = try await vault.beginUpload(try intent(name))
                    _ = try await vault.send(bytes, to: upload)
                    await vault.recordAll(of: upload)
                    uploads.append(upload)
                }
                #expect(try await vault.usage().pendingBytes == 1720)
                // The one that stored it gives way, and takes nothing along that others have.
                await vault.abort(uploads[0])
                try await vault.setQuota(1720 + 500)
                var list = ListBuilder()
                for chunk in pieces(of: bytes, 100) { list.append(chunk.reference) { _ in } }
                let content = list.finish { _ in }
                for upload in uploads[1...] { #expect(try await vault.commit(upload, content: content) != nil) }
                let usage = try await vault.usage()
                #expect(usage.pendingBytes == 0)
                #expect(usage.storedBytes == 1720 + 72 + 12 + 10 * 40)
                _ = try await vault.collect()
                #expect(try await vault.usage().storedBytes == usage.storedBytes)
                #expect(try await vault.read("c") == bytes)
            }
        }

        /// An upload that would not be saved by it takes nothing from others.
        @Test(arguments: stored)
        func nobodyGivesWayForNothing(_ implementation: VaultImplementation) async throws {
            try await withVault(implementation) { vault in
                try await vault.setQuota(4000)
                try await abandon(vault, "a", seed: 1)
                #expect(await code { try await vault.save("b", sample(2, count: 5000)) } == .quota)
                #expect(try await vault.usage().pendingBytes == 1720)
            }
        }

        /// Whether somebody else's version needs a chunk must not be seen by what it counts.
        @Test(arguments: stored)
        func relyingCostsAStrangerTheSameWhatever(_ implementation: VaultImplementation) async throws {
            var sums: [UInt64] = []
            for isThere in [false, true] {
                let sum = Shared<UInt64>(0)
                try await withVault(implementation) { vault in
                    let bytes = sample(1, count: 1000)
                    if isThere { try await vault.upload("private", bytes, by: Caller(user: "anna")) }
                    let before = try await vault.usage()
                    for _ in 0..<2 {
                        let upload = try await vault.beginUpload(try intent("box/a"), by: .stranger("bob"))
                        _ = try await vault.send(bytes, to: upload)
                        await vault.recordAll(of: upload)
                        await vault.abort(upload)
                    }
                    try await vault.upload("box/b", bytes, by: .stranger("bob"))
                    let after = try await vault.usage()
                    let counted = after.storedBytes + after.pendingBytes - before.storedBytes - before.pendingBytes
                    sum.change { $0 = counted }
                }
                sums.append(sum.value)
            }
            #expect(sums[0] == sums[1] && sums[0] > 0)
        }

        @Test(arguments: stored)
        func namesAndTagsCountAndRemovalsMakeRoom(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let (vault, clock) = (try #require(subject.vault as? StoredVault), subject.clock)
                let quota: UInt64 = 2 << 20
                try await vault.setQuota(quota)
                let tag = TagText(String(repeating: "t", count: 60_000))
                func fill(_ top: String) async throws -> Int {
                    for number in 0..<200 {
                        let saves = [try small("\(top)/\(number)", [], tags: ["t": tag])]
                        if try await vault.save(saves)[0].failureCode == .quota { return number }
                    }
                    return 200
                }
                let count = try await fill("a")
                #expect((10..<100).contains(count))
                let name = try name("a/0")
                for change in [
                    Change.copy(from: name, to: try Name("b")),
                    .tag(name, ["t": TagText(String(repeating: "u", count: 60_000))]),
                ] {
                    #expect(await code { try await vault.change(change) } == .quota)
                }
                #expect(try await vault.usage().storedBytes <= quota)
                try await vault.remove("a")
                clock.advance(10)
                var policy = KeepPolicy()
                policy.within = 1
                _ = try await vault.keep(.all, policy, calendar: .utc, isDryRun: false)
                _ = try await vault.collect()
                #expect(try await fill("c") > 0)
            }
        }

        @Test(arguments: stored)
        func requestsThatFailLeaveNothing(_ implementation: VaultImplementation) async throws {
            try await withVault(implementation) { vault in
                try await vault.setQuota(1 << 20)
                let long = (0..<15).map { _ in String(repeating: "n", count: 250) }.joined(separator: "/")
                let before = try await vault.usage()
                let changes = try (0..<200).map { Change.tag(try name("\(long)/\($0)"), ["a": "b"]) }
                for _ in 0..<10 {
                    let results = try await vault.change(changes, by: vault.caller, change: UniqueID())
                    #expect(results.allSatisfy { $0.failureCode == .notFound })
                }
                #expect(try await vault.usage() == before)
            }
        }

        /// Bytes of which no mebibyte is like another, or like one of another seed.
        private func mebibytes(_ count: UInt8, seed: Int) -> [UInt8] {
            (0..<count).flatMap { [UInt8(seed), $0] + [UInt8](repeating: 0, count: (1 << 20) - 2) }
        }

        @Test(arguments: stored)
        func whatIsOfNoUseIsClearedAwayBeforeItIsMuch(_ implementation: VaultImplementation) async throws {
            try await withVault(implementation) { vault in
                let quota: UInt64 = 6 << 20
                try await vault.setQuota(quota)
                try await vault.save("a", mebibytes(1, seed: 1))
                let bound = quota + quota / 10 + (64 << 20)
                for seed in 2..<34 {
                    let bytes = mebibytes(8, seed: seed)
                    #expect(await code { try await vault.upload("b", bytes, chunkSize: 1 << 20) } == .quota)
                    let length = try await vault.packs.list().values.reduce(0) { $0 + $1.length }
                    #expect(length <= bound)
                }
                #expect(try await vault.read("a") == mebibytes(1, seed: 1))
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }
}
