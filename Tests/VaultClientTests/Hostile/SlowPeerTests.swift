import FoundationEssentials
import TestSupport
import Testing
import VaultModel
import VaultServer
import VaultWire

@testable import VaultClient

/// Peers that are slow or stuck, at a server that has little memory and less patience.
@Suite struct SlowPeerTests {
    @Test func manySavesThatShareLittleMemoryAllEnd() async throws {
        let server = try await BoundedServer { $0.heldBytes = 8 << 20 }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<6 {
                group.addTask(executorPreference: BlockingExecutor.shared) {
                    let vault = try await server.connect()
                    let bytes = randomBytes(6 << 20, seed: UInt64(index))
                    let name = try Name("file \(index)")
                    let intent = SaveIntent(name: name, attributes: Attributes(mode: 0o644, modified: 1))
                    _ = try await ContentSave(to: vault).save(bytes, intent)
                    #expect(try await ContentRead(from: vault).read(name, .current) == bytes)
                    await vault.close()
                }
            }
            try await group.waitForAll()
        }
        await server.stop()
    }

    @Test func handshakesAndLoginsThatNeverEndAreClosed() async throws {
        let server = try await BoundedServer { $0.login = .seconds(1) }
        // A TLS handshake that comes byte by byte, one that does not come, and a login that does not.
        let hello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03]
        let random = [UInt8](repeating: 7, count: 400)
        _ = try await RawPeer.exchangePlainly([], port: server.port, .trickling(hello + random))
        _ = try await RawPeer.exchangePlainly([], port: server.port)
        let heard = try await RawPeer.exchange([], port: server.port)
        #expect(RawPeer.closingCode(heard) == "timeout")
        await server.stop()
    }

    @Test func aSessionThatDoesNothingIsClosedAndTakenUpAgain() async throws {
        let server = try await BoundedServer {
            $0.idle = .seconds(1)
            $0.stall = .seconds(1)
        }
        let vault = try await server.connect()
        let heard = try await RawPeer.exchange([], port: server.port, login: try vault.attaching())
        #expect(RawPeer.closingCode(heard) == "timeout")
        #expect(try await vault.stat(Name("none"), .current) == nil)
        await vault.close()
        await server.stop()
    }

    @Test func contentThatStopsEndsItsConnection() async throws {
        let server = try await BoundedServer { $0.stall = .seconds(1) }
        let vault = try await server.connect()
        var put = WireClientMessage()
        let upload = try await vault.beginUpload(
            SaveIntent(name: try Name("slow"), attributes: Attributes(mode: 0o644, modified: 1)))
        put.put.upload = upload.value.wire
        put.put.chunks = WireChunkList([ChunkReference(digest: Digest(of: [1]), span: 2000)])
        let announced = FrameWriter.frames(of: put, request: 1)
        let heard = try await RawPeer.exchange(announced, port: server.port, login: try vault.attaching())
        #expect(RawPeer.closingCode(heard) == "timeout")
        #expect(try await vault.stat(Name("none"), .current) == nil)
        await vault.close()
        await server.stop()
    }

    @Test func aSlowContentComesToItsEndUnlessSomebodyWaitsForItsMemory() async throws {
        let server = try await BoundedServer(users: ["anna", "ben"]) {
            $0.heldBytes = 16 << 20
            $0.patience = .milliseconds(100)
            $0.grace = .milliseconds(200)
        }
        let (anna, ben) = (try await server.connect(), try await server.connect(as: "ben"))
        let content = randomBytes(4 << 20, seed: 3)
        let references = stride(from: 0, to: content.count, by: 1 << 20).map { start in
            ChunkReference(digest: Digest(of: Array(content[start..<start + 1 << 20])), span: 1 << 20)
        }
        var put = WireClientMessage()
        let slow = try await anna.beginUpload(
            SaveIntent(name: try Name("slow"), attributes: Attributes(mode: 0o644, modified: 1)))
        put.put.upload = slow.value.wire
        put.put.chunks = WireChunkList(references)
        let announced = FrameWriter.frames(of: put, request: 1)
        let frame = FrameHeader(length: 1000, request: 1, kind: .data).encoded
        let hasEnded = Shared(false)
        let trickle = Task { [login = try anna.attaching()] in
            let heard = try await RawPeer.exchange(
                announced, port: server.port, login: login,
                .trickling(frame + [UInt8](repeating: 1, count: 1000)))
            hasEnded.change { $0 = true }
            return heard
        }
        let upload = try await ben.beginUpload(
            SaveIntent(name: try Name("fast"), attributes: Attributes(mode: 0o644, modified: 1)))
        let chunks = (0..<8).map { index in
            let bytes = randomBytes(1 << 20, seed: UInt64(10 + index))
            return Chunk(digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
        }
        #expect(try await ben.offer(chunks.map(\.reference), to: upload).allSatisfy { $0 })
        #expect(
            try await soon {
                try await ben.put(chunks, to: upload)
                return hasEnded.value
            })
        let heard = try await trickle.value
        #expect(RawPeer.closingCode(heard) == "unavailable" && RawPeer.closing(heard)?.retryable == true)
        await anna.close()
        await ben.close()
        await server.stop()
    }

    @Test func whoTakesNoAnswersDoesNotKeepTheMemoryThatTheyLieIn() async throws {
        let server = try await BoundedServer {
            $0.heldBytes = 24 << 20
            $0.stall = .seconds(1)
        }
        let vault = try await server.connect()
        let bytes = randomBytes(24 << 20, seed: 5)
        let name = try Name("large")
        let intent = SaveIntent(name: name, attributes: Attributes(mode: 0o644, modified: 1))
        _ = try await ContentSave(to: vault).save(bytes, intent)
        let read = UniqueID().wire
        var open = WireClientMessage()
        open.openRead.read = read
        open.openRead.name = Data(name.bytes)
        var fetch = WireClientMessage()
        fetch.fetch.read = read
        fetch.fetch.positions = try await vault.positions(of: name)
        var asking = FrameWriter.frames(of: open, request: 1)
        for request in 2..<40 as Range<UInt32> { asking += FrameWriter.frames(of: fetch, request: request) }
        let deaf = Task { [asking, login = try vault.attaching()] in
            try await RawPeer.exchange(asking, port: server.port, login: login, .deaf)
        }
        // It has the memory: who wants some now waits until the deaf one is cut off.
        #expect(try await ContentRead(from: vault).read(name, .current) == bytes)
        await vault.close()
        await server.stop()
        deaf.cancel()
        _ = try await deaf.value
    }

    @Test func whoAsksAndTakesNothingFillsNoMemory() async throws {
        let service = try await Service()
        defer { service.end() }
        let vault = try await service.connect()
        var pings: [UInt8] = []
        var ping = WireClientMessage()
        ping.ping = WirePing()
        let body = FrameWriter.frames(of: ping, request: 1).dropFirst(FrameHeader.byteCount)
        for request in 1...200_000 as ClosedRange<UInt32> {
            pings += FrameHeader(length: body.count, request: request, kind: .message).encoded + body
        }
        let before = try #require(service.server.memory)
        let deaf = Task { [pings, login = try vault.attaching()] in
            try await RawPeer.exchange(pings, port: service.server.port, login: login, .deaf)
        }
        let isBounded = try await soon(within: .seconds(3)) { (service.server.memory ?? .max) > before + 16 << 10 }
        #expect(!isBounded)
        try await service.servesOn()
        await vault.close()
        service.server.kill()
        deaf.cancel()
        _ = try await deaf.value
    }
}

extension RemoteVault {
    /// Where the first few chunks of a content begin.
    fileprivate func positions(of name: Name) async throws -> [UInt64] {
        let read = try await openRead(name, .current)
        let chunks = try await layout(read.id, from: 0, count: 2)
        await closeRead(read.id)
        return chunks.map(\.position)
    }
}
