import Crypto
import Logging
package import VaultClient
import VaultModel
package import VaultServer
import VaultWire

/// A server within the tests' own process, with other bounds than people get.
package final class BoundedServer: Sendable {
    private let directory: TemporaryDirectory
    private let server: Server
    private let login: TestLogin
    private let running: Task<Void, Never>

    /// - Parameter hooks: the workers of its hooks; nil for none.
    package init(
        users: [String] = ["anna"], hooks: FakeWorkers? = nil, _ bound: (inout ServerBounds) -> Void = { _ in }
    ) async throws {
        directory = try TemporaryDirectory()
        var keys: [String: Curve25519.Signing.PrivateKey] = [:]
        for user in users { keys[user] = try await TestLogin.addUser(user, in: directory("data")) }
        var options = Server.Options(data: directory("data"))
        (options.host, options.port) = ("127.0.0.1", 0)
        bound(&options.bounds)
        if hooks != nil {
            options.hooks = HookSettings(file: directory("hooks"))
            try SmallFile.write([], to: directory("hooks"), mode: 0o600, .isReplaced)
        }
        let server = try await Server.start(
            options, launcher: hooks, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        self.server = server
        login = TestLogin(port: server.port, fingerprint: try Digest(fingerprint: server.fingerprint), keys: keys)
        running = Task(executorPreference: BlockingExecutor.shared) { await server.run() }
    }

    package var port: Int { server.port }

    package func connect(as user: String = "anna") async throws -> RemoteVault { try await login.connect(as: user) }

    /// Loads the hooks again.
    package func reloadHooks() async { await server.reloadHooks() }

    /// Stops the server; who is still connected is cut off.
    package func stop() async {
        await server.stop()
        await running.value
    }
}
