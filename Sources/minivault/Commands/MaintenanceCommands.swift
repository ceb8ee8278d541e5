import ArgumentParser
import VaultAccess
import VaultModel
import VaultStore

struct Keep: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget the versions that no rule keeps; never a current one. gc gives their space back.")
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions
    @Argument(help: "The prefix; everything without one.")
    var prefix: String?
    @Option(help: ArgumentHelp("Keep the newest versions.", valueName: "n")) var last: Int?
    @Option(help: ArgumentHelp("Keep the newest version of each of this many days.", valueName: "n")) var daily: Int?
    @Option(help: ArgumentHelp("Keep the newest version of each of this many weeks.", valueName: "n")) var weekly: Int?
    @Option(help: ArgumentHelp("Keep the newest version of each of this many months.", valueName: "n")) var monthly:
        Int?
    @Option(help: ArgumentHelp("Keep what was current within a time such as 30d.", valueName: "time")) var within:
        String?
    @Option(help: ArgumentHelp("The time zone of days, such as Europe/Berlin.", valueName: "zone")) var zone: String?
    @Flag(help: "Tell what would be forgotten, and forget nothing.")
    var dryRun = false

    func validate() throws {
        if [last, daily, weekly, monthly].contains(where: { $0.map { $0 < 0 } ?? false }) {
            throw ValidationError("The numbers of versions to keep cannot be negative.")
        }
        if let within {
            do throws(VaultError) { _ = try CivilDuration.seconds(within) } catch {
                throw ValidationError(error.message)
            }
        }
        if [last, daily, weekly, monthly].allSatisfy({ ($0 ?? 0) == 0 }), within == nil {
            throw ValidationError("Say what to keep: --last, --daily, --weekly, --monthly or --within.")
        }
    }

    func run(on vault: any Vault) async throws {
        var policy = KeepPolicy()
        policy.last = last ?? 0
        policy.daily = daily ?? 0
        policy.weekly = weekly ?? 0
        policy.monthly = monthly ?? 0
        policy.within = try within.map { try CivilDuration.seconds($0) } ?? 0
        let report = try await vault.keep(
            try CommandText.prefix(prefix), policy, calendar: try CivilCalendar(zone: zone), isDryRun: dryRun)
        Output.line(
            "\(report.keptVersions) versions kept, \(report.droppedVersions) \(dryRun ? "to forget" : "forgotten"), "
                + "\(report.forgottenNames) names gone")
    }
}

struct Collect: VaultCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Give back the space of what nothing needs any more.")
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions

    func run(on vault: any Vault) async throws {
        let report = try await vault.collect()
        Output.line(
            "\(Format.bytes(report.freedBytes)) freed, \(Format.bytes(report.keptBytes)) kept; "
                + "\(report.removedChunks) chunks and \(report.changedPacks) packs gone")
    }
}

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read what is stored back and compare it with its digests.",
        discussion: "Damage is withdrawn: saving a damaged file again heals every version that shares its content.")

    @OptionGroup var common: VaultOptions
    @Argument(help: "The prefix; everything without one.")
    var prefix: String?
    @Option(help: ArgumentHelp("Read a random share only, in percent.", valueName: "percent"))
    var sample: Double?
    @Flag(help: "Rebuild a lost or damaged catalog from the packs first.")
    var repair = false

    func validate() throws {
        if let sample, !(sample > 0 && sample <= 100) {
            throw ValidationError("--sample takes a percentage above 0 and up to 100.")
        }
    }

    func run() async throws {
        if repair { try await rebuildIfNeeded() }
        let verification = Verification(
            common: common,
            request: VerifyRequest(prefix: try CommandText.prefix(prefix), sample: (sample ?? 100) / 100))
        try await verification.run()
    }

    private func rebuildIfNeeded() async throws(VaultError) {
        let repair = VaultRepair(try VaultLocation.directory(common.vault))
        let report = try await BlockingExecutor.run { () async throws(VaultError) in
            try await repair.catalogIsSound() ? nil : try await repair.rebuild()
        }
        guard let report else { return }
        for problem in report.problems { Output.note("minivault: \(problem)") }
        Output.note(
            "The catalog was rebuilt from \(report.groups) journal groups with \(report.changes) changes and "
                + "\(report.chunks) chunks.")
    }
}

/// The verification itself, on the open vault.
private struct Verification {
    var common: VaultOptions
    var request: VerifyRequest

    func run() async throws {
        let vault = try await VaultLocation.open(common.vault, for: .read, remote: common.remote)
        let request = request
        let task = Task(executorPreference: BlockingExecutor.shared) { try await vault.verify(request) }
        Interruption.whenAsked { task.cancel() }
        let result = await task.result
        await vault.close()
        let report = try result.get()
        for damaged in report.damaged { Output.line("damaged: version \(damaged.version) of \(damaged.name)") }
        for problem in report.problems { Output.line(problem) }
        if !common.quiet {
            Output.note(
                "\(report.checkedChunks) chunks read, \(Format.bytes(report.checkedBytes)); "
                    + "\(report.damagedChunks) damaged, \(report.damaged.count) versions affected")
        }
        if !report.isClean { throw CommandFailure(status: .damaged) }
    }
}
