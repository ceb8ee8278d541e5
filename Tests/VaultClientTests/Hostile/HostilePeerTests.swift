import FoundationEssentials
import TestSupport
import Testing
import VaultModel
import VaultWire

@testable import VaultClient

/// What a hostile client gets: a refusal and a line in the log, while the server serves on.
@Suite struct HostilePeerTests {
    @Test func whatIsNoTLSIsTurnedAway() async throws {
        let service = try await Service()
        defer { service.end() }
        for bytes in [
            Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), randomBytes(5000, seed: 1),
            [UInt8](repeating: 0, count: 100),
        ] { _ = try await RawPeer.exchangePlainly(bytes, port: service.server.port) }
        #expect(service.server.log.contains("connection ended"))
        try await service.servesOn()
    }

    @Test func anotherProtocolOverTLSIsTurnedAway() async throws {
        let service = try await Service()
        defer { service.end() }
        for alpn in ["http/1.1", nil] {
            let heard = try await RawPeer.exchange(
                Array("GET / HTTP/1.1\r\n\r\n".utf8), port: service.server.port, alpn: alpn)
            #expect(heard.isEmpty)
        }
        try await service.servesOn()
    }

    @Test func violationsBeforeTheLoginEndTheConnectionWithAReason() async throws {
        let service = try await Service()
        defer { service.end() }
        let frame = { (bytes: [UInt8]) in FrameHeader(length: bytes.count, request: 0, kind: .message).encoded + bytes }
        var hello = WireClientMessage()
        hello.hello.versionMin = 1
        hello.hello.versionMax = 1
        var other = hello
        other.hello.versionMin = 7
        other.hello.versionMax = 9
        var stat = WireClientMessage()
        stat.stat.name = Data("a".utf8)
        let good = FrameWriter.frames(of: hello, request: 0)
        let attacks: [(String, [UInt8])] = [
            ("garbage", randomBytes(4000, seed: 2)),
            ("a huge frame", [0xFF, 0xFF, 0xFF, 0x7F] + [UInt8](repeating: 0, count: 8)),
            ("a huge message", FrameHeader(length: 200_000, request: 0, kind: .message, isLast: false).encoded),
            ("no message", frame([0xFF, 0xFF, 0xFF])),
            ("an empty message", frame([])),
            ("a deep message", frame(HostilePeerTests.deep(2000))),
            ("a request before the login", good + FrameWriter.frames(of: stat, request: 1)),
            ("a request before the greeting", FrameWriter.frames(of: stat, request: 1)),
            ("two greetings", good + good),
            ("another version", FrameWriter.frames(of: other, request: 0)),
            ("content before the login", good + FrameHeader(length: 1, request: 1, kind: .data).encoded + [1]),
        ]
        for (name, bytes) in attacks {
            let heard = try await RawPeer.exchange(bytes, port: service.server.port)
            #expect(RawPeer.closingCode(heard) == "invalid", "\(name)")
        }
        #expect(service.server.log.contains("broke the protocol"))
        try await service.servesOn()
    }

    @Test func violationsOfASessionEndItsConnectionAndNotTheSession() async throws {
        let service = try await Service()
        defer { service.end() }
        let vault = try await service.connect()
        var put = WireClientMessage()
        put.put.upload = UniqueID().wire
        put.put.chunks = WireChunkList([ChunkReference(digest: Digest(of: [1]), span: 1)])
        var long = put
        long.put.chunks.packed = Data(repeating: 0xFF, count: 36)
        var many = WireClientMessage()
        many.saveSmall.files = Array(repeating: WireSmallFile(), count: 600)
        let data = { (request: UInt32, count: Int) in
            FrameHeader(length: count, request: request, kind: .data).encoded + [UInt8](repeating: 1, count: count)
        }
        let upload = try await vault.beginUpload(intent("open"))
        var slow = put
        slow.put.upload = upload.value.wire
        slow.put.chunks = WireChunkList([ChunkReference(digest: Digest(of: [1]), span: 2)])
        let attacks: [(String, [UInt8])] = [
            ("used before", FrameWriter.frames(of: put, request: 5) + FrameWriter.frames(of: put, request: 5)),
            ("content that no request announced", data(9, 10)),
            ("more content than was announced", FrameWriter.frames(of: slow, request: 1) + data(1, 3)),
            (
                "content within another content",
                FrameWriter.frames(of: slow, request: 1) + data(1, 1) + FrameWriter.frames(of: slow, request: 2)
            ),
            ("a chunk of", FrameWriter.frames(of: long, request: 1)),
            ("too many files at once", FrameWriter.frames(of: many, request: 1)),
            ("a login where there is one", try vault.attaching()),
        ]
        for (reason, bytes) in attacks {
            let heard = try await RawPeer.exchange(bytes, port: service.server.port, login: try vault.attaching())
            let closing = try #require(RawPeer.closing(heard), "\(reason)")
            #expect(closing.code == "invalid")
            #expect(closing.message.contains(reason) || closing.cause.contains(reason), "\(closing)")
        }
        #expect(try await vault.stat(Name("none"), .current) == nil)
        await vault.close()
    }

    @Test func requestsThatLieAreRefusedAndTheConnectionGoesOn() async throws {
        let service = try await Service()
        defer { service.end() }
        let vault = try await service.connect()
        // A chunk whose bytes are not what its digest says.
        let upload = try await vault.beginUpload(intent("a"))
        let lie = Chunk(digest: Digest(of: [1]), bytes: BufferSlice(copying: [2]))
        _ = try await vault.offer([lie.reference], to: upload)
        await expect(.invalid) { try await vault.put([lie], to: upload) }
        await expect(.invalid) { _ = try await vault.commit(upload, content: Content(lie.reference)) }
        // Names that try to leave the vault, and other nonsense, past the client's own checks.
        for bytes in ["../x", "/etc/passwd", "a/../../b", "", "a\0b", "a//b", "."] {
            await expect(.invalid) {
                _ = try await vault.ask { message in
                    message.save.upload = UniqueID().wire
                    message.save.intent.name = Data(bytes.utf8)
                    message.save.intent.kind = .file
                }
            }
            await expect(.invalid) { _ = try await vault.ask { $0.stat.name = Data(bytes.utf8) } }
        }
        await expect(.invalid) {
            _ = try await vault.ask { message in
                message.save.upload = Data([1, 2, 3])
                message.save.intent = WireIntent(
                    SaveIntent(name: try! Name("a"), attributes: Attributes(mode: 0, modified: 0)))
            }
        }
        // Reads and uploads that were never opened.
        await expect(.unavailable) {
            _ = try await vault.ask { message in
                message.fetch.read = UniqueID().wire
                message.fetch.positions = [0]
            }
        }
        await expect(.unavailable) {
            _ = try await vault.ask { message in
                message.offer.upload = UniqueID().wire
                message.offer.chunks = WireChunkList([lie.reference])
            }
        }
        #expect(try await vault.list(ListQuery()).entries.isEmpty)
        await vault.close()
    }

    private func intent(_ name: String) throws -> SaveIntent {
        SaveIntent(name: try Name(name), attributes: Attributes(mode: 0o644, modified: 1))
    }

    private func expect(
        _ code: VaultError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async {
        let error = await #expect(throws: VaultError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == code, "\(error.map { "\($0)" } ?? "")", sourceLocation: sourceLocation)
    }

    /// Bytes that are messages within messages.
    private static func deep(_ depth: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<depth {
            var writer = ByteWriter()
            // Field 10, length-delimited.
            writer.write(UInt8(0x52))
            writer.writeString(bytes)
            bytes = writer.bytes
        }
        return bytes
    }
}

extension Service {
    /// Makes sure that the server still does its work.
    func servesOn() async throws {
        let vault = try await connect()
        #expect(try await vault.stat(Name("none"), .current) == nil)
        await vault.close()
    }

}

extension RemoteVault {
    /// The frames that attach a connection to the session.
    func attaching() throws -> [UInt8] {
        var hello = WireClientMessage()
        hello.hello.versionMin = 1
        hello.hello.versionMax = 1
        var begin = WireClientMessage()
        begin.loginBegin.ticket.ticket = try #require(session.login?.ticket)
        return FrameWriter.frames(of: hello, request: 0) + FrameWriter.frames(of: begin, request: 0)
    }
}
