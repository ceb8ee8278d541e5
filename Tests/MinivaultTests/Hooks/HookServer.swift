import Crypto
import TestSupport
import Testing
import VaultClient
import VaultModel

/// The built program as a server with hooks in Lua, and anna's vault there.
final class HookServer: Sendable {
    let sandbox: Sandbox
    let server: ServerProcess
    let vault: RemoteVault

    /// - Parameters:
    ///   - hooks: the text of the hooks file.
    ///   - users: besides anna.
    init(_ hooks: String, users: [String] = [], options: [String] = []) async throws {
        let sandbox = try Sandbox()
        self.sandbox = sandbox
        let file = try sandbox.write("hooks.lua", hooks)
        let data = LocalPath(sandbox.path + "/data")
        var keys: [String: Curve25519.Signing.PrivateKey] = [:]
        for user in ["anna"] + users { keys[user] = try await TestLogin.addUser(user, in: data) }
        server = try await ServerProcess.start(data: data, users: keys, options: ["--hooks", file] + options)
        vault = try await server.connect(as: "anna")
    }

    func end() async {
        await vault.close()
        server.kill()
    }

    @discardableResult
    func save(
        _ name: String, _ bytes: [UInt8] = Array("content".utf8), on vault: RemoteVault? = nil
    ) async throws -> SaveOutcome {
        try await ContentSave(to: vault ?? self.vault).save(
            bytes, SaveIntent(name: Name(name), attributes: Attributes(mode: 0o644, modified: 1)))
    }

    /// Why a save is refused; nil where it is not.
    func refusal(of name: String, _ bytes: [UInt8] = Array("content".utf8)) async -> VaultError? {
        do {
            try await save(name, bytes)
            return nil
        } catch {
            return VaultError(error)
        }
    }

    func text(of name: String) async throws -> String? {
        guard try await vault.stat(Name(name), .current) != nil else { return nil }
        return String(decoding: try await ContentRead(from: vault).read(Name(name), .current), as: UTF8.self)
    }
}
