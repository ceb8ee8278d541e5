import Crypto
import Glibc
import Synchronization
import TestSupport
import Testing
import VaultClient
import VaultModel

/// The built program as a server with hooks in Lua, and anna's vault there.
final class HookServer: Sendable {
    let sandbox: Sandbox
    private let keys: [String: Curve25519.Signing.PrivateKey]
    private let options: [String]
    private let running: Mutex<(server: ServerProcess, vault: RemoteVault)>

    /// - Parameters:
    ///   - hooks: the text of the hooks file.
    ///   - users: besides anna.
    ///   - isPatient: whether hooks have time enough on a busy machine, where they do not say how much they have.
    init(_ hooks: String, users: [String] = [], options: [String] = [], isPatient: Bool = true) async throws {
        let sandbox = try Sandbox()
        self.sandbox = sandbox
        let file = try sandbox.write("hooks.lua", (isPatient ? HookServer.patient : "") + hooks)
        var keys: [String: Curve25519.Signing.PrivateKey] = [:]
        for user in ["anna"] + users {
            keys[user] = try await TestLogin.addUser(user, in: LocalPath(sandbox.path + "/data"))
        }
        self.keys = keys
        self.options = ["--hooks", file] + options
        let started = try await HookServer.start(sandbox, keys, self.options)
        running = Mutex(started)
    }

    private static func start(
        _ sandbox: Sandbox, _ keys: [String: Curve25519.Signing.PrivateKey], _ options: [String]
    ) async throws -> (server: ServerProcess, vault: RemoteVault) {
        let server = try await ServerProcess.start(
            data: LocalPath(sandbox.path + "/data"), users: keys, options: options)
        return (server, try await server.connect(as: "anna"))
    }

    var server: ServerProcess { running.withLock { $0.server } }
    var vault: RemoteVault { running.withLock { $0.vault } }
    var log: String { server.log }

    func end() async {
        await vault.close()
        server.kill()
    }

    /// Kills the server outright, and starts another one on its data.
    func killAndStart() async throws {
        await end()
        let started = try await HookServer.start(sandbox, keys, options)
        running.withLock { $0 = started }
    }

    /// The beginning of a hooks file whose hooks have time enough: a part of the first line, so that the others keep their
    /// numbers.
    private static let patient = """
        local own = vault local vault = setmetatable({on = function(kind, options, f) \
        if type(options) == "function" then options, f = {}, options end \
        if type(options) == "table" and not options.timeout then options.timeout = kind == "login" and 15 or 60 end \
        return own.on(kind, options, f) end}, {__index = own}) \

        """

    /// Replaces the hooks.
    func change(_ hooks: String) throws {
        try sandbox.write("new.lua", HookServer.patient + hooks)
        guard rename(sandbox.path + "/new.lua", sandbox.path + "/hooks.lua") == 0 else { throw SystemFailure("rename") }
    }

    @discardableResult
    func save(
        _ name: String, _ bytes: [UInt8] = Array("content".utf8), on vault: RemoteVault? = nil
    ) async throws -> SaveOutcome {
        try await ContentSave(to: vault ?? self.vault).save(
            bytes, SaveIntent(name: Name(name), attributes: Attributes(mode: 0o644, modified: 1)))
    }

    /// Why something is refused; nil where it is not.
    func refusal(_ body: () async throws -> Void) async -> VaultError? {
        do {
            try await body()
            return nil
        } catch {
            return VaultError(error)
        }
    }

    func refusal(of name: String, _ bytes: [UInt8] = Array("content".utf8)) async -> VaultError? {
        await refusal { try await save(name, bytes) }
    }

    /// The content of a name; nil where there is none.
    func text(of name: String) async throws -> String? {
        guard try await vault.stat(Name(name), .current) != nil else { return nil }
        return String(decoding: try await ContentRead(from: vault).read(Name(name), .current), as: UTF8.self)
    }

    /// Waits until a name has this content, which a hook brings about.
    func wait(for text: String, of name: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let isThere = try await soon { try await self.text(of: name) == text }
        let found = try await self.text(of: name) ?? "nothing"
        #expect(isThere, "'\(name)' is \(found); \(log)", sourceLocation: sourceLocation)
    }
}
