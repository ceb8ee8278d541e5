import ArgumentParser
import VaultAccess
import VaultLua
import VaultModel
import VaultStore

struct Keep: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget the versions that no rule keeps; never a current one. gc gives their space back.",
        discussion: """
            A server's hooks are asked about each name first: one that they reject keeps all its versions, with a line that \
            says why, and the command ends with 7. A dry run asks no hooks.
            """)
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
    @Flag(help: "Print one JSON object with the counts.")
    var json = false

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
        let prefix = try CommandText.prefix(prefix)
        if let absence = try await vault.absence(of: prefix, includesVersions: true) { throw absence }
        let report = try await vault.keep(
            prefix, policy, calendar: try CivilCalendar(zone: zone), isDryRun: dryRun)
        if json {
            Output.line(Format.json(report, isDryRun: dryRun).text)
        } else {
            let rejected = report.rejectedNames > 0 ? ", \(report.rejectedNames) names rejected" : ""
            Output.line(
                "\(report.keptVersions) versions kept, \(report.droppedVersions) \(dryRun ? "to forget" : "forgotten"), "
                    + "\(report.forgottenNames) names gone\(rejected)")
        }
        try tellRejections(of: report)
    }

    /// - Throws: the end of the command, where names keep their versions against the rules.
    private func tellRejections(of report: KeepReport) throws {
        var failures = Failures()
        for rejection in report.rejections { failures.add(rejection) }
        let untold = report.rejectedNames - report.rejections.count
        if untold > 0 {
            let more = report.rejections.isEmpty ? "" : "more "
            failures.add(VaultError(.rejected, "\(untold) \(more)names were rejected."))
        }
        try failures.finish()
    }
}

struct Collect: VaultCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Give back the space of what nothing needs any more, and tell what has to stay, why and until when.")
    static let purpose = VaultLocation.Purpose.change

    @OptionGroup var common: VaultOptions
    @Flag(help: "Print one JSON object with the counts, and what stays in 'retained'.")
    var json = false

    func run(on vault: any Vault) async throws {
        let report = try await vault.collect()
        if json { return Output.line(Format.json(report).text) }
        Output.line(
            "\(Format.bytes(report.freedBytes)) freed, \(Format.bytes(report.keptBytes)) kept; "
                + "\(report.removedChunks) chunks and \(report.changedPacks) packs gone")
        for retained in report.retained { Output.line(Format.line(retained)) }
    }
}

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read what is stored back and compare it with its digests.",
        discussion: "Damage is withdrawn: saving a damaged file again heals every version that shares its content.")

    @OptionGroup var common: VaultOptions
    @Argument(help: "The prefix; everything without one.")
    var prefix: String?
    @Option(help: ArgumentHelp("Read a random share only: 0.05 or 5%.", valueName: "share"))
    var sample: String?
    @Flag(help: "Rebuild a lost or damaged catalog from the packs first.")
    var repair = false
    @Flag(help: "Print one JSON object with the counts, and with what is damaged.")
    var json = false

    func validate() throws {
        if let sample {
            do throws(VaultError) { _ = try VerifyRequest.share(sample) } catch {
                throw ValidationError(error.message)
            }
        }
    }

    func run() async throws {
        let verification = Verification(
            common: common, json: json, rebuilt: repair ? try await rebuildIfNeeded() : nil,
            request: VerifyRequest(
                prefix: try CommandText.prefix(prefix), sample: try sample.map { try VerifyRequest.share($0) } ?? 1))
        try await verification.run()
    }

    /// - Returns: nil where the catalog is sound.
    private func rebuildIfNeeded() async throws(VaultError) -> VaultRepair.Report? {
        let repair = VaultRepair(try VaultLocation.directory(common.place))
        let report = try await BlockingExecutor.run { () async throws(VaultError) in
            try await repair.catalogIsSound() ? nil : try await repair.rebuild()
        }
        guard let report else { return nil }
        for problem in report.problems { Output.note("minivault: \(problem)") }
        Output.note(
            "The catalog was rebuilt from \(report.groups) journal groups with \(report.changes) changes and "
                + "\(report.chunks) chunks.")
        return report
    }
}

/// The verification itself, on the open vault.
private struct Verification {
    var common: VaultOptions
    var json: Bool
    var rebuilt: VaultRepair.Report?
    var request: VerifyRequest

    func run() async throws {
        let vault = try await VaultLocation.open(common.place, for: .read, remote: common.remote)
        let request = request
        let task = Task(executorPreference: BlockingExecutor.shared) {
            if let absence = try await vault.absence(of: request.prefix, includesVersions: true) { throw absence }
            return try await vault.verify(request)
        }
        Interruption.whenAsked { task.cancel() }
        let result = await task.result
        await vault.close()
        let report = try result.get()
        if json {
            Output.line(Format.json(report, rebuilt: rebuilt).text)
        } else {
            for damaged in report.damaged {
                Output.line("damaged: version \(damaged.version) of \(Format.name(damaged.name))")
            }
            for problem in report.problems { Output.line(problem) }
        }
        if !report.damaged.isEmpty, !json {
            Output.note(
                "minivault: push or save these files again from where they are whole: that heals every version that shares their content."
            )
        }
        if !common.quiet, !json {
            Output.note(
                "\(report.checkedChunks) chunks read, \(Format.bytes(report.checkedBytes)); "
                    + "\(report.damagedChunks) damaged, \(report.damaged.count) versions affected")
        }
        // A vault whose names are lost is whole in itself, and holds nothing of what was saved.
        let hasLostNames = rebuilt.map { $0.groups == 0 && $0.chunks > 0 } ?? false
        if !report.isClean || hasLostNames { throw CommandFailure(status: .damaged) }
    }
}
