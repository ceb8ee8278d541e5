import Glibc
import Synchronization
import VaultLua
import VaultModel
import VaultServer
import VaultStore

/// Runs a file of hooks in this process on events that are made up, and prints what comes of it: a server and its workers
/// in one.
final class HookTrial: HookService {
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

    private struct State {
        var hooks: [HookDeclaration] = []
        var failure: VaultError?
        var bench: TrialBench?
        /// Those to come, the next one last.
        var calls: [HookCall] = []
        /// What they are about.
        var entries: [UInt64: Entry] = [:]
        var current: HookCall?
        var statuses: [ExitStatus] = []
        /// Ends the program at a deadline.
        var watch: Task<Void, any Error>?
    }

    private let file: LocalPath
    private let use: HookUseOptions
    private let events: Events?
    private let state = Mutex(State())

    /// - Parameter events: nil for none: the file is only loaded.
    init(_ file: LocalPath, _ use: HookUseOptions, _ events: Events? = nil) {
        self.file = file
        self.use = use
        self.events = events
    }

    /// How each event has ended.
    var statuses: [ExitStatus] { state.withLock { $0.statuses } }

    /// Loads the file, and runs what it declares on all events.
    ///
    /// - Returns: what it declares.
    /// - Throws: why the file cannot be used.
    func run() async throws(VaultError) -> [HookDeclaration] {
        let bench = try await TrialBench()
        state.withLock { $0.bench = bench }
        let result: Result<Void, VaultError>
        do throws(VaultError) {
            watch(.seconds(HookTrial.loadSecondsMax), "The file was not loaded in \(HookTrial.loadSecondsMax) s.")
            try await HookRunner(self, HookRunner.Host(directory: bench.files, connect: HookConnections.open)).run()
            result = .success(())
        } catch {
            result = error.code == .cancelled ? .success(()) : .failure(error)
        }
        endWatch()
        await bench.remove()
        try result.get()
        return try state.withLock { (state) throws(VaultError) in
            if let failure = state.failure { throw failure }
            return state.hooks
        }
    }

    // MARK: What a worker asks for

    func setup() async throws(VaultError) -> HookSetup {
        let text = try SmallFile.read(file, bytesMax: HookLimits.fileBytesMax)
        return HookSetup(
            file: String(decoding: file.lastComponent, as: UTF8.self), text: text,
            memoryBytes: use.hookMemory.map { Int(clamping: $0.bytes) } ?? HookTrial.memoryBytes,
            programs: use.programs, hosts: use.hosts)
    }

    func ready(_ hooks: Result<[HookDeclaration], VaultError>) async throws(VaultError) {
        endWatch()
        do throws(VaultError) {
            let hooks = try hooks.get()
            let calls = try await calls(try HookTable(hooks))
            state.withLock { state in
                state.hooks = hooks
                state.calls = calls.reversed()
            }
        } catch {
            state.withLock { $0.failure = error }
        }
    }

    func report(_ answers: [HookAnswer], isLast: Bool) throws(VaultError) {
        endWatch()
        for answer in answers { tell(answer) }
    }

    func next(after answers: [HookAnswer]) throws(VaultError) -> [HookCall] {
        try report(answers, isLast: false)
        while true {
            let call = state.withLock { state in
                state.current = state.calls.popLast()
                return state.current
            }
            guard let call else { throw .cancelled }
            if call.hooks.isEmpty {
                finish(call, "no hook is asked", .done)
                continue
            }
            let hooks = state.withLock { state in call.hooks.map { state.hooks[$0 - 1] } }
            let timeout = hooks.reduce(Duration.zero) { $0 + $1.timeout }
            let places = hooks.map(\.place).joined(separator: ", ")
            watch(timeout, "\(HookTrial.subject(of: call)): the hook at \(places) did not end within \(timeout).")
            return [call]
        }
    }

