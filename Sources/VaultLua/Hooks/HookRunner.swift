import FoundationEssentials
import Glibc
import LuaEngine
package import VaultModel

/// Runs the hooks of a file on the events that a service hands out: the whole of a worker.
package struct HookRunner: Sendable {
    /// What the program around hooks does for them.
    package struct Host: Sendable {
        /// A directory that nobody else uses, where events have their files. It is the process's working directory.
        let directory: LocalPath
        /// Starts the programs that hooks may start.
        let programs: any ProgramLauncher
        /// Opens another vault, if it is on one of the hosts.
        let connect: @Sendable (_ url: [UInt8], _ hosts: [String]) async throws(VaultError) -> any Vault

        package init(
            directory: LocalPath, programs: any ProgramLauncher,
            connect: @escaping @Sendable (_ url: [UInt8], _ hosts: [String]) async throws(VaultError) -> any Vault
        ) {
            self.directory = directory
            self.programs = programs
            self.connect = connect
        }
    }

    private let service: any HookService
    private let host: Host

    package init(_ service: any HookService, _ host: Host) {
        self.service = service
        self.host = host
    }

    /// Loads the file and deals with events until the service has no more, or the worker had better be replaced.
    ///
    /// - Throws: what the service throws: `cancelled` where there are no more events.
    package func run() async throws(VaultError) {
        let setup = try await service.setup()
        let (service, host) = (service, host)
        try await mappingErrors {
            try await LuaThread.run {
                let log = HookLog(service)
                var options = LuaOptions()
                options.memoryLimitBytes = setup.memoryBytes
                let scriptHost = ScriptSession.Host(
                    open: { () async throws(VaultError) in
                        throw VaultError(.denied, "The file of hooks acts on no vault: its functions do, at events.")
                    },
                    connect: { (url) async throws(VaultError) in try await host.connect(url, setup.hosts) },
                    log: { level, text in log.write(level, text) }, tell: { text in log.write(.error, text) })
                try ScriptRunner.withSession(options, scriptHost) { session in
                    try HookLoop(session, service, setup, host, log).run()
                }
            }
        }
    }
}

/// The hooks in their Lua state, one event after another. Confined to the Lua thread.
private final class HookLoop {
    private let session: ScriptSession
    private let service: any HookService
    private let setup: HookSetup
    private let log: HookLog
    private let program: HookProgram
    private let clock = ContinuousClock()
    /// Time after which answers are not kept until the last of their batch is there.
    private static let reportAfter = Duration.milliseconds(5)

    init(
        _ session: ScriptSession, _ service: any HookService, _ setup: HookSetup, _ host: HookRunner.Host,
        _ log: HookLog
    ) {
        self.session = session
        self.service = service
        self.setup = setup
        self.log = log
        program = HookProgram(session, service, host, setup.programs, log)
        // Until there is an event there are no files.
        session.confinement = Confinement(
            home: host.directory, directory: host.directory.appending("none"), programs: [], launcher: host.programs)
    }

    func run() throws {
        let service = service
        let loaded: (hooks: [HookDeclaration], run: LuaReference)
        do throws(LuaError) {
            loaded = try load()
        } catch {
            let failure = VaultError(.invalid, "The hooks file cannot be used: \(error.message)")
            _ = try session.scheduler.result { () async throws(VaultError) in try await service.ready(.failure(failure))
            }
            return
        }
        let hooks = loaded.hooks
        try session.scheduler.result { () async throws(VaultError) in try await service.ready(.success(hooks)) }
        var answers: [HookAnswer] = []
        while true {
            let calls = try service.next(after: answers)
            answers = []
            var begun = clock.now
            for call in calls {
                if !answers.isEmpty, clock.now - begun > HookLoop.reportAfter {
                    try service.report(answers, isLast: false)
                    (answers, begun) = ([], clock.now)
                }
                let (answer, isSpent) = answer(call, loaded.run)
                answers.append(answer)
                if isSpent { return try service.report(answers, isLast: true) }
            }
        }
    }

    // MARK: The file

    private func load() throws(LuaError) -> ([HookDeclaration], LuaReference) {
        let state = session.state
        let sandbox = try state.load(String(decoding: PackageResources.sandbox_lua, as: UTF8.self), name: "=sandbox")
        let hooks = try state.load(String(decoding: PackageResources.hooks_lua, as: UTF8.self), name: "=hooks")
        let functions = try state.call(hooks, program.functions, sandbox)
        guard functions.count == 2, let load = functions[0].reference, let run = functions[1].reference else {
            throw .message("the functions of hooks are missing")
        }
        let declared = try state.call(load, LuaState.chunk(ofScript: setup.text), setup.file)
        guard let table = declared.first?.reference else { throw .message("a hooks file declares nothing") }
        do {
            return (try state.read(table) { try HookDeclaration.all(try $0.table()) }, run)
        } catch let error as LuaError {
            throw error
        } catch {
            throw .message("\(error)")
        }
    }

