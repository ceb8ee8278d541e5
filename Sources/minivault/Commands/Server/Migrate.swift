import ArgumentParser
import VaultAccess
import VaultModel
import VaultServer
import VaultStore

#if Engines
    struct Migrate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring a vault from a directory to the engines that servers share, or back.",
            discussion: """
                FROM and TO are the directory of a vault ('minivault user vaults' tells those of a server), or 'engines:NAME' \
                for the vault of that name at --catalog and --packs. All versions keep their numbers and times. The copy is read \
                back at the end. Run it again to go on where it was cut off, or to bring what has been changed since: \
                it may run while the vault is in use, and once more when it no longer is.
                """)

        @OptionGroup var data: DataOptions
        @Flag(name: .shortAndLong, help: "Draw no progress and tell only results and errors.")
        var quiet = false
        @Argument(help: "A directory, or engines:NAME.")
        var from: String
        @Argument(help: "A directory, or engines:NAME.")
        var to: String

        private static let scheme = "engines:"

        func validate() throws {
            let names = [from, to].filter { $0.hasPrefix(Migrate.scheme) }
            guard names.count == 1 else {
                throw ValidationError("One of FROM and TO is a directory, the other one engines:NAME.")
            }
            if data.catalog == nil { throw ValidationError("'\(printable(names[0]))' is at --catalog and --packs.") }
        }

        func run() async throws {
            guard let accounts = try await data.openShared() else { return }
            let command = self
            let task = Task(executorPreference: BlockingExecutor.shared) {
                let source = try await command.open(command.from, isTarget: false, accounts)
                let target = try await command.open(command.to, isTarget: true, accounts)
                let progress = ProgressLine(isQuiet: command.quiet, wire: nil, isTree: false)
                let result: Result<VaultMigration.Report, VaultError>
                do throws(VaultError) {
                    progress.meter.expect(try await source.usage().storedBytes)
                    result = .success(try await VaultMigration(from: source, to: target, meter: progress.meter).run())
                } catch {
                    result = .failure(error)
                }
                await progress.stop()
                await source.close()
                await target.close()
                return try result.get()
            }
            Interruption.whenAsked { task.cancel() }
            let report = try await task.value
            Output.line(
                "\(report.changes) changes, \(report.chunks) chunks and \(Format.bytes(report.bytes)) copied; "
                    + "\(report.checkedChunks) chunks read back; at sequence \(report.sequence)")
            if report.damagedChunks > 0 {
                Output.note(
                    "\(report.damagedChunks) chunks are damaged in '\(printable(from))', and are so in the copy.")
                throw CommandFailure(status: .damaged)
            }
        }

        private func open(_ place: String, isTarget: Bool, _ accounts: Accounts) async throws(VaultError) -> StoredVault
        {
            guard place.hasPrefix(Migrate.scheme) else {
                let directory = CommandText.path(place)
                return try await StoredVault.open(directory, access: isTarget ? .create : .readWrite)
            }
            let name = try UserName(String(place.dropFirst(Migrate.scheme.count)))
            if isTarget, try accounts.vault(named: name.text) == nil { try await accounts.addVault(name) }
            return try await accounts.places.open(try accounts.knownVault(name.text).id, access: .readWrite)
        }
    }
#endif
