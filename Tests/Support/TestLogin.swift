package import Crypto
package import VaultClient
package import VaultModel
package import VaultServer
import VaultWire

/// How users of the tests, which have device keys, reach a server on this machine.
package struct TestLogin: Sendable {
    package var port: Int
    package var fingerprint: VaultModel.Digest
    package var keys: [String: Curve25519.Signing.PrivateKey]

    /// Makes a user with a vault in a data directory.
    package static func addUser(_ name: String, in data: LocalPath) async throws -> Curve25519.Signing.PrivateKey {
        let accounts = try Accounts.open(data)
        defer { accounts.close() }
        return try await addUser(name, to: accounts)
    }

    /// Makes a user with a vault.
    package static func addUser(
        _ name: String, to accounts: Accounts
    ) async throws -> Curve25519.Signing.PrivateKey {
        let user = try UserName(name)
        // Nobody logs in by this password.
        let credentials = ScramCredentials(
            salt: [UInt8](repeating: 1, count: 16), iterations: 4096, storedKey: [UInt8](repeating: 2, count: 32),
            serverKey: [UInt8](repeating: 3, count: 32))
        try await accounts.addUser(user, credentials)
        let key = Curve25519.Signing.PrivateKey()
        try accounts.enrolKey(Array(key.publicKey.rawRepresentation), label: "test", of: user)
        return key
    }

    /// Connects as a user, straight or through something else that listens on this machine.
    package func connect(
        as user: String, vault: String? = nil, through port: Int? = nil, options: RemoteVault.Options = .init()
    ) async throws -> RemoteVault {
        guard let key = keys[user] else { throw VaultError(.notFound, "There is no user \(user).") }
        let url = try ServerURL("minivault://\(user)@127.0.0.1:\(port ?? self.port)" + (vault.map { "/" + $0 } ?? ""))
        let verifier = try ServerVerifier(.pinned(fingerprint), url: url, authorities: LocalPath("/dev/null"))
        let identity = ClientIdentity.deviceKey(user: try UserName(user), key: key)
        return try await connecting {
            try await RemoteVault.connect(
                to: url, trust: ServerTrust { (chain) throws(VaultError) in try await verifier.verify(chain) },
                as: identity, options: options)
        }
    }
}

/// Runs a login on threads of its own, since those that all tests share may be busy for longer than a login may take; and
/// again, since on a machine on which much else runs the server may be.
package func connecting<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withTaskExecutorPreference(loginThreads) {
        for _ in 1..<loginTriesMax {
            do {
                return try await body()
            } catch let error as VaultError where error.code == .timeout && error.isRetryable {
                continue
            }
        }
        return try await body()
    }
}

private let loginThreads = BlockingExecutor(threads: 2)
private let loginTriesMax = 10
