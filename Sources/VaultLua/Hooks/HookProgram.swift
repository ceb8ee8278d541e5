import Glibc
import LuaEngine
import VaultModel

/// What hooks.lua needs of the program: the event that is being dealt with, and what its hooks can do.
///
/// Confined to the Lua thread.
final class HookProgram {
    private let session: ScriptSession
    private let service: any HookService
    private let host: HookRunner.Host
    private let log: HookLog
    /// Those that hooks may start.
    private let programs: Set<[UInt8]>
    private let start = ContinuousClock.now
    private var call: HookCall?
    private var source: VaultSource?
    /// What the event is about, once a hook has asked for it.
    private var entry: Entry?
    /// The file with the content of the event, once a hook has asked for it.
    private var path: LocalPath?

    init(
        _ session: ScriptSession, _ service: any HookService, _ host: HookRunner.Host, _ programs: [[UInt8]],
        _ log: HookLog
    ) {
        self.programs = Set(programs)
        self.session = session
        self.service = service
        self.host = host
        self.log = log
    }

    // MARK: Events

    func begin(_ call: HookCall) {
        self.call = call
        session.confinement = confinement
        source = nil
        session.useVault { [self] in vault() }
        log.enter(event: call.number, hook: call.hooks.count == 1 ? call.hooks[0] : 0)
    }

    /// The vault of the event.
    private func vault() -> VaultSource {
        if let source { return source }
        let (service, number) = (service, number)
        let made = VaultSource(on: session.mailbox) { () async throws(VaultError) in service.vault(of: number) }
        source = made
        return made
    }

    func end() {
        log.enter(event: 0, hook: 0)
        if path != nil { reached(eventDirectory).removeTree() }
        (call, source, entry, path) = (nil, nil, nil, nil)
        // Each event is a run of its own.
        session.derivedNames = DerivedNames()
    }

    /// What `run` of hooks.lua is called with: of the event what most hooks look at, and the hooks.
    static func arguments(_ call: HookCall) -> [any LuaWritable] {
        [call.kind.rawValue, call.name?.bytes ?? LuaValue.nil as any LuaWritable, call.user] + call.hooks
    }

    /// Returns another field of the event; nil for one that it does not have.
    private func field(_ call: borrowing LuaCall) throws {
        guard let event = self.call else { return call.returnsNil() }
        let name = try call.string(1)
        switch name {
        case "id": call.returns(event.id.description)
        case "vault": call.returns(event.vault)
        case "peer": call.returns(event.peer)
        case "time": call.returns(Int(event.time))
        case "attempt": call.returns(event.attempt)
        case "from": call.returns(event.formerName?.bytes)
        case "version": call.returns(event.version > 0 ? Int(clamping: event.version) : nil)
        case "size" where event.size != nil: call.returns(event.size.map { Int(clamping: $0) })
        case "previous": try previous(of: event, call)
        default:
            if let entry { return HookProgram.returns(name, of: entry, call) }
            let service = service
            try CallSite(session, "event").wait(call, isBrief: true) { () async throws(VaultError) in
                try await service.entry(of: event)
            } then: { [self] entry, call in
                self.entry = entry
                guard let entry else { return call.returnsNil() }
                HookProgram.returns(name, of: entry, call)
            }
        }
    }

    /// Returns what the name held before a save, in the event's vault.
    private func previous(of event: HookCall, _ call: borrowing LuaCall) throws {
        guard let name = event.name, event.kind == .beforeSave || (event.kind == .save && event.version > 1) else {
            return call.returnsNil()
        }
        let selector = event.kind == .beforeSave ? Selector.current : .version(event.version - 1)
        let service = service
        try CallSite(session, "event").wait(call, isBrief: true) { () async throws(VaultError) in
            try await service.vault(of: event.number).stat(name, selector)
        } then: { entry, call in
            call.returns(entry.map { EntryValue.table($0) })
        }
    }

    private static func returns(_ name: String, of entry: Entry, _ call: borrowing LuaCall) {
        switch name {
        case "entry": call.returns(EntryValue.table(entry))
        case "size": call.returns(Int(clamping: entry.size))
        case "tags": call.returns(EntryValue.tags(entry.tags))
        case "digest": call.returns(entry.kind == .removed ? nil : entry.content.digest.description)
        default: call.returnsNil()
        }
    }

    // MARK: Functions

