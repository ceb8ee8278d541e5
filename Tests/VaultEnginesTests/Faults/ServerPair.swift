import Crypto
import TestSupport
import VaultClient
import VaultModel

/// Two servers on the same engines, behind a balancer that sends connections to one after the other.
final class ServerPair: Sendable {
    let engines: TestEngines
    let balancer: FaultProxy
    private let directory: TemporaryDirectory
    private let keys: [String: Curve25519.Signing.PrivateKey]
    private let options: [String]
    private let servers: Shared<[ServerProcess]>

    /// - Parameters:
    ///   - options: of both servers.
    ///   - clocks: the times of day by which they live, each seconds since 1970 UTC; nil for the machine's.
    init(
        _ engines: TestEngines, options: [String] = [], hooks: String? = nil, clocks: [Int64?] = [nil, nil]
    ) async throws {
        self.engines = engines
        directory = try TemporaryDirectory()
        keys = ["anna": try await engines.withAccounts { try await TestLogin.addUser("anna", to: $0) }]
        var options = options
        if let hooks {
            try SmallFile.write(Array(hooks.utf8), to: directory("hooks.lua"), mode: 0o644, .isReplaced)
            options += ["--hooks", "\(directory("hooks.lua"))"]
        }
        self.options = options
        servers = Shared([])
        for (number, clock) in clocks.enumerated() {
            var file: LocalPath?
            if let clock {
                let path = directory("clock\(number)")
                try SmallFile.write(withUnsafeBytes(of: clock) { Array($0) }, to: path, mode: 0o644, .isReplaced)
                file = path
            }
            let server = try await ServerProcess.start(
                data: directory("data\(number)"), users: keys, clock: file, options: options, engines: engines,
                isCounted: number == 0)
            servers.change { $0.append(server) }
        }
        balancer = try FaultProxy(upstream: servers.value[0].port)
        balance()
    }

    subscript(number: Int) -> ServerProcess { servers.value[number] }

    private func balance() { balancer.redirect(to: servers.value[0].port, servers.value[1].port) }

    func connect(options: RemoteVault.Options = .init()) async throws -> RemoteVault {
        try await servers.value[0].connect(as: "anna", through: balancer.port, options: options)
    }

    /// Kills one server, and starts it again.
    func restart(_ number: Int) async throws {
        servers.value[number].kill()
        let server = try await ServerProcess.start(
            data: directory("data\(number)"), users: keys, options: options, engines: engines, isCounted: number == 0)
        servers.change { $0[number] = server }
        balance()
    }

    func end() {
        balancer.close()
        for server in servers.value { server.kill() }
    }
}
