import ArgumentParser
import VaultModel

/// The options that all commands on a vault have.
struct VaultOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The directory of the vault.", valueName: "directory"))
    var vault: String?

    @Flag(name: .shortAndLong, help: "Draw no progress and tell only results and errors.")
    var quiet = false
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
            let vault = try await VaultLocation.open(command.common.vault, for: Self.purpose)
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
    func drawing<Value>(_ body: (TransferMeter) async throws(VaultError) -> Value) async throws(VaultError) -> Value {
        let progress = ProgressLine(isQuiet: common.quiet)
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