    /// What hooks.lua is given.
    var functions: LuaTable {
        [
            "enter": LuaFunction { [self] call in log.enter(event: self.call?.number ?? 0, hook: try call.integer(1)) },
            "field": LuaFunction { [self] call in try field(call) },
            "now": LuaFunction { [start] call in call.returns((ContinuousClock.now - start).microseconds) },
            "log": LuaFunction { [log] call in
                let text = try call[2].withBytes { Array($0.prefix(HookLog.lineBytesMax)) }
                log.write(ScriptSession.LogLevel(rawValue: try call.string(1)) ?? .info, printable(text))
            },
            "finish_tasks": LuaFunction { [session] call in
                if session.scheduler.taskCount > 0 { session.scheduler.finish(isFailed: !(try call.boolean(1))) }
                session.tellFailures()
                call.returns(session.takeToldFailures())
            },
            "reject": LuaFunction { [self] call in
                let reason = try call[1].withBytes { String(decoding: $0.prefix(HookLog.lineBytesMax), as: UTF8.self) }
                service.reject(reason, event: number)
            },
            "problem_of_name": LuaFunction { call in
                let bytes = try call.bytes(1)
                do throws(VaultError) {
                    let name = try Name(bytes)
                    if name.isPrintable { call.returnsNil() } else { call.returns("'\(name)' has control characters") }
                } catch {
                    call.returns(error.message)
                }
            },
            "content": LuaFunction { [self] call in try content(call) },
            "path": LuaFunction { [self] call in
                try wait("path", call) { (_, path, call) in call.returns(path.bytes) }
            },
            "pipe": LuaFunction { [self] call in try pipe(call) },
            "fetch": LuaFunction { [self] call in
                let (service, number, key) = (service, number, try call.string(1))
                try CallSite(session, "kv").wait(call, isBrief: true) { () async throws(VaultError) in
                    try await service.value(key, for: number)
                } then: { value, call in
                    call.returns(value.json)
                    call.returns(Int(clamping: value.version))
                }
            },
            "store": LuaFunction { [self] call in
                let (service, number, key, text) = (service, number, try call.string(1), try call.bytes(2))
                let version = UInt64(clamping: try call.integer(3))
                try CallSite(session, "kv").wait(call, isBrief: true) { () async throws(VaultError) in
                    try await service.store(text, as: key, ifVersion: version, for: number)
                } then: { isStored, call in
                    call.returns(isStored)
                }
            },
            "add": LuaFunction { [self] call in
                let (service, number, key, id) = (service, number, try call.string(1), try call.string(3))
                let amount = try call.number(2)
                try CallSite(session, "kv").wait(call, isBrief: true) { () async throws(VaultError) in
                    try await service.add(amount, to: key, once: id, for: number)
                } then: { text, call in
                    call.returns(text)
                }
            },
        ]
    }

    private var number: UInt64 { call?.number ?? 0 }
    private var eventDirectory: LocalPath { host.directory.appending("\(number)") }
    private var confinement: Confinement {
        Confinement(
            home: host.directory, directory: eventDirectory, programs: programs, launcher: host.programs)
    }

    /// A path in the worker's directory as the worker reaches it, which may not look into the directories above.
    private func reached(_ path: LocalPath) -> LocalPath { Confinement.path(path, from: host.directory) }

    private func current() throws -> (HookCall, VaultSource) {
        guard let call else { throw LuaError.message("this event is over") }
        return (call, vault())
    }

    /// Opens the content of the event as a file of the vault.
    private func content(_ call: borrowing LuaCall) throws {
        let ((event, source), service, session) = (try current(), service, session)
        try CallSite(session, "read").wait(call) { () async throws(VaultError) in
            let (read, vault) = try await service.openContent(of: event)
            return ContentReader(read, vault, source)
        } then: { reader, call in
            call.returns(ReadHandle.type.userdata(ReadHandle(reader, session)))
        }
    }

    /// Waits until the content of the event lies in a file, and goes on with its path.
    private func wait(
        _ name: String, _ call: borrowing LuaCall,
        then body: @escaping (HookCall, LocalPath, borrowing LuaCall) throws -> Void
    ) throws {
        let ((event, _), service, directory) = (try current(), service, eventDirectory)
        let own = reached(directory)
        if let path { return try body(event, path, call) }
        try CallSite(session, name).wait(call) { () async throws(VaultError) in
            let (read, vault) = try await service.openContent(of: event)
            let last = event.name.map { NameEscape.decode(Array($0.lastPart)) ?? [] } ?? []
            try SmallFile.makeDirectory(own)
            let file = try OpenFile(
                own.appending(last), flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try await Download(from: vault).write(read, to: file)
            await vault.closeRead(read.id)
            return directory.appending(last)
        } then: { [self] path, call in
            self.path = path
            try body(event, path, call)
        }
    }

    /// Runs a program on the content.
    private func pipe(_ call: borrowing LuaCall) throws {
        let words = try ChildProcess.words(call, 1)
        let options = try Options(call, 2, ["timeout"])
        let timeout = try options.seconds("timeout").map { Duration.seconds($0) }
        let site = CallSite(session, "pipe")
        try site.perform { try session.confinement?.check(program: words[0]) }
        try wait("pipe", call) { [host] event, path, call in
            var process = ChildProcess(arguments: words, input: [], timeout: timeout, launcher: host.programs)
            process.inputFile = Confinement.path(path, from: host.directory)
            let ready = process
            try site.wait(call) { () async throws(VaultError) in
                try await ready.run()
            } then: { ending, call in
                call.returns(ending.table)
            }
        }
    }
}

extension Duration {
    fileprivate var microseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }
}