    func log(_ level: String, _ text: String, hook: Int, event: UInt64) {
        let place = state.withLock { hook > 0 && hook <= $0.hooks.count ? $0.hooks[hook - 1].place + " " : "" }
        Output.line("  \(place)\(level): \(text)")
    }

    func reject(_ reason: String, event: UInt64) {}

    func vault(of event: UInt64) -> any Vault {
        guard let bench = state.withLock({ $0.bench }) else { preconditionFailure("hooks run before there is a vault") }
        return bench.kept
    }

    func entry(of event: HookCall) async throws(VaultError) -> Entry? { state.withLock { $0.entries[event.number] } }

    func openContent(of event: HookCall) async throws(VaultError) -> (OpenRead, any Vault) {
        guard let name = event.name, let bench = state.withLock({ $0.bench }) else {
            throw VaultError(.invalid, "The event '\(event.kind.rawValue)' is about no content.")
        }
        let vault = event.kind == .beforeSave ? bench.contents : bench.vault
        return (try await vault.openRead(name, .current), vault)
    }

    func value(_ key: String, for event: UInt64) async throws(VaultError) -> (json: [UInt8], version: UInt64) {
        let value = try await bench().hookValue(key)
        return (value.value, value.version)
    }

    func store(
        _ json: [UInt8], as key: String, ifVersion: UInt64, for event: UInt64
    ) async throws(VaultError) -> Bool {
        try await bench().store(json, as: key, ifVersion: ifVersion) != nil
    }

    func add(
        _ amount: Double, to key: String, once id: String, for event: UInt64
    ) async throws(VaultError) -> [UInt8] {
        try await bench().add(amount, to: key, once: id.isEmpty ? nil : id).value
    }

    private func bench() throws(VaultError) -> StoredVault {
        guard let bench = state.withLock({ $0.bench }) else { throw .cancelled }
        return bench.vault
    }

    // MARK: Events

    private func calls(_ table: HookTable) async throws(VaultError) -> [HookCall] {
        guard let events, let bench = state.withLock({ $0.bench }) else { return [] }
        func call(_ name: Name?, from former: Name? = nil, _ entry: Entry?) -> HookCall {
            let hooks =
                events.kind == .schedule
                ? table.hooks.filter { $0.kind == .schedule } : table.hooks(for: events.kind, name, depth: 0)
            return HookCall(
                number: 1, hooks: hooks.map(\.number), id: UniqueID(),
                kind: events.kind, name: name, formerName: former, vault: events.user, user: events.user,
                peer: "127.0.0.1", time: currentNanoseconds() / 1_000_000_000, attempt: 1, size: entry?.size,
                version: entry?.version ?? 0)
        }
        if events.subjects.isEmpty { return [call(nil, nil)] }
        var calls: [HookCall] = []
        for subject in events.subjects {
            let (entry, former) = try await bench.prepare(events.kind, subject)
            calls.append(call(subject.name, from: former, entry))
            let number = UInt64(calls.count)
            calls[calls.count - 1].number = number
            state.withLock { $0.entries[number] = entry }
        }
        return calls
    }

    private static func subject(of call: HookCall) -> String { call.name.map { "\($0)" } ?? call.kind.rawValue }

    private func tell(_ answer: HookAnswer) {
        guard let call = state.withLock({ $0.current }) else { return }
        let milliseconds = Double(answer.runs.reduce(0) { $0 + $1.microseconds }) / 1000
        let time = "(\((milliseconds * 10).rounded() / 10) ms)"
        let place = state.withLock { state in answer.runs.last.map { state.hooks[$0.hook - 1].place } ?? "" }
        if let rejection = answer.rejection {
            return finish(call, "rejected by \(place): \(printable(rejection)) \(time)", .rejected)
        }
        if let failure = answer.failure {
            let trace = (answer.traceback ?? "").split(separator: "\n").map { "\n    " + printable(String($0)) }
                .joined()
            return finish(call, "failed: \(printable(failure.message))\(trace)", .failed)
        }
        var words = [call.kind.isDeciding ? "accepted" : call.kind == .schedule ? "done" : "told"]
        if let name = answer.name {
            do throws(VaultError) {
                words.append("renamed to '\(try Name(name))'")
            } catch {
                return finish(call, "failed: \(error)", .failed)
            }
        }
        let tags = answer.tags.sorted { $0.key < $1.key }
        for (key, value) in tags { words.append(value.map { "tagged \(key)=\($0)" } ?? "tag \(key) removed") }
        finish(call, "\(printable(words.joined(separator: ", "))) \(time)", .done)
    }

