import Crypto
import TestSupport
import VaultClient
import VaultModel

/// A server with a proxy before it, and a user.
final class Service: Sendable {
    let directory: TemporaryDirectory
    let server: ServerProcess
    let proxy: FaultProxy
    let keys: [String: Curve25519.Signing.PrivateKey]

    init(options: [String] = []) async throws {
        directory = try TemporaryDirectory()
        keys = ["anna": try await TestLogin.addUser("anna", in: directory("data"))]
        server = try await ServerProcess.start(data: directory("data"), users: keys, options: options)
        proxy = try FaultProxy(upstream: server.port)
    }

    func connect() async throws -> RemoteVault { try await server.connect(as: "anna", through: proxy.port) }

    /// A connection on which 8 MiB take a second, so that there is time to do something meanwhile.
    func connectSlowly() async throws -> RemoteVault {
        var options = RemoteVault.Options()
        options.bandwidth = BandwidthLimit(bytesPerSecond: 8 << 20)
        return try await server.connect(as: "anna", through: proxy.port, options: options)
    }

    /// The records each way that a piece of work takes.
    func count(_ work: (RemoteVault) async throws -> Void) async throws -> [Int] {
        proxy.arm(nil)
        let vault = try await connect()
        try await work(vault)
        await vault.close()
        return FaultProxy.Direction.allCases.map { proxy.records($0) }
    }

    func end() {
        proxy.close()
        server.kill()
    }
}

func write(_ bytes: [UInt8], to path: LocalPath) throws {
    try SmallFile.write(bytes, to: path, mode: 0o644, .isReplaced)
}
