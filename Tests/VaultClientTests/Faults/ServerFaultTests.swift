import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel

/// What becomes of work whose server is killed, or stopped.
@Suite(.serialized) struct ServerFaultTests {
    @Test func nothingAcknowledgedIsLostAndSavesGoOnWhenTheServerIsKilled() async throws {
        let service = try await Service()
        defer { service.end() }
        let vault = try await service.connect()
        var server = service.server
        var saved: [String: [UInt8]] = [:]
        for round in 0..<6 {
            // Somewhere in the midst of the saves: the place is another one in each round.
            let limit = 60 + round * 90
            service.proxy.arm(nil)
            let large = randomBytes(6 << 20, seed: UInt64(round))
            let path = service.directory("large")
            try write(large, to: path)
            let isDone = Shared(false)
            let work = Task(executorPreference: BlockingExecutor.shared) { [round] in
                defer { isDone.change { $0 = true } }
                let outcome = try await FileSave(to: vault).save(path, as: Name("large/\(round)"))
                var small: [SmallSave] = []
                for number in 0..<50 {
                    small.append(try Service.small("small/\(round)/\(number)", round * 100 + number))
                }
                let results = try await vault.save(small)
                for result in results { _ = try result.get() }
                return outcome
            }
            _ = try await soon { service.proxy.records(.toServer) >= limit || isDone.value }
            server.kill()
            server = try await service.restart()
            let outcome = try await work.value
            #expect(outcome.entry.version == 1, "round \(round)")
            saved["large/\(round)"] = large
            for (name, bytes) in saved {
                #expect(try await ContentRead(from: vault).read(Name(name), .current) == bytes, "\(name)")
                #expect(try await vault.history(Name(name)).count == 1)
            }
            for number in 0..<50 {
                let history = try await vault.history(Name("small/\(round)/\(number)"))
                #expect(history.count == 1)
            }
        }
        #expect(try await vault.verify(VerifyRequest()).isClean)
        await vault.close()
        server.kill()
    }

    @Test func aStreamGoesOnWithAServerThatWasStartedAnew() async throws {
        let service = try await Service()
        defer { service.end() }
        let vault = try await service.connect()
        let bytes = randomBytes(24 << 20, seed: 21)
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let (source, end) = (OpenFile(descriptor: ends[0], path: LocalPath("a pipe")), ends[1])
        service.proxy.arm(nil)
        let save = Task(executorPreference: BlockingExecutor.shared) {
            try await FileSave(to: vault).saveStream(
                source, SaveIntent(name: Name("stream"), attributes: Attributes(mode: 0o644, modified: 1)))
        }
        let mayGoOn = Shared(false)
        let feeding = Task(executorPreference: ServerFaultTests.feeder) {
            let half = bytes.count / 2
            ServerFaultTests.feed(bytes[..<half], to: end)
            let isTold = try await soon { mayGoOn.value }
            ServerFaultTests.feed(bytes[half...], to: end)
            close(end)
            return isTold
        }
        #expect(try await soon { service.proxy.bytes(.toServer) > 6 << 20 })
        service.server.send(SIGTERM)
        let next = try await service.restart(afterKill: false)
        mayGoOn.change { $0 = true }
        let outcome = try await save.value
        #expect(try await feeding.value)
        #expect(outcome.isCreated)
        #expect(try await ContentRead(from: vault).read(Name("stream"), .current) == bytes)
        await vault.close()
        next.kill()
    }

    /// A thread that may wait for whoever reads from a pipe.
    private static let feeder = BlockingExecutor(threads: 1)

    private static func feed(_ bytes: ArraySlice<UInt8>, to pipe: Int32) {
        bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = Glibc.write(pipe, bytes.baseAddress! + sent, bytes.count - sent)
                if count <= 0 { return }
                sent += count
            }
        }
    }

    @Test func aGracefulStopAnswersWhatRunsAndEndsTheConnections() async throws {
        let service = try await Service()
        defer { service.end() }
        let vault = try await service.connect()
        let save = Task(executorPreference: BlockingExecutor.shared) {
            try await vault.save([Service.small("a", 1)])[0].get()
        }
        _ = try await save.value
        service.server.send(SIGTERM)
        let server = try await service.restart(afterKill: false)
        // The session goes on with the server that was started anew.
        #expect(try await ContentRead(from: vault).read(Name("a"), .current) == Service.bytes(1))
        await vault.close()
        server.kill()
    }
}

extension Service {
    static func bytes(_ seed: Int) -> [UInt8] { randomBytes(500, seed: UInt64(seed)) }

    static func small(_ name: String, _ seed: Int) throws -> SmallSave {
        let bytes = bytes(seed)
        return SmallSave(
            intent: SaveIntent(name: try Name(name), attributes: Attributes(mode: 0o644, modified: 1)),
            chunk: Chunk(digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes)))
    }

    /// Starts the server anew, on another port behind the same proxy.
    func restart(afterKill: Bool = true) async throws -> ServerProcess {
        if !afterKill { server.waitForEnd() }
        let next = try await ServerProcess.start(data: directory("data"), users: keys)
        proxy.redirect(to: next.port)
        return next
    }
}