    private func finish(_ call: HookCall, _ text: String, _ status: ExitStatus) {
        state.withLock { $0.statuses.append(status) }
        Output.line("\(HookTrial.subject(of: call))  \(text)")
    }

    // MARK: Deadlines

    private static let loadSecondsMax: Int64 = 10
    private static let memoryBytes = 64 << 20

    /// Ends the program where this is not taken back in time: what runs cannot be stopped otherwise.
    private func watch(_ limit: Duration, _ message: String) {
        let bench = state.withLock { $0.bench }
        let watch = Task {
            try await Task.sleep(for: limit)
            bench?.removeFiles()
            Output.note("minivault: \(message)")
            Output.finish(.failed)
        }
        state.withLock { state in
            state.watch?.cancel()
            state.watch = watch
        }
    }

    private func endWatch() {
        state.withLock { state in
            state.watch?.cancel()
            state.watch = nil
        }
    }
}

/// What a trial works on, in a directory of its own.
private final class TrialBench: Sendable {
    private let directory: LocalPath
    /// Where events have their files.
    let files: LocalPath
    /// On which hooks act.
    let vault: StoredVault
    /// Where contents are that nobody can see yet.
    let contents: StoredVault

    init() async throws(VaultError) {
        let parent = EnvironmentVariable.bytes("TMPDIR") ?? Array("/tmp".utf8)
        directory = LocalPath(parent).appending("minivault-hooks-\(UniqueID())")
        files = directory.appending("files")
        try SmallFile.makeDirectory(files)
        vault = try await StoredVault.open(directory.appending("vault"), access: .create, savedBy: "hooks")
        contents = try await StoredVault.open(directory.appending("contents"), access: .create, savedBy: "")
    }

    /// The vault for hooks, which do not close it.
    var kept: any Vault { KeptVault(other: vault) }

    /// Saves a file, and does with it what the event tells of.
    ///
    /// - Returns: what the event is about, and of a rename the name before.
    func prepare(_ kind: HookKind, _ subject: HookTrial.Subject) async throws(VaultError) -> (Entry, Name?) {
        let name = subject.name
        switch kind {
        case .beforeSave:
            var entry = try await FileSave(to: contents).save(subject.path, as: name).entry
            entry.version = 0
            return (entry, nil)
        case .rename:
            let former = try Name("before/\(name.text)")
            _ = try await FileSave(to: vault).save(subject.path, as: former)
            let outcome = try await vault.changing(.rename(from: former, to: name))
            guard let entry = outcome.entry else { throw VaultError(.internal, "A rename gave no entry.", name: name) }
            return (entry, former)
        case .remove:
            var entry = try await FileSave(to: vault).save(subject.path, as: name).entry
            _ = try await vault.changing(.remove(NamePrefix(name)))
            // The event is of the removal, which is a version of its own, and tells of what was removed.
            entry.version += 1
            return (entry, nil)
        case .save, .read, .beforeRead, .beforeRemove, .login, .schedule:
            return (try await FileSave(to: vault).save(subject.path, as: name).entry, nil)
        }
    }

    func remove() async {
        await vault.close()
        await contents.close()
        removeFiles()
    }

    func removeFiles() { directory.removeTree() }
}

/// A vault that stays open.
private struct KeptVault: ForwardingVault {
    let other: any Vault

    func close() async {}
}
