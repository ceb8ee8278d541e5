import CProcess
import Glibc
import LuaEngine
import VaultAccess
import VaultClient
import VaultLua
import VaultModel
import VaultWire

/// A worker's way to have the server do what the worker may not: start programs, connect, and prove who it is.
struct HookBrokerClient: Sendable {
    /// The socket by which the server is handed the connection of each request.
    private let door: OpenFile

    init(_ door: Int32) {
        self.door = OpenFile(descriptor: door, path: LocalPath("the socket of hooks"))
    }

    /// Begins a request.
    ///
    /// - Parameter streams: go to the server with it.
    private func ask(_ request: BrokerRequest, _ streams: [Int32] = []) throws(VaultError) -> BrokerChannel {
        let sockets = try SocketPair()
        let channel = BrokerChannel(sockets.takeOurs())
        let descriptors = [sockets.theirs] + streams
        guard cprocess_send_descriptors(door.descriptor, 0, descriptors, Int32(descriptors.count)) == 0 else {
            throw VaultError(system: errno, "write to", LocalPath("the socket of the server"))
        }
        try channel.send(request)
        return channel
    }

    /// Asks on a thread of its own, and gives up when the task is cancelled.
    private func answer(
        _ kind: BrokerRequest.Kind, _ fields: [[UInt8]]
    ) async throws(VaultError) -> (fields: [[UInt8]], file: OpenFile?) {
        let channel = try ask(BrokerRequest(kind, fields))
        do throws(VaultError) {
            return try await mappingErrors {
                try await withTaskCancellationHandler {
                    try await LuaThread.run { try channel.answer() }
                } onCancel: {
                    channel.giveUp()
                }
            }
        } catch {
            throw Task.isCancelled ? .cancelled : error
        }
    }
}

extension HookBrokerClient: ProgramLauncher {
    func start(
        _ words: [[UInt8]], _ streams: ProgramStreams, in surroundings: ProgramSurroundings
    ) throws(VaultError) -> any StartedProgram {
        guard !surroundings.areOthers else {
            throw VaultError(
                .invalid, "A program that a hook starts has the directory and the variables that the server gives it.")
        }
        let channel = try ask(
            BrokerRequest(.start, words), [streams.input, streams.output, streams.errors])
        _ = try channel.answer()
        return BrokeredProgram(channel)
    }
}

/// A program that the server has started.
private struct BrokeredProgram: StartedProgram {
    private let channel: BrokerChannel

    init(_ channel: BrokerChannel) {
        self.channel = channel
    }

    func ending() throws(VaultError) -> Int32? {
        guard let fields = try channel.nextIfThere() else { return nil }
        guard let code = fields.first?.first else {
            throw VaultError(.internal, "The server does not say how a program ended.")
        }
        return Int32(code)
    }

    var descriptor: Int32 { channel.descriptor }

    /// The server ends what nobody waits for.
    func terminate() { channel.giveUp() }

    func isGone() -> Bool { true }

    func kill() { channel.giveUp() }
}

extension HookBrokerClient {
    /// Opens a vault on one of the servers that hooks may connect to, over a connection that this machine's server makes.
    ///
    /// - Throws: `denied` for a directory, and for a host that is not among `hosts`.
    func open(_ word: [UInt8], _ hosts: [String]) async throws(VaultError) -> any Vault {
        let url = try HookConnections.url(word, hosts)
        let name = Array(url.description.utf8)
        let account = try await answer(.account, [name]).fields
        guard account.count == 2 else { throw VaultError(.internal, "The server does not say who it is elsewhere.") }
        let identity = ClientIdentity.deviceKey(
            user: try UserName(String(decoding: account[0], as: UTF8.self)),
            key: BrokeredKey(client: self, url: name, publicKeyBytes: account[1]))
        let trust = ServerTrust { (chain) async throws(VaultError) in _ = try await answer(.verify, [name] + chain) }
        var options = RemoteVault.Options()
        options.dial = { (_) async throws(VaultError) in
            guard let file = try await answer(.connect, [name]).file else {
                throw VaultError(.internal, "The server has made no connection.")
            }
            let copy = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else { throw VaultError(system: errno, "copy", file.path) }
            return copy
        }
        return try await RemoteVault.connect(to: url, trust: trust, as: identity, options: options)
    }

    /// A key that the server signs with.
    private struct BrokeredKey: DeviceSigner {
        let client: HookBrokerClient
        let url: [UInt8]
        let publicKeyBytes: [UInt8]

        func sign(_ proof: DeviceProof) throws(VaultError) -> [UInt8] {
            guard let signature = try client.ask(BrokerRequest(.sign, [url, proof.message])).answer().fields.first
            else { throw VaultError(.internal, "The server has signed nothing.") }
            return signature
        }
    }
}
