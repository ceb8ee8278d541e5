import Synchronization
import Testing
import VaultModel

@testable import VaultStore

/// Many sessions at one open vault.
@Suite struct SessionsTests {
    @Test func twoHundredUploadsAtOnceAllEnd() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for index in 0..<200 {
                        group.addTask {
                            let caller = Caller.stranger("u\(index % 20)") { _ in true }
                            let upload = try await vault.beginUpload(try intent("n/\(index)"), by: caller)
                            let content = try await vault.send(sample(index % 50, count: 600), to: upload)
                            // The sessions of some are lost.
                            if index % 10 == 9 { return await vault.abort(upload) }
                            #expect(try await vault.commit(upload, content: content, change: UniqueID()) != nil)
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await vault.names().count == 180)
                #expect(try await vault.audit(limit: 1000).count == 180)
                #expect(vault.uploads.withLock { $0.isEmpty })
                for index in [0, 57, 198] {
                    #expect(try await vault.read("n/\(index)") == sample(index % 50, count: 600))
                }
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }

    @Test func anUploadThatIsGivenUpWhileItsChunksComeLosesNothingElse() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                for round in 0..<20 {
                    let caller = Caller.reader("bob")
                    let upload = try await vault.beginUpload(try intent("a"), by: caller)
                    async let sent = try? vault.send(sample(round, count: 1000), to: upload)
                    await vault.abort(upload)
                    _ = await sent
                    let catalog = try #require(vault.catalog as? SQLiteCatalog)
                    #expect(catalog.reservations.bytes == 0)
                }
                try await vault.upload("a", sample(1, count: 1000))
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }

    @Test func commitsWhileChunksStillComeKeepTheReservationsRight() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                for round in 0..<20 {
                    let upload = try await vault.beginUpload(try intent("a"), by: .reader("bob"))
                    let chunks = pieces(of: sample(round, count: 1000), 100)
                    let content = try await vault.send(sample(round, count: 1000), to: upload)
                    async let late: Void? = {
                        let more = chunk(sample(1000 + round))
                        _ = try? await vault.offer([more.reference], to: upload)
                        return try? await vault.put([more] + chunks, to: upload)
                    }()
                    _ = try? await vault.commit(upload, content: content)
                    _ = await late
                    await vault.abort(upload)
                    let catalog = try #require(vault.catalog as? SQLiteCatalog)
                    #expect(catalog.reservations.bytes == 0)
                }
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }
}
