import Testing
import VaultModel

extension VaultContract {
    @Suite struct Maintenance {
        @Test(arguments: VaultImplementation.all)
        func keepDropsVersionsAndCollectGivesTheirSpaceBack(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                for index in 1...4 { try await vault.upload("a", sample(index, count: 20_000), chunkSize: 1000) }
                try await vault.save("b", sample(9))
                #expect(try await vault.keep(last: 1, isDryRun: true).droppedVersions == 3)
                #expect(try await vault.history(try name("a")).count == 4)
                let none = try await vault.collect()
                #expect(none.removedChunks == 0)
                // Of objects that are put together only the headers go.
                #expect(none.freedBytes < 5000)
                let report = try await vault.keep(last: 1)
                #expect(report.droppedVersions == 3)
                #expect(report.keptVersions == 2)
                let collected = try await vault.collect()
                #expect(collected.removedChunks == 3 * 21)
                #expect(collected.freedBytes > 60_000)
                #expect(collected.keptBytes < 30_000)
                #expect(try await vault.read("a") == sample(4, count: 20_000))
                #expect(try await vault.read("b") == sample(9))
                #expect(try await vault.verify(VerifyRequest()).isClean)
                #expect(try await vault.upload("c", sample(2, count: 20_000), chunkSize: 1000)?.newBytes == 20_000)
                #expect(
                    await code { _ = try await vault.keep(.all, KeepPolicy(), calendar: .utc, isDryRun: false) }
                        == .invalid)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func anOpenReadSurvivesKeepAndCollect(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 20_000)
                try await vault.upload("a", bytes, chunkSize: 1000)
                let read = try await vault.openRead(try name("a"), .current)
                try await vault.upload("a", sample(2, count: 20_000), chunkSize: 1000)
                try await vault.remove("a")
                subject.clock.advance(1000)
                // A look at the layout renews what protects the read, and must not let go of the old.
                _ = try await vault.layout(read.id, from: 0, count: 1)
                var policy = KeepPolicy()
                policy.within = 1
                #expect(try await vault.keep(.all, policy, calendar: .utc, isDryRun: false).droppedVersions == 3)
                subject.clock.advance(1000)
                _ = try await vault.layout(read.id, from: 0, count: 1)
                let later = try await vault.upload("b", sample(3, count: 500))
                let other = try await vault.openRead(try #require(later?.entry.name), .current)
                _ = try await vault.collect()
                #expect(try await vault.bytes(of: read) == bytes)
                await vault.closeRead(read.id)
                subject.clock.advance(1000)
                #expect(try await vault.bytes(of: other) == sample(3, count: 500))
                #expect(try await vault.collect().removedChunks == 42)
                #expect(try await vault.bytes(of: other) == sample(3, count: 500))
                await vault.closeRead(other.id)
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func readersThatFollowEachOtherDoNotStopCollection(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.upload("a", sample(1, count: 5000))
                try await vault.save("b", sample(2))
                var read = try await vault.openRead(try name("b"), .current)
                try await vault.remove("a")
                subject.clock.advance(100)
                var policy = KeepPolicy()
                policy.within = 1
                _ = try await vault.keep(try NamePrefix("a"), policy, calendar: .utc, isDryRun: false)
                for _ in 0..<10 {
                    subject.clock.advance(1000)
                    let next = try await vault.openRead(try name("b"), .current)
                    await vault.closeRead(read.id)
                    read = next
                }
                #expect(try await vault.collect().removedChunks > 0)
                await vault.closeRead(read.id)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func chunksOfAnUnfinishedUploadAreKeptForADay(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 1000)
                let upload = try await vault.beginUpload(try intent("a"))
                _ = try await vault.send(bytes, to: upload)
                await vault.abort(upload)
                subject.clock.advance(86_000)
                #expect(try await vault.collect().removedChunks == 0)
                subject.clock.advance(1000)
                #expect(try await vault.collect().removedChunks > 0)
                #expect(try await vault.upload("a", bytes)?.newBytes == 1000)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func anUploadSurvivesCollectionOrIsToldToTryAgain(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 1000)
                try await vault.upload("a", bytes)
                let upload = try await vault.beginUpload(try intent("b"))
                let content = try await vault.send(bytes + sample(2, count: 500), to: upload)
                #expect(try await vault.collect().removedChunks == 0)
                try await vault.remove("a")
                subject.clock.advance(10)
                var policy = KeepPolicy()
                policy.within = 1
                _ = try await vault.keep(.all, policy, calendar: .utc, isDryRun: false)
                #expect(try await vault.collect().removedChunks == 11)
                #expect(try await vault.commit(upload, content: content) == nil)
                #expect(await code { _ = try await vault.commit(upload, content: content) } == .notFound)
                #expect(try await vault.names() == [])
                // What had been put is not asked for again.
                #expect(try await vault.upload("b", bytes + sample(2, count: 500))?.newBytes == 1000)
                #expect(try await vault.read("b") == bytes + sample(2, count: 500))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aCollectionThatRemovesNothingDisturbsNoUpload(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 1000)
                try await vault.upload("a", bytes)
                let upload = try await vault.beginUpload(try intent("b"))
                let content = try await vault.send(bytes + sample(2), to: upload)
                _ = try await vault.collect()
                #expect(try await vault.commit(upload, content: content)?.isCreated == true)
                #expect(try await vault.read("b") == bytes + sample(2))
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func savingAgainHealsEveryVersionThatVerifyFoundDamaged(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 1000)
                try await vault.save("small", sample(3))
                try await vault.upload("a", bytes)
                try await vault.upload("b", bytes + sample(2))
                try await vault.save("other", sample(4))
                try await subject.damage(Array(bytes[300..<400]))
                try await subject.damage(sample(3))
                #expect(await code { _ = try await vault.read("a") } == .integrity)
                let report = try await vault.verify(VerifyRequest())
                #expect(report.damagedChunks == 2)
                #expect(Set(report.damaged.map(\.name.text)) == ["a", "b", "small"])
                #expect(await code { _ = try await vault.read("small") } == .integrity)
                #expect(try await vault.read("other") == sample(4))
                // Damage that is known already is still told of.
                #expect(try await vault.verify(VerifyRequest()).damaged.count == 3)
                _ = try await vault.collect()
                #expect(try await vault.verify(VerifyRequest()).damaged.count == 3)
                let healed = try #require(try await vault.upload("c", bytes))
                #expect(healed.newBytes == 100)
                #expect(try await vault.save("small", sample(3)).isCreated == false)
                #expect(try await vault.read("a") == bytes)
                #expect(try await vault.read("b") == bytes + sample(2))
                #expect(try await vault.read("small") == sample(3))
                #expect(try await vault.verify(VerifyRequest()).isClean)
                _ = try await vault.collect()
                #expect(try await vault.verify(VerifyRequest()).isClean)
                #expect(try await vault.read("a") == bytes)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func anUploadDoesNotRelyOnAChunkThatVerifyWithdrew(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 1000)
                try await vault.upload("a", bytes)
                let upload = try await vault.beginUpload(try intent("b"))
                let content = try await vault.send(bytes, to: upload)
                try await subject.damage(Array(bytes[300..<400]))
                #expect(try await vault.verify(VerifyRequest()).damagedChunks == 1)
                #expect(try await vault.commit(upload, content: content) == nil)
                #expect(try await vault.upload("b", bytes)?.newBytes == 100)
                #expect(try await vault.read("a") == bytes)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func verifyTellsOfADamagedJournal(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a name in the journal", sample(1))
                try await vault.save("another", sample(2))
                try await subject.damage(Array("a name in the journal".utf8))
                let report = try await vault.verify(VerifyRequest())
                #expect(report.damagedChunks == 0)
                #expect(report.problems.count == 1)
                #expect(try await vault.read("a name in the journal") == sample(1))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func verifyTakesAPrefixAndASample(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.upload("p/a", sample(1, count: 1000))
                try await vault.save("q", sample(2))
                try await subject.damage(sample(2))
                #expect(try await vault.verify(VerifyRequest(prefix: try NamePrefix("p"))).isClean)
                let report = try await vault.verify(VerifyRequest(prefix: try NamePrefix("q")))
                #expect(report.damaged.map(\.name.text) == ["q"])
                #expect(try await vault.verify(VerifyRequest(sample: 0.5)).checkedChunks <= 12)
                #expect(await code { _ = try await vault.verify(VerifyRequest(sample: 0)) } == .invalid)
                #expect(
                    await code { _ = try await vault.verify(VerifyRequest(prefix: try NamePrefix("x"))) } == .notFound)
            }
        }
    }
}