    // MARK: Events

    /// Runs the hooks of an event.
    ///
    /// - Returns: what they say, and whether this worker should run no others.
    private func answer(_ call: HookCall, _ run: LuaReference) -> (HookAnswer, isSpent: Bool) {
        program.begin(call)
        defer { program.end() }
        do {
            let start = clock.now
            let result = try session.state.call(run, arguments: HookProgram.arguments(call)).first?.reference
            // The time of an only hook is that of the whole.
            let microseconds = UInt32(clamping: Int((clock.now - start) / .microseconds(1)))
            var answer = HookAnswer(number: call.number)
            if let result {
                answer = try session.state.read(result) { view in
                    try HookAnswer(view.table(), number: call.number, microseconds)
                }
            } else if let hook = call.hooks.first {
                answer.runs = [
                    HookAnswer.Run(hook: hook, microseconds: microseconds, hasRejected: false, hasFailed: false)
                ]
            }
            return (answer, isSpent())
        } catch {
            var answer = HookAnswer(number: call.number)
            let text = (error as? LuaError)?.message ?? "\(error)"
            answer.failure = VaultError(.internal, text)
            answer.runs = [HookAnswer.Run(hook: call.hooks[0], microseconds: 0, hasRejected: false, hasFailed: true)]
            return (answer, isSpent())
        }
    }

    /// Whether the next event might find too little memory, or a state that cannot wait.
    private func isSpent() -> Bool {
        // A task that was out of memory has stopped the main chunk for good, and that is all events' own.
        if session.scheduler.isStopped { return true }
        let state = session.state
        if state.memoryUsedBytes < setup.memoryBytes / 4 * 3 { return false }
        state.collectGarbage()
        return state.memoryUsedBytes >= setup.memoryBytes / 2
    }
}

extension HookDeclaration {
    fileprivate static func all(_ table: LuaTableView) throws -> [HookDeclaration] {
        var hooks: [HookDeclaration] = []
        try table.visitElements { element in
            let fields = try element.table()
            var hook = HookDeclaration(
                number: hooks.count + 1, kind: HookKind(rawValue: try fields.field("kind").string()) ?? .schedule,
                pattern: try fields.field("match").ifPresent?.bytes(),
                priority: try fields.field("priority").number(),
                timeout: .seconds(try fields.field("timeout").number()),
                acceptsErrors: try fields.field("accepts").isTruthy,
                hearsHooks: try fields.field("from_hooks").isTruthy, place: try fields.field("place").string())
            if let seconds = try fields.field("interval").ifPresent?.integer() { hook.schedule = .interval(seconds) }
            if let seconds = try fields.field("day").ifPresent?.integer() { hook.schedule = .daily(seconds) }
            do throws(VaultError) {
                if let pattern = hook.pattern { _ = try Glob(named: pattern) }
            } catch {
                throw LuaError.message("\(hook.place): \(error.message)")
            }
            hooks.append(hook)
        }
        return hooks
    }
}

extension HookAnswer {
    /// What `run` of hooks.lua has returned.
    ///
    /// - Parameter microseconds: of an only hook.
    fileprivate init(_ fields: LuaTableView, number: UInt64, _ microseconds: UInt32) throws {
        self.init(number: number)
        func text(_ view: LuaView) throws -> String {
            try view.withBytes { String(decoding: $0.prefix(HookAnswer.textBytesMax), as: UTF8.self) }
        }
        rejection = try fields.field("rejection").ifPresent.map(text)
        failure = try fields.field("failure").ifPresent.map { VaultError(.internal, try text($0)) }
        traceback = try fields.field("traceback").ifPresent.map(text)
        name = try fields.field("name").ifPresent?.bytes()
        if let given = try fields.field("tags").ifPresent?.table() {
            var tags: [TagText: TagText?] = [:]
            try given.visitPairs { key, value in
                tags.updateValue(value.type == .boolean ? nil : try value.tagText(), forKey: try key.tagText())
            }
            self.tags = tags
        }
        var runs: [Run] = []
        try fields.field("runs").table().visitElements { element in
            let run = try element.table()
            runs.append(
                Run(
                    hook: try run.field("hook").integer(),
                    microseconds: try run.field("microseconds").ifPresent.map { UInt32(clamping: try $0.integer()) }
                        ?? microseconds,
                    hasRejected: try run.field("rejected").boolean(), hasFailed: try run.field("failed").boolean()))
        }
        self.runs = runs
    }

    /// Of a reason, an error or a traceback; the rest is cut off.
    private static let textBytesMax = 16 << 10
}
