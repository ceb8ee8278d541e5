import TestSupport
import Testing
import VaultModel

@testable import VaultEngines
@testable import VaultStore

/// What only a catalog far away has to bear. What every vault must do is told by `VaultContract`.
@Suite(.enabled(if: TestEngines.areThere, "scripts/test starts the engines")) struct PostgresCatalogTests {
    private let places: TestEngines

    init() throws {
        places = try #require(TestEngines.shared)
    }

    private func small(_ name: String, _ bytes: [UInt8]) throws -> SmallSave {
        SmallSave(
            intent: SaveIntent(name: try Name(name), attributes: Attributes(mode: 0o644, modified: 1)),
            chunk: Chunk(digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes)))
    }

    private func endOtherConnections(_ pool: PostgresPool) async throws {
        try await pool.with { connection in
            try connection.run(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE pid <> pg_backend_pid() AND datname = current_database()
                """)
            return
        }
    }

    @Test func aLostConnectionIsHealed() async throws {
        try await places.alone().with { engines in
            let vault = try await engines.makeVault(UniqueID())
            _ = try await vault.save([small("a", [1])])[0].get()
            try await endOtherConnections(engines.database.pool)
            _ = try await vault.save([small("b", [2])])[0].get()
            try await endOtherConnections(engines.database.pool)
            #expect(try await vault.list(ListQuery()).entries.map(\.name.text) == ["a", "b"])
            await vault.close()
        }
    }

    @Test(arguments: [
        "entry SET size = -1", "entry SET size = 9223372036854775807", "entry SET depth = 4000",
        "entry SET mode = 65536",
        "entry SET kind = 300", "entry SET chunker = -1", "entry SET name = '\\x2e2e'",
    ])
    func aRowThatNoCatalogHasIsDamage(_ change: String) async throws {
        try await places.alone().with { engines in
            let vault = try await engines.makeVault(UniqueID())
            _ = try await vault.save([small("a", [1])])[0].get()
            try await engines.database.pool.with { connection in
                try connection.run("UPDATE \(change)")
                return
            }
            let error = await #expect(throws: VaultError.self) { _ = try await vault.list(ListQuery()) }
            #expect(error?.code == .integrity)
            await vault.close()
        }
    }

    /// Numbers at the ends of what the database holds can be counted on.
    @Test(
        arguments: ["sequence", "stored_bytes", "pending_bytes", "journal_bytes", "catalog_bytes", "epoch", "quota"],
        [Int64.min, .max])
    func noNumberOfAVaultEndsTheProgram(_ column: String, _ value: Int64) async throws {
        try await places.alone().with { engines in
            let vault = try await engines.makeVault(UniqueID())
            _ = try await vault.save([small("a", [1])])[0].get()
            try await engines.database.pool.with { connection in
                try connection.run("UPDATE vault SET \(column) = \(value)")
                return
            }
            _ = try? await vault.list(ListQuery())
            _ = try? await vault.usage()
            _ = try? await vault.save([small("b", [2])])
            _ = try? await vault.collect()
            await vault.close()
        }
    }

    private func emptyFile(_ name: String) throws -> CommitCall {
        let intent = SaveIntent(name: try Name(name), attributes: Attributes(mode: 0, modified: 0))
        return CommitCall(requests: [.save(CommitSave(intent: intent, content: .empty))], by: Caller(user: "anna"))
    }

    /// Where the connection of a commit is lost: before its rows are written, or before the transaction ends.
    @Test(arguments: [false, true])
    func aCommitWhoseConnectionIsLostHappensOnce(_ isLostAtTheEnd: Bool) async throws {
        try await places.alone().with { engines in
            let id = UniqueID()
            let vault = try await engines.makeVault(id)
            let catalog = try await engines.database.catalog(id)
            let tries = Shared(0)
            let packs = OtherPacks(vault.packs) { (records, placed) throws(VaultError) in
                tries.change { $0 += 1 }
                let isFirst = tries.value == 1
                func lose() async throws(VaultError) {
                    try await mappingErrors { try await endOtherConnections(engines.database.pool) }
                }
                if isFirst, !isLostAtTheEnd { try await lose() }
                let appended = try await vault.packs.append(records, placed: placed)
                if isFirst, isLostAtTheEnd { try await lose() }
                return appended
            }
            let results = try await catalog.commit([emptyFile("a")], at: 5, into: packs)
            guard case .success(.saved(let outcome)) = results[0][0] else {
                Issue.record("the save failed: \(results)")
                return
            }
            #expect(outcome.entry.version == 1)
            #expect(tries.value == 2)
            #expect(try await vault.history(try Name("a")).map(\.version) == [1])
            await vault.close()
        }
    }

    @Test func aCommitWhoseRecordsAreNotStoredLeavesNothing() async throws {
        try await places.with { engines in
            let id = UniqueID()
            let vault = try await engines.makeVault(id)
            let catalog = try await engines.database.catalog(id)
            let error = await #expect(throws: VaultError.self) {
                let packs = OtherPacks(vault.packs) { (records, placed) throws(VaultError) in
                    placed(records.map { PackLocation(pack: PackID(), offset: 64, length: UInt32($0.bytes.count)) })
                    throw VaultError(.quota, "The store is full.")
                }
                return try await catalog.commit([emptyFile("a")], at: 5, into: packs)
            }
            #expect(error?.code == .quota)
            let unplaced = await #expect(throws: VaultError.self) {
                let packs = OtherPacks(vault.packs) { (records, _) throws(VaultError) in
                    try await vault.packs.append(records)
                }
                return try await catalog.commit([emptyFile("a")], at: 5, into: packs)
            }
            #expect(unplaced?.code == .internal)
            #expect(try await vault.stat(try Name("a"), .current) == nil)
            #expect(try await catalog.packs().isEmpty)
            _ = try await vault.save([small("a", [1])])[0].get()
            #expect(try await vault.history(try Name("a")).map(\.version) == [1])
            await vault.close()
        }
    }

    @Test func changesOfManyServersTakeTheirTurns() async throws {
        let places = try places.alone()
        try await places.with { first in
            try await places.with { second in
                let id = UniqueID()
                let vaults = [try await first.makeVault(id), try await second.vault(id)]
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (number, vault) in vaults.enumerated() {
                        for round in 0..<20 {
                            group.addTask {
                                let saves = [
                                    try small("both", [UInt8(number), UInt8(round)]),
                                    try small("own/\(number)/\(round)", [UInt8(round)]),
                                ]
                                for result in try await vault.save(saves) { _ = try result.get() }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                let history = try await vaults[0].history(try Name("both"))
                #expect(history.map(\.version) == Array(1...40))
                #expect(try await vaults[1].list(ListQuery()).entries.count == 41)
                #expect(try await vaults[0].verify(VerifyRequest()).isClean)
                for vault in vaults { await vault.close() }
            }
        }
    }

    @Test func longNamesThatBeginAlikeAreKeptApartAndInOrder() async throws {
        try await places.with { engines in
            let vault = try await engines.makeVault(UniqueID())
            let part = String(repeating: "ä", count: 120)
            let stem = Array(repeating: part, count: 12).joined(separator: "/")
            #expect(stem.utf8.count > 2 * PostgresSchema.headBytes)
            let names = (0..<20).map { "\(stem)/\($0)" }
            let saves = try names.shuffled().map { try small($0, Array($0.utf8)) }
            for result in try await vault.save(saves) { _ = try result.get() }
            #expect(try await vault.list(ListQuery()).entries.map(\.name.text) == names.sorted())
            let found = try await vault.stat(try Name(names[7]), .current)
            #expect(found?.content.root == Digest(of: Array(names[7].utf8)))
            let page = try await vault.list(ListQuery(prefix: try NamePrefix(stem), limit: 3))
            #expect(page.entries.map(\.name.text) == Array(names.sorted()[..<3]))
            let next = try await vault.list(try #require(page.next))
            #expect(next.entries.map(\.name.text) == Array(names.sorted()[3..<6]))
            await vault.close()
        }
    }

    @Test func twoCollectionsAtOnceLeaveAllThatIsNeeded() async throws {
        let places = try places.alone()
        try await places.with { first in
            try await places.with { second in
                let id = UniqueID()
                let vaults = [try await first.makeVault(id), try await second.vault(id)]
                for round in 0..<10 {
                    _ = try await vaults[0].save([
                        try small("x", [UInt8(round)]), try small("y\(round)", [9, UInt8(round)]),
                    ])
                }
                var policy = KeepPolicy()
                policy.last = 1
                _ = try await vaults[0].keep(
                    .all, policy, calendar: try CivilCalendar(zone: "UTC"), isDryRun: false)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for vault in vaults { group.addTask { _ = try await vault.collect() } }
                    for round in 10..<20 {
                        group.addTask {
                            _ = try await vaults[round % 2].save([try small("z\(round)", [UInt8(round)])])[0].get()
                        }
                    }
                    try await group.waitForAll()
                }
                let report = try await vaults[0].verify(VerifyRequest())
                #expect(report.isClean)
                #expect(try await vaults[1].list(ListQuery()).entries.count == 21)
                for vault in vaults { await vault.close() }
            }
        }
    }

    @Test func aStrangersDuplicateCountsUntilTheNextCollection() async throws {
        try await places.with { engines in
            let vault = try await engines.makeVault(UniqueID())
            let bytes = randomBytes(1000, seed: 9)
            let chunk = Chunk(digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
            _ = try await vault.save([small("a", bytes)])[0].get()
            let once = try await vault.usage().storedBytes
            let stranger = Caller(user: "bob", peer: "192.0.2.7", sharing: .own(readable: { _ in false }))
            _ = try await vault.save([small("b", bytes)], by: stranger, change: nil)[0].get()
            #expect(try await vault.usage().storedBytes == 2 * once)
            let upload = try await vault.beginUpload(try small("c", bytes).intent, by: stranger)
            #expect(try await vault.offer([chunk.reference], to: upload) == [true])
            try await vault.put([chunk], to: upload)
            _ = try #require(try await vault.commit(upload, content: Content(chunk.reference)))
            // One who may read everything shares what is there.
            _ = try await vault.save([small("d", bytes)])[0].get()
            #expect(try await vault.usage().storedBytes == 3 * once)
            _ = try await vault.collect()
            #expect(try await vault.usage().storedBytes == once)
            let place = try #require(try await vault.catalog.locations([chunk.digest])[0])
            try await vault.catalog.withdraw([place: chunk.digest])
            _ = try await vault.save([small("e", bytes)], by: stranger, change: nil)[0].get()
            let healed = try #require(try await vault.catalog.locations([chunk.digest])[0])
            #expect(healed != place)
            #expect(try await vault.verify(VerifyRequest()).isClean)
            await vault.close()
        }
    }

    @Test func whatWasStoredInADisownedPackDoesNotCount() async throws {
        try await places.with { engines in
            let id = UniqueID()
            let vault = try await engines.makeVault(id)
            let bytes = randomBytes(1000, seed: 8)
            let chunk = PackRecord(kind: .chunk, digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
            let stored = try await vault.packs.append([chunk])
            let received = ReceivedChunk(digest: chunk.digest, location: stored.locations[0])
            #expect(try await vault.catalog.disown([stored.locations[0].pack], at: 5).count == 1)
            let upload = UploadID(UniqueID())
            let chunks = UnrecordedChunks(received: [received])
            #expect(try await vault.catalog.record(chunks, of: upload, by: "anna", at: 6, mark: nil) == nil)
            #expect(try await vault.catalog.known([chunk.digest]) == [false])
            var save = CommitSave(
                intent: SaveIntent(name: try Name("a"), attributes: Attributes(mode: 0, modified: 0)),
                content: Content(ChunkReference(digest: chunk.digest, span: 1000)))
            save.chunks = chunks
            let call = CommitCall(requests: [.save(save)], by: Caller(user: "anna"))
            let results = try await vault.catalog.commit([call], at: 7, into: vault.packs)
            guard case .success(.collected) = results[0][0] else {
                Issue.record("the save was answered \(results)")
                return
            }
            #expect(try await vault.stat(try Name("a"), .current) == nil)
            await vault.close()
        }
    }

    @Test func aCatalogThatIsOlderThanItsPacksRemovesNone() async throws {
        let places = try places.alone()
        try await places.with { engines in
            let id = UniqueID()
            let vault = try await engines.makeVault(id)
            for number in 0..<4 { _ = try await vault.save([small("f\(number)", [UInt8(number)])])[0].get() }
            await vault.close()
            // As a restored copy has it: nothing of all that.
            try await engines.database.removeCatalog(id)
            let restored = try await engines.makeVault(id)
            let packs = OtherPacks(restored.packs, areOld: true)
            let aged = StoredVault(
                id, catalog: restored.catalog, packs: packs, place: "test", clock: currentSeconds)
            let error = await #expect(throws: VaultError.self) { _ = try await aged.collect() }
            #expect(error?.code == .integrity)
            #expect(try await packs.list().count == 4)
            await restored.close()
        }
    }

    @Test func aDutyHasOneHolderAndAClaimOneWinner() async throws {
        try await places.with { engines in
            let catalog = try await engines.database.makeCatalog(UniqueID())
            let (one, two) = (UniqueID(), UniqueID())
            #expect(try await catalog.takeDuty("d", as: one, seconds: 60))
            #expect(try await !catalog.takeDuty("d", as: two, seconds: 60))
            #expect(try await catalog.takeDuty("d", as: one, seconds: 60))
            try await catalog.leaveDuty("d", as: two)
            #expect(try await !catalog.takeDuty("d", as: two, seconds: 60))
            try await catalog.leaveDuty("d", as: one)
            #expect(try await catalog.takeDuty("d", as: two, seconds: -1))
            #expect(try await catalog.takeDuty("d", as: one, seconds: 60))
            #expect(try await catalog.claimTime("e", at: 50) == 50)
            #expect(try await catalog.claimTime("e", at: 70) == 50)
            #expect(try await catalog.claim("e", since: 60, at: 80))
            #expect(try await catalog.claimTime("e", at: 90) == 80)
            #expect(try await catalog.claim("c", since: 100, at: 100))
            #expect(try await !catalog.claim("c", since: 100, at: 101))
            #expect(try await catalog.claim("c", since: 200, at: 200))
        }
    }

    @Test func aNewerFormatIsRefused() async throws {
        let places = try places.alone()
        try await places.with { engines in
            try await engines.database.pool.with { connection in
                try connection.run("UPDATE minivault.format SET number = 99")
                return
            }
        }
        let error = await #expect(throws: VaultError.self) { try await places.with { _ in } }
        #expect(error?.code == .invalid)
        #expect(error?.message.contains("99") == true)
    }

    @Test func aDatabaseThatIsNotThereIsNamedWithoutItsPassword() async throws {
        for (location, code) in [
            ("postgres://minivault:secret@127.0.0.1:1/minivault", VaultError.Code.unavailable),
            (places.catalog.replacing("/minivault?", with: "/nothing?"), .notFound),
        ] {
            let error = await #expect(throws: VaultError.self) { try await PostgresDatabase.open(location) }
            #expect(error?.code == code)
            #expect(error?.description.contains("secret") == false)
        }
    }
}
