import Synchronization
import Testing
import VaultModel

@testable import VaultStore

/// A hash is not a capability: what callers learn of chunks that the vault has.
@Suite struct SharingTests {
    private let bytes = sample(1, count: 400)

    @Test func whoReadsEverythingIsToldOfEveryChunk() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.upload("a", bytes)
                #expect(try await vault.needed("b", bytes, by: .reader("bob")) == "0000")
                #expect(
                    try await vault.save([small("c", Array(bytes[..<100]))], by: .reader("bob"), change: nil)[0]
                        .get().newBytes == 0)
            }
        }
    }

    @Test func aStrangerSendsWhatTheVaultHasAndItIsSharedWithTheNextCollection() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.upload("a", bytes)
                let before = try await vault.usage()
                let outcome = try #require(try await vault.upload("b", bytes, by: .stranger("bob")))
                #expect(outcome.newBytes == 400)
                #expect(outcome.entry.savedBy == "bob")
                // Four chunks and the list of them.
                let listed = before.storedBytes
                #expect(try await vault.usage().storedBytes == 2 * listed)
                _ = try await vault.collect()
                #expect(try await vault.usage().storedBytes == listed)
                #expect(try await vault.read("b") == bytes)
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }

    /// Has strangers save what another one has saved, and what nobody has, each in a vault of its own.
    private func traces(
        _ save: @Sendable (StoredVault, [UInt8]) async throws -> Void
    ) async throws -> [(operations: [String], stored: UInt64)] {
        var found: [(operations: [String], stored: UInt64)] = []
        for other in [bytes, sample(7, count: bytes.count)] {
            try await withTemporaryDirectory { directory in
                let files = RecordedFiles()
                let trace = try await withVault(directory, files: files) { vault in
                    try await vault.upload("a", other)
                    try await vault.save("small", other)
                    let (before, stored) = (files.operations.count, try await vault.usage().storedBytes)
                    try await save(vault, bytes)
                    let operations = Array(files.operations[before...])
                    return (operations: operations, stored: try await vault.usage().storedBytes - stored)
                }
                found.append(trace)
            }
        }
        return found
    }

    @Test func theDiskDoesTheSameForWhatTheVaultHasAndForWhatItHasNot() async throws {
        let uploads = try await traces { try await $0.upload("b", $1, by: .stranger("bob")) }
        let smalls = try await traces { vault, bytes in
            _ = try await vault.save([small("b", bytes)], by: .stranger("bob"), change: nil)[0].get()
        }
        let staged = try await traces { vault, bytes in
            let decider = StoredVault.Decider { saves in
                try? await saves[0].staging?.finish()
                return saves.map { SaveDecision(intent: $0.intent) }
            }
            _ = try await vault.save([small("b", bytes)], by: .stranger("bob"), change: nil, deciding: decider)[0].get()
        }
        for traces in [uploads, smalls, staged] {
            #expect(!traces[0].operations.isEmpty && traces[0].stored > 0)
            #expect(traces[0].operations == traces[1].operations)
            #expect(traces[0].stored == traces[1].stored)
        }
        // Nor does a quota tell whether a name holds this already.
        let same = try await traces { vault, bytes in
            _ = try await vault.save([small("small", bytes)], by: .stranger("bob"), change: nil)[0].get()
        }
        #expect(same[0].stored == same[1].stored)
    }

    @Test func whatIsDamagedIsHealedByAStrangerToo() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.save("a", sample(1))
                let digest = Digest(of: sample(1))
                let place = try #require(try await vault.catalog.locations([digest])[0])
                try await vault.catalog.withdraw([place: digest])
                #expect(try await vault.catalog.locations([digest])[0] == nil)
                let saves = try [small("b", sample(1))]
                _ = try await vault.save(saves, by: .stranger("bob"), change: nil)[0].get()
                let healed = try #require(try await vault.catalog.locations([digest])[0])
                #expect(healed != place)
                // A sound chunk stays where it is.
                _ = try await vault.save(saves, by: .stranger("eve"), change: nil)[0].get()
                #expect(try await vault.catalog.locations([digest])[0] == healed)
                #expect(try await vault.read("a") == sample(1))
            }
        }
    }

    @Test func aStrangerCannotCommitWhatHeOnlyNames() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.upload("a", bytes)
                let upload = try await vault.beginUpload(try intent("b"), by: .stranger("bob"))
                let chunks = pieces(of: bytes, 100)
                #expect(try await vault.offer(chunks.map(\.reference), to: upload) == [true, true, true, true])
                let content = try #require(try await vault.stat(try name("a"), .current)).content
                #expect(await code { _ = try await vault.commit(upload, content: content) } == .invalid)
                #expect(try await vault.names() == ["a"])
            }
        }
    }

    @Test func theCurrentVersionOfTheNameIsKnownToWhoMayReadIt() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.upload("a", bytes)
                try await vault.upload("b", sample(2, count: 400))
                try await vault.save("one", Array(bytes[..<100]))
                let reads = Caller.stranger("bob") { $0.text != "b" }
                let changed = Array(bytes[..<200]) + sample(2, count: 400)[200...]
                #expect(try await vault.needed("a", changed, by: reads) == "0011")
                #expect(try await vault.needed("b", changed, by: reads) == "1111")
                #expect(try await vault.needed("new", changed, by: reads) == "1111")
                #expect(try await vault.needed("one", changed, by: reads) == "0111")
                #expect(try await vault.upload("a", changed, by: reads)?.newBytes == 200)
                // Of older versions nothing is known.
                #expect(try await vault.needed("a", bytes, by: reads) == "0011")
            }
        }
    }

    @Test func theCurrentVersionIsFoundThroughAllItsNodes() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                // Lists of more than 4,096 chunks have nodes above nodes.
                let chunks = (0..<5000).map { index in chunk(withUnsafeBytes(of: Int32(index)) { Array($0) }) }
                let first = try await vault.beginUpload(try intent("a"))
                var list = ListBuilder()
                for start in stride(from: 0, to: chunks.count, by: 500) {
                    let part = Array(chunks[start..<start + 500])
                    _ = try await vault.offer(part.map(\.reference), to: first)
                    try await vault.put(part, to: first)
                    for chunk in part { list.append(chunk.reference) { _ in } }
                }
                let content = list.finish { _ in }
                #expect(content.depth > 1)
                _ = try #require(try await vault.commit(first, content: content))
                let second = try await vault.beginUpload(try intent("a"), by: .stranger("bob") { _ in true })
                let needed = try await vault.offer(chunks.map(\.reference) + [chunk([1]).reference], to: second)
                #expect(needed.filter { $0 }.count == 1)
                await vault.abort(second)
            }
        }
    }

    @Test func aLostUploadResumesForItsUserOnly() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            try await withVault(directory, clock: clock) { vault in
                try await vault.save("shared", Array(bytes[..<100]))
                let upload = try await vault.beginUpload(try intent("b"), by: .stranger("bob"))
                _ = try await vault.send(Array(bytes[..<300]), to: upload)
                // Until it is given up or recorded, another upload cannot rely on it.
                #expect(try await vault.needed("c", bytes, by: .stranger("bob")) == "1111")
                await vault.abort(upload)
                #expect(try await vault.needed("c", bytes, by: .stranger("bob")) == "0001")
                #expect(try await vault.needed("c", bytes, by: .stranger("eve")) == "1111")
                clock.advance(3600)
                _ = try await vault.collect()
            }
            try await withVault(directory, clock: clock) { vault in
                #expect(try await vault.upload("b", bytes, by: .stranger("bob"))?.newBytes == 100)
                clock.advance(86_401)
                _ = try await vault.collect()
                #expect(try await vault.needed("c", bytes, by: .stranger("bob")) == "1111")
                #expect(try await vault.read("b") == bytes)
            }
        }
    }

    @Test func smallSavesOfAStrangerDoNotTellWhatIsThere() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.save("a", sample(1))
                let results = try await vault.save(
                    [small("b", sample(1)), small("b", sample(1)), small("c", sample(2)), small("d", sample(2))],
                    by: .stranger("bob"), change: nil)
                #expect(try results.map { try $0.get().newBytes } == [300, 0, 300, 300])
                // Each content that a call brings counts once, whether the vault had it or not.
                #expect(try await vault.usage().storedBytes == 3 * 372)
                try await vault.setQuota(3 * 372)
                let saves = try [small("e", sample(1)), small("e", sample(9)), small("b", sample(1), modified: 7)]
                let full = try await vault.save(saves, by: .stranger("bob"), change: nil)
                #expect(full.map(\.failureCode) == [.quota, .quota, .quota])
                #expect(await code { try await vault.upload("e", bytes, by: .stranger("bob")) } == .quota)
                let readable = try await vault.save(saves, by: .stranger("bob") { $0.text == "b" }, change: nil)
                #expect(readable.map(\.failureCode) == [.quota, .quota, nil])
            }
        }
    }

    @Test func whatIsTooMuchToRememberIsAskedForAgain() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                let upload = try await vault.beginUpload(try intent("a"))
                let many = (0...StoreLimits.expectedChunksMax).map { index in
                    ChunkReference(digest: Digest(of: withUnsafeBytes(of: index) { Array($0) }), span: 1)
                }
                #expect(await code { _ = try await vault.offer(many, to: upload) } == .invalid)
                #expect(try await vault.offer([many[0]], to: upload) == [true])
            }
        }
    }
}
