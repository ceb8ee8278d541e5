import Glibc
import VaultModel
import VaultServer
import VaultStore

/// Runs a file of hooks on events that are made up, and prints what comes of it.
struct HookTrial {
    /// A local file that an event is about, and its name.
    struct Subject: Sendable {
        var path: LocalPath
        var name: Name
    }

    /// What the hooks are tried on.
    struct Events: Sendable {
        var kind: HookKind
        var user: String
        var subjects: [Subject]
    }

    /// The outcome of a trial.
    struct Report: Sendable {
        var hooks: [HookDeclaration]
        /// The status of each event.
        var statuses: [ExitStatus] = []
    }

    private let file: LocalPath
    private let use: HookUseOptions
    private let events: Events?

    /// - Parameter events: nil for none: the file is only loaded.
    init(_ file: LocalPath, _ use: HookUseOptions, _ events: Events? = nil) {
        self.file = file
        self.use = use
        self.events = events
    }

    /// Loads the file, and runs what it declares on all events.
    ///
    /// - Throws: why the file cannot be used.
    func run() async throws(VaultError) -> Report {
        var settings = HookSettings(file: file)
        use.apply(to: &settings)
        let bench = try await TrialBench()
        do throws(VaultError) {
            let report = try await run(settings, bench)
            await bench.remove()
            return report
        } catch {
            await bench.remove()
            throw error
        }
    }

    private func run(_ settings: HookSettings, _ bench: TrialBench) async throws(VaultError) -> Report {
        let launcher = try HookProcesses(bench.workers, settings)
        let rehearsal = try HookRehearsal(settings, launcher, in: bench.accounts, on: bench.vault) {
            level, text, place in
            Output.line("  \(place.map { "\($0) " } ?? "")\(level): \(text)")
        }
        defer { rehearsal.close() }
        var report = Report(hooks: try await rehearsal.load())
        guard let events else { return report }
        if events.subjects.isEmpty {
            let occasion = HookRehearsal.Occasion(kind: events.kind, user: events.user)
            report.statuses.append(tell(await rehearsal.happen(occasion), of: events.kind, events.kind.rawValue))
        }
        for subject in events.subjects {
            let result: HookRehearsal.Result
            if events.kind == .beforeSave {
                result = try await rehearsal.save(subject.path, as: subject.name, by: events.user)
            } else {
                result = await rehearsal.happen(try await bench.occasion(events.kind, subject, events.user))
            }
            report.statuses.append(tell(result, of: events.kind, "\(subject.name)"))
        }
        return report
    }

    /// Prints what has become of an event.
    private func tell(_ result: HookRehearsal.Result, of kind: HookKind, _ subject: String) -> ExitStatus {
        let time = "(\((result.seconds * 10_000).rounded() / 10) ms)"
        func line(_ text: String) { Output.line("\(subject)  \(text)") }
        switch result.verdict {
        case .unasked:
            line("no hook is asked")
            return .done
        case .rejected(let reason, let place):
            line("rejected by \(place): \(printable(reason)) \(time)")
            return .rejected
        case .failed(let error, nil) where error.code == .timeout:
            Output.note("minivault: \(subject): \(printable(error.message))")
            return .failed
        case .failed(let error, let traceback):
            let trace = (traceback ?? "").split(separator: "\n").map { "\n    " + printable(String($0)) }.joined()
            line("failed: \(printable(error.message))\(trace)")
            return .failed
        case .accepted(let name, let tags):
            var words = [kind.isDeciding ? "accepted" : kind == .schedule ? "done" : "told"]
            if let name { words.append("renamed to '\(name)'") }
            for (key, value) in tags.sorted(by: { $0.key < $1.key }) {
                words.append(value.map { "tagged \(key)=\($0)" } ?? "tag \(key) removed")
            }
            line("\(printable(words.joined(separator: ", "))) \(time)")
            return .done
        }
    }
}

/// What a trial works on, in a directory of its own.
private struct TrialBench {
    private let directory: LocalPath
    /// On which hooks act.
    let vault: StoredVault

    init() async throws(VaultError) {
        let parent = EnvironmentVariable.bytes("TMPDIR") ?? Array("/tmp".utf8)
        directory = LocalPath(parent).appending("minivault-hooks-\(UniqueID())")
        try SmallFile.makeDirectory(directory)
        vault = try await StoredVault.open(directory.appending("vault"), access: .create, savedBy: "hooks")
    }

    /// Where workers have their files.
    var workers: LocalPath { directory.appending("workers") }
    /// Has the files that a server keeps besides its vaults.
    var accounts: LocalPath { directory.appending("accounts") }

    /// Saves a file, and does with it what an event tells of.
    func occasion(
        _ kind: HookKind, _ subject: HookTrial.Subject, _ user: String
    ) async throws(VaultError) -> HookRehearsal.Occasion {
        let name = subject.name
        var occasion = HookRehearsal.Occasion(kind: kind, user: user, name: name)
        switch kind {
        case .rename:
            let former = try Name("before/\(name.text)")
            _ = try await FileSave(to: vault).save(subject.path, as: former)
            occasion.entry = try await vault.changing(.rename(from: former, to: name)).entry
            occasion.formerName = former
        case .remove:
            var entry = try await FileSave(to: vault).save(subject.path, as: name).entry
            _ = try await vault.changing(.remove(NamePrefix(name)))
            // The event is of the removal, which is a version of its own, and tells of what was removed.
            entry.version += 1
            occasion.entry = entry
        case .beforeSave, .save, .read, .beforeRead, .beforeRemove, .login, .schedule:
            occasion.entry = try await FileSave(to: vault).save(subject.path, as: name).entry
        }
        return occasion
    }

    func remove() async {
        await vault.close()
        directory.removeTree()
    }
}
