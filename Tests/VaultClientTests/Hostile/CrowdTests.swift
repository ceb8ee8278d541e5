import TestSupport
import Testing
import VaultModel
import VaultServer

@testable import VaultClient

/// Strangers who connect and say nothing, more of them than a server has room for.
@Suite struct CrowdTests {
    @Test func aLoginFindsRoomWhereStrangersHoldAllConnections() async throws {
        let server = try await BoundedServer { $0.connections = 4 }
        let vault = try await server.connect()
        let ended = Shared(0)
        let strangers = (0..<12).map { _ in
            Task {
                _ = try await RawPeer.exchangePlainly([], port: server.port)
                ended.change { $0 += 1 }
            }
        }
        // Three have the room that is left, and each of the others has taken it from one before.
        #expect(try await soon { ended.value == 9 })
        #expect(try await vault.stat(Name("none"), .current) == nil)
        let another = try await server.connect()
        #expect(try await another.stat(Name("none"), .current) == nil)
        await another.close()
        await vault.close()
        await server.stop()
        for stranger in strangers { try await stranger.value }
    }

    @Test func whoHasLoggedInGivesWayToNobody() async throws {
        let server = try await BoundedServer { $0.connections = 2 }
        let vaults = [try await server.connect(), try await server.connect()]
        let heard = try await RawPeer.exchange([], port: server.port)
        #expect(RawPeer.closingCode(heard) == "unavailable")
        for vault in vaults {
            #expect(try await vault.stat(Name("none"), .current) == nil)
            await vault.close()
        }
        await server.stop()
    }

    @Test func aServerLeavesAFewFilesUnopenedAndRestsUntilThereAreMore() async throws {
        let service = try await Service(options: ["--metrics", "127.0.0.1:0"])
        defer { service.end() }
        let vault = try await service.connect()
        let files = try #require(service.server.load).files
        service.server.limitOpenFiles(to: files + 60)
        let ports = [service.server.port, try #require(service.server.metricsPort)]
        let strangers = (0..<160).map { number in
            Task { _ = try await RawPeer.exchangePlainly([], port: ports[number % 2]) }
        }
        #expect(try await soon { service.refusals >= 1 })
        let before = try #require(service.server.load).ticks
        let isBusy = try await soon(within: .seconds(2)) { (service.server.load?.ticks ?? .max) > before + 100 }
        #expect(!isBusy)
        #expect(try #require(service.server.load).files < files + 60)
        // One line for each of the two ports at most.
        #expect(service.refusals <= 2)
        #expect(try await vault.stat(Name("none"), .current) == nil)
        for stranger in strangers { stranger.cancel() }
        for stranger in strangers { _ = try? await stranger.value }
        #expect(try await soon { (try? await service.connect().close()) != nil })
        await vault.close()
    }
}

extension Service {
    /// How often the log says that nobody can connect.
    fileprivate var refusals: Int {
        server.log.split(separator: "\n").filter { $0.contains("no connection can be accepted") }.count
    }
}
