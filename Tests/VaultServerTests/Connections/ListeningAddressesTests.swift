import Glibc
import NIOCore
import NIOPosix
import Testing
import VaultModel

@testable import VaultServer

@Suite struct ListeningAddressesTests {
    private func texts(_ host: String) throws -> [String] {
        try ListeningAddresses(host: host, port: 0).addresses.compactMap(\.ipAddress)
    }

    @Test func anAddressIsItself() throws {
        #expect(try texts("127.0.0.1") == ["127.0.0.1"])
        #expect(try texts("::1") == ["::1"])
    }

    @Test func allAddressesAreThoseByIPv4WhereThereIsNoIPv6() throws {
        let none = try ListeningAddresses(host: "::", port: 80) { (host, port) throws(VaultError) in
            guard host != "::" else { throw VaultError(.unavailable, "no IPv6") }
            return try ListeningAddresses.lookUp(host, port)
        }
        #expect(none.addresses.compactMap(\.ipAddress) == ["0.0.0.0"])
        #expect(try texts("::") == ["::", "0.0.0.0"])
    }

    @Test func aNameWithoutAddressesIsTold() {
        let error = #expect(throws: VaultError.self) { try ListeningAddresses(host: "no.such.host.invalid", port: 80) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("no.such.host.invalid") == true)
    }

    @Test func aNameIsListenedOnAtOnePortOfAllItsAddresses() async throws {
        let addresses = try texts("localhost")
        let channels = try await ListeningAddresses.listen(host: "localhost", port: 0) { address in
            try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(to: address).get()
        } channel: {
            $0
        }
        #expect(channels.count <= addresses.count && !channels.isEmpty)
        #expect(Set(channels.compactMap { $0.localAddress?.port }).count == 1)
        for channel in channels { try await channel.close() }
    }

    @Test func anAddressThatTheMachineDoesNotHaveIsLeftOutOfSeveral() async throws {
        let here = try ListeningAddresses.lookUp("127.0.0.1", 0)
        var asked = 0
        let channels = try await ListeningAddresses.listen(host: "::", port: 0) { address in
            asked += 1
            if address.ipAddress == "::" { throw IOError(errnoCode: EAFNOSUPPORT, reason: "socket") }
            return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(to: here[0]).get()
        } channel: {
            $0
        }
        #expect(asked == 2 && channels.count == 1)
        for channel in channels { try await channel.close() }
    }

    @Test func aPortThatIsTakenIsTold() async throws {
        let taken = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = taken.localAddress?.port ?? 0
        let error = await #expect(throws: VaultError.self) {
            _ = try await ListeningAddresses.listen(host: "127.0.0.1", port: port) { address in
                try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(to: address).get()
            } channel: {
                $0
            }
        }
        #expect(error?.message.contains("127.0.0.1 port \(port)") == true)
        try await taken.close()
    }
}
