import Testing
import VaultModel

extension VaultContract {
    @Suite struct Saving {
        @Test(arguments: VaultImplementation.all)
        func aSavedFileReadsBack(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let outcome = try await vault.save("a/b", sample(1), tags: ["k": "v"])
                #expect(outcome.isCreated)
                #expect(outcome.newBytes == 300)
                #expect(outcome.entry.version == 1)
                #expect(outcome.entry.savedBy == "anna")
                #expect(outcome.entry.savedAt == subject.clock.now)
                #expect(try await vault.stat(try name("a/b"), .current) == outcome.entry)
                #expect(try await vault.read("a/b") == sample(1))
                #expect(try await vault.names() == ["a/b"])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func emptyFilesLinksAndEmptyDirectoriesAreKept(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("empty", [])
                try await vault.save("link", Array("target".utf8), kind: .link)
                try await vault.save("directory", [], kind: .directory)
                #expect(try await vault.upload("uploaded", [])?.isCreated == true)
                #expect(try await vault.entries().map(\.kind) == [.directory, .file, .link, .file])
                #expect(try await vault.read("empty") == [])
                #expect(try await vault.read("uploaded") == [])
                #expect(try await vault.read("link") == Array("target".utf8))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aLinkThatNoDiskCanHoldIsRefused(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                for target in ["", "a\0b", String(repeating: "a", count: 4096)] {
                    #expect(
                        await code { try await vault.save("link", Array(target.utf8), kind: .link) } == .invalid)
                }
                #expect(
                    await code { _ = try await vault.beginUpload(try intent("link", kind: .link)) } == .invalid)
                let longest = Array(String(repeating: "a", count: 4095).utf8)
                try await vault.save("link", longest, kind: .link)
                #expect(try await vault.read("link") == longest)
                #expect(try await vault.names() == ["link"])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aChunkHasOneLengthOnly(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let known = chunk(sample(1))
                try await vault.save("a", sample(1))
                let upload = try await vault.beginUpload(try intent("b"))
                let lie = ChunkReference(digest: known.digest, span: 4000)
                #expect(await code { _ = try await vault.offer([lie], to: upload) } == .invalid)
                let fresh = chunk(sample(2))
                let other = ChunkReference(digest: fresh.digest, span: fresh.reference.span + 1)
                #expect(try await vault.offer([other], to: upload) == [true])
                #expect(await code { _ = try await vault.offer([fresh.reference], to: upload) } == .invalid)
                #expect(await code { try await vault.put([fresh], to: upload) } == .invalid)
                await vault.abort(upload)
                #expect(try await vault.read("a") == sample(1))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func anUploadNeedsOnlyWhatTheVaultLacks(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 1000)
                let first = try #require(try await vault.upload("a", bytes))
                #expect(first.newBytes == 1000)
                #expect(first.entry.content.depth == 1)
                let second = try #require(try await vault.upload("b", bytes + sample(2, count: 50)))
                #expect(second.newBytes == 50)
                #expect(try await vault.read("a") == bytes)
                #expect(try await vault.read("b") == bytes + sample(2, count: 50))
                let upload = try await vault.beginUpload(try intent("c"))
                let offered = [chunk(sample(7)), chunk(Array(bytes[..<100])), chunk(sample(7))].map(\.reference)
                #expect(try await vault.offer(offered, to: upload) == [true, false, false])
                await vault.abort(upload)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aCommitRefusesWhatWasNotOfferedOrPut(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let chunks = pieces(of: sample(1, count: 200), 100)
                let other = try await vault.beginUpload(try intent("a"))
                _ = try await vault.offer(chunks.map(\.reference), to: other)
                try await vault.put(chunks, to: other)
                #expect(await code { _ = try await vault.commit(other, content: .empty) } == .invalid)
                await vault.abort(other)
                let missing = try await vault.beginUpload(try intent("a"))
                let bytes = chunk(sample(9))
                _ = try await vault.offer([bytes.reference], to: missing)
                #expect(
                    await code { _ = try await vault.commit(missing, content: Content(bytes.reference)) } == .invalid)
                await vault.abort(missing)
                #expect(await code { _ = try await vault.commit(missing, content: .empty) } == .notFound)
                #expect(try await vault.names() == [])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func anAbortedUploadResumes(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 1000)
                let upload = try await vault.beginUpload(try intent("a"))
                _ = try await vault.send(Array(bytes[..<600]), to: upload)
                await vault.abort(upload)
                #expect(try await vault.names() == [])
                subject.clock.advance(3600)
                _ = try await vault.collect()
                let outcome = try #require(try await vault.upload("a", bytes))
                #expect(outcome.newBytes == 400)
                #expect(try await vault.read("a") == bytes)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aRefusedCommitKeepsItsChunksForTheNextTry(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a", sample(1))
                let bytes = sample(2, count: 1000)
                let upload = try await vault.beginUpload(try intent("a", ifVersion: 1))
                let content = try await vault.send(bytes, to: upload)
                try await vault.save("a", sample(3))
                #expect(await code { _ = try await vault.commit(upload, content: content) } == .conflict)
                #expect(try await vault.upload("a", bytes)?.newBytes == 0)
                #expect(try await vault.read("a") == bytes)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func savesOfABatchTakeEffectInOrderAndFailAlone(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let results = try await vault.save([
                    small("a", sample(1)), small("a/b", sample(2)), small("a", sample(3)), small("c/d", sample(1)),
                    small("c/d", sample(1), ifVersion: 0), small("c", sample(1)), small("e", sample(4)),
                ])
                #expect(results.map { (try? $0.get())?.entry.version } == [1, nil, 2, 1, nil, nil, 1])
                #expect(results.compactMap(\.failureCode) == [.exists, .exists, .exists])
                #expect(try await vault.names() == ["a", "c/d", "e"])
                #expect(try await vault.read("a") == sample(3))
                #expect(try await vault.read("c/d") == sample(1))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aSaveThatEqualsTheCurrentVersionAddsNone(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let first = try await vault.save("a", sample(1), tags: ["k": "v"])
                let again = try await vault.save("a", sample(1), tags: ["k": "v"])
                #expect(!again.isCreated)
                #expect(again.entry == first.entry)
                #expect(again.newBytes == 0)
                #expect(try await !vault.save("a", sample(1)).isCreated)
                #expect(try await vault.save("a", sample(1), tags: ["l": "w"]).isCreated)
                #expect(try await vault.save("a", sample(1), modified: 2).isCreated)
                let large = sample(2, count: 1000)
                #expect(try await vault.upload("b", large)?.isCreated == true)
                #expect(try await vault.upload("b", large)?.isCreated == false)
                #expect(try await vault.history(try name("b")).count == 1)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func whatWouldRefuseACommitRefusesToBegin(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a/b", sample(1))
                for (name, version, expected) in [
                    ("a/b", 0, .exists), ("a/b", 2, .conflict), ("c", 1, .conflict), ("a", nil, .exists),
                    ("a/b/c", nil, .exists),
                ] as [(String, UInt64?, VaultError.Code)] {
                    let intent = try intent(name, ifVersion: version)
                    #expect(await code { _ = try await vault.beginUpload(intent) } == expected)
                }
            }
        }

        @Test(arguments: VaultImplementation.all)
        func ifVersionIsCheckedAtTheCommit(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a", sample(1), ifVersion: 0)
                #expect(await code { try await vault.save("a", sample(2), ifVersion: 0) } == .exists)
                #expect(await code { try await vault.save("a", sample(2), ifVersion: 2) } == .conflict)
                #expect(await code { try await vault.save("b", sample(2), ifVersion: 1) } == .conflict)
                let upload = try await vault.beginUpload(try intent("a", ifVersion: 1))
                let content = try await vault.send(sample(3, count: 500), to: upload)
                try await vault.save("a", sample(2), ifVersion: 1)
                #expect(await code { _ = try await vault.commit(upload, content: content) } == .conflict)
                try await vault.remove("a")
                #expect(await code { try await vault.save("a", sample(2), ifVersion: 3) } == .conflict)
                #expect(try await vault.save("a", sample(2), ifVersion: 0).entry.version == 4)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aSaveIsOfAFileALinkOrAnEmptyDirectory(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a", sample(1))
                #expect(await code { try await vault.save("a", [], kind: .removed) } == .invalid)
                #expect(await code { try await vault.save("b", sample(1), kind: .directory) } == .invalid)
                #expect(await code { _ = try await vault.beginUpload(try intent("a", kind: .removed)) } == .invalid)
                #expect(try await vault.names() == ["a"])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func tagsHaveABoundThatManySavesCannotPass(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let many = TagText(String(repeating: "t", count: 40_000))
                try await vault.save("a", sample(1), tags: ["one": many])
                #expect(await code { try await vault.save("a", sample(2), tags: ["two": many]) } == .conflict)
                let entry = try #require(try await vault.stat(try name("a"), .current))
                #expect(entry.version == 1 && entry.tags == ["one": many])
                let fewer: TagText = "few"
                try await vault.save("a", sample(2), tags: ["one": fewer])
                try await vault.save("a", sample(3), tags: ["two": many])
                #expect(try await vault.stat(try name("a"), .current)?.tags == ["one": fewer, "two": many])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func manySavesAtOnceAllTakeEffect(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for index in 0..<40 {
                        group.addTask {
                            if index % 4 == 0 {
                                try await vault.upload("n/\(index)", sample(index, count: 700))
                            } else {
                                try await vault.save("n/\(index)", sample(index))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await vault.names().count == 40)
                for index in 0..<40 {
                    #expect(try await vault.read("n/\(index)") == sample(index, count: index % 4 == 0 ? 700 : 300))
                }
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }
}

extension Result where Failure == VaultError {
    var failureCode: VaultError.Code? {
        guard case .failure(let error) = self else { return nil }
        return error.code
    }
}
