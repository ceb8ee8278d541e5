import TestSupport
import Testing
import VaultClient
import VaultModel

/// What a client does about a connection that is harmed, at every boundary of a message and both ways.
@Suite(.serialized) struct ConnectionFaultTests {
    @Test(arguments: FaultProxy.Harm.allCases, FaultProxy.Direction.allCases)
    func nothingIsLostOrDoneTwiceWhereverTheConnectionIsHarmed(
        _ harm: FaultProxy.Harm, _ direction: FaultProxy.Direction
    ) async throws {
        let service = try await Service()
        defer { service.end() }
        let records = try await service.count { try await work("count", $0) }[direction.rawValue]
        #expect(records > 20)
        // A cut is what happens; of the rarer harms, a part of the places will do.
        for record in stride(from: 0, to: records, by: harm == .cut ? 1 : 3) {
            service.proxy.arm(FaultProxy.Fault(harm, direction, record: record))
            let vault: RemoteVault
            do {
                vault = try await service.connect()
            } catch {
                // Before the login is done, a client has nothing to go on with.
                #expect(service.proxy.isDone, "record \(record): \(error)")
                continue
            }
            do {
                try await work("\(record)", vault)
            } catch {
                Issue.record("record \(record): \(error)")
            }
            await vault.close()
        }
    }

    @Test func aSaveGoesOnWhereItWasCutAndSendsOnlyWhatIsMissing() async throws {
        let service = try await Service()
        defer { service.end() }
        let bytes = randomBytes(24 << 20, seed: 7)
        let file = service.directory("file")
        try write(bytes, to: file)
        let vault = try await service.connect()
        service.proxy.arm(FaultProxy.Fault(.cut, .toServer, record: 900))
        let outcome = try await FileSave(to: vault).save(file, as: Name("large"))
        #expect(service.proxy.isDone)
        #expect(outcome.newBytes == UInt64(bytes.count))
        // What was on its way when the connection went is sent again, and no more: two puts at most.
        #expect(service.proxy.bytes(.toServer) < bytes.count + (18 << 20))
        #expect(try await ContentRead(from: vault).read(Name("large"), .current) == bytes)
        #expect(try await vault.history(Name("large")).count == 1)
        await vault.close()
    }

    @Test func aReadGoesOnWhereItWasCut() async throws {
        let service = try await Service()
        defer { service.end() }
        let bytes = randomBytes(24 << 20, seed: 8)
        let vault = try await service.connect()
        _ = try await ContentSave(to: vault).save(bytes, intent("large"))
        service.proxy.arm(FaultProxy.Fault(.cut, .toClient, record: 700))
        #expect(try await ContentRead(from: vault).read(Name("large"), .current) == bytes)
        #expect(service.proxy.isDone)
        #expect(service.proxy.bytes(.toClient) < bytes.count + (18 << 20))
        await vault.close()
    }

    @Test func anIdleSessionIsTakenUpAgainAfterACut() async throws {
        let service = try await Service()
        defer { service.end() }
        let vault = try await service.connect()
        let upload = try await vault.beginUpload(intent("a"))
        let chunk = Chunk(digest: Digest(of: [1]), bytes: BufferSlice(copying: [1]))
        #expect(try await vault.offer([chunk.reference], to: upload) == [true])
        service.proxy.cutAll()
        // The upload lives in the session, which outlives its connections.
        try await vault.put([chunk], to: upload)
        service.proxy.cutAll()
        let outcome = try await vault.commit(upload, content: Content(chunk.reference))
        #expect(outcome?.isCreated == true)
        await vault.close()
    }

    /// A bit of everything that a client does.
    private func work(_ name: String, _ vault: RemoteVault) async throws {
        let bytes = randomBytes(900, seed: UInt64(name.utf8.reduce(0) { $0 &* 31 &+ Int($1) } & 0xFFFF))
        let chunks = stride(from: 0, to: 900, by: 300).map { start in
            let part = Array(bytes[start..<start + 300])
            return Chunk(digest: Digest(of: part), bytes: BufferSlice(copying: part))
        }
        let upload = try await vault.beginUpload(intent("u/" + name))
        var list = ListBuilder()
        for chunk in chunks {
            list.append(chunk.reference) { _ in }
            if try await vault.offer([chunk.reference], to: upload)[0] { try await vault.put([chunk], to: upload) }
        }
        let outcome = try await vault.commit(upload, content: list.finish { _ in })
        #expect(outcome?.entry.version == 1)
        let small = try await vault.save([SmallSave(intent: intent("s/" + name), chunk: chunks[0])])
        #expect(try small[0].get().entry.version == 1)
        #expect(try await ContentRead(from: vault).read(Name("u/" + name), .current) == bytes)
        _ = try await vault.changing(.rename(from: Name("s/" + name), to: Name("t/" + name)))
        #expect(try await vault.stat(Name("t/" + name), .current)?.version == 1)
        #expect(try await vault.stat(Name("s/" + name), .current) == nil)
        #expect(try await vault.history(Name("u/" + name)).count == 1)
    }

    private func intent(_ name: String) throws -> SaveIntent {
        SaveIntent(name: try Name(name), attributes: Attributes(mode: 0o644, modified: 1))
    }
}
