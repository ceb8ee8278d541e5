import ArgumentParser
import Synchronization
import VaultAccess
import VaultClient
import VaultModel
import VaultTransport

/// The options that all commands on a vault have.
struct VaultOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("The vault: a directory, or minivault://[user@]host[:port][/vault].", valueName: "vault"))
    var vault: String?

    @Option(help: ArgumentHelp("Send and receive no more than this a second, such as 2M.", valueName: "size"))
    var bandwidth: ByteSize?

    @Flag(name: .shortAndLong, help: "Draw no progress and tell only results and errors.")
    var quiet = false

    /// The bytes of the URL or path that was typed; nil for none.
    var place: [UInt8]? { vault.map { CommandText.bytes($0) } }

    /// What the connections of a vault on a server have moved, for the progress.
    let wire = WireWatch()

    var remote: RemoteLocation.Choices {
        var choices = RemoteLocation.Choices(bandwidth: bandwidth?.bytes)
        if !quiet { choices.tell = { Output.note("minivault: \($0)") } }
        return choices
    }

    private enum CodingKeys: CodingKey {
        case vault, bandwidth, quiet
    }
}

/// The counter of a connection, once there is one.
final class WireWatch: Sendable {
    private let counter = Mutex<WireCounter?>(nil)

    func watch(_ counter: WireCounter) {
        self.counter.withLock { $0 = counter }
    }

    /// Bytes that went either way; nil for a vault on this machine.
    var bytes: UInt64? { counter.withLock { $0.map { $0.sent + $0.received } } }
}

/// A command that works on one open vault.
protocol VaultCommand: AsyncParsableCommand, Sendable {
    static var purpose: VaultLocation.Purpose { get }
    var common: VaultOptions { get }
    func run(on vault: any Vault) async throws
}

extension VaultCommand {
    mutating func run() async throws {
        let command = self
        let task = Task(executorPreference: BlockingExecutor.shared) {
            let vault = try await VaultLocation.open(
                command.common.place, for: Self.purpose, remote: command.common.remote)
            if let remote = vault as? RemoteVault { command.common.wire.watch(remote.counter) }
            do {
                try await command.run(on: vault)
            } catch {
                await vault.close()
                throw error
            }
            await vault.close()
        }
        Interruption.whenAsked { task.cancel() }
        try await task.value
    }

    /// Runs a transfer with its progress drawn.
    ///
    /// - Parameter isTree: whether how much there is becomes known on the way only.
    func drawing<Value>(
        isTree: Bool = false, _ body: (TransferMeter) async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        let progress = ProgressLine(
            isQuiet: common.quiet, wire: common.wire.bytes == nil ? nil : common.wire, isTree: isTree)
        do {
            let value = try await body(progress.meter)
            await progress.stop()
            return value
        } catch {
            await progress.stop()
            throw error
        }
    }
}

/// Collects the failures of a command that tries everything.
struct Failures {
    private var first: VaultError?

    mutating func add(_ error: VaultError) {
        first = first ?? error
        Output.report(error)
    }

    /// - Throws: the end of the command, if anything failed.
    func finish() throws {
        if let first { throw CommandFailure(status: ExitStatus(first)) }
    }
}
