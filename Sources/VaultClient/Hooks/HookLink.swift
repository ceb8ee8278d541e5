import FoundationEssentials
import NIOCore
import NIOPosix
import Synchronization
package import VaultModel
import VaultTransport
import VaultWire

/// A worker's connection to the server that has started it.
package final class HookLink: HookService {
    private let connection: ClientConnection
    /// The way of events.
    private let events: MessageSocket
    /// What the events of this connection share.
    private let contexts = Mutex<[WireHookContext]>([])

    /// - Parameters:
    ///   - socket: the worker's end of the socket pair for requests.
    ///   - events: that of the socket pair for events.
    ///   - onEnd: called when the server is gone, or does not need the worker any more.
    package static func open(
        socket: Int32, events eventSocket: Int32, onEnd: @escaping @Sendable () -> Void
    ) async throws(VaultError) -> HookLink {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let events = ClientEvents(loop, machine: ClientConnectionMachine(isWorker: true)) { _ in onEnd() }
        do {
            let channel = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = FrameHandler(events, messageBytesMax: WireLimits.serverMessageBytesMax)
                        try channel.pipeline.syncOperations.addHandler(handler)
                        events.started(handler)
                    }
                }
                .withConnectedSocket(socket).get()
            var limits = WireLoginDone()
            limits.requestsMax = UInt32(WireLimits.requestsMax)
            limits.bytesMax = UInt32(WireLimits.requestBytesMax)
            return HookLink(ClientConnection(channel, events, limits), MessageSocket(eventSocket))
        } catch {
            throw VaultError(.unavailable, "The worker cannot speak to its server.", cause: "\(error)")
        }
    }

    private init(_ connection: ClientConnection, _ events: MessageSocket) {
        self.connection = connection
        self.events = events
    }

    private func ask(
        for event: UInt64 = 0, _ fill: (inout WireClientMessage) -> Void
    ) async throws(VaultError) -> WireServerMessage {
        var message = WireClientMessage()
        fill(&message)
        message.event = event
        do throws(RequestFailure) {
            return try await connection.request(message).message
        } catch {
            throw error.error
        }
    }

    fileprivate static func reading<Value>(_ body: () throws -> Value) throws(VaultError) -> Value {
        do {
            return try body()
        } catch let violation as WireViolation {
            throw VaultError(violation)
        } catch {
            throw VaultError(error)
        }
    }

    // MARK: The file and its events

    package func setup() async throws(VaultError) -> HookSetup {
        let setup = try await ask { $0.hookBegin = WireHookBegin() }.hookSetup
        return HookSetup(
            file: setup.file, text: Array(setup.text), memoryBytes: Int(clamping: setup.memory),
            programs: setup.programs.map { Array($0) }, hosts: setup.hosts)
    }

    package func ready(_ hooks: Result<[HookDeclaration], VaultError>) async throws(VaultError) {
        _ = try await ask { message in
            switch hooks {
            case .success(let hooks): message.hookReady.hooks = hooks.map { WireHookDeclaration($0) }
            case .failure(let error): message.hookReady.failure = WireFailure(error)
            }
        }
    }

    package func report(_ answers: [HookAnswer], isLast: Bool) throws(VaultError) {
        var report = WireHookReport()
        report.leaving = isLast
        for answer in answers {
            if let microseconds = answer.microsecondsOfPassing {
                report.passed.append(answer.number)
                report.microseconds.append(microseconds)
            } else {
                report.results.append(WireHookResult(answer))
            }
        }
        try events.send(report.encoded)
    }

    package func next(after answers: [HookAnswer]) throws(VaultError) -> [HookCall] {
        if !answers.isEmpty { try report(answers, isLast: false) }
        guard let bytes = try events.receive(bytesMax: WireLimits.hookMessageBytesMax) else {
            throw VaultError(.cancelled, "The worker is not needed any more.")
        }
        return try HookLink.reading {
            let events = try WireHookEvents(decoding: bytes)
            let contexts = contexts.withLock { contexts in
                if events.replaceContexts { contexts = [] }
                contexts += events.contexts
                return contexts
            }
            return try events.events.map { try $0.model(contexts) }
        }
    }

    package func log(_ level: String, _ text: String, hook: Int, event: UInt64) {
        var line = WireHookLog()
        line.level = level
        line.text = text
        line.hook = UInt32(hook)
        line.event = event
        if event > 0 {
            // By the way of the event's report, which must not come first.
            var report = WireHookReport()
            report.lines = [line]
            try? events.send(report.encoded)
        } else {
            var message = WireClientMessage()
            message.hookLog = line
            connection.post(message)
        }
    }

    package func reject(_ reason: String, event: UInt64) {
        var rejection = WireHookRejection()
        rejection.event = event
        rejection.reason = reason
        var report = WireHookReport()
        report.rejections = [rejection]
        try? events.send(report.encoded)
    }

    // MARK: What hooks act on

    package func vault(of event: UInt64) -> any Vault { remote(event) }

    package func entry(of event: HookCall) async throws(VaultError) -> Entry? {
        guard let name = event.name else { return nil }
        return try await remote(event.number).statEvent(name)
    }

    package func openContent(of event: HookCall) async throws(VaultError) -> (OpenRead, any Vault) {
        guard let name = event.name else {
            throw VaultError(.invalid, "The event '\(event.kind.rawValue)' is about no content.")
        }
        let vault = remote(event.number)
        return (try await vault.openEvent(name), vault)
    }

    private func remote(_ event: UInt64) -> RemoteVault {
        RemoteVault(
            ServerURL.ofWorker, HookCarrier(connection, event), WireCounter(),
            RemoteVault.Options())
    }

    package func value(_ key: String, for event: UInt64) async throws(VaultError) -> (json: [UInt8], version: UInt64) {
        let stored = try await ask(for: event) { $0.hookValue.key = key }.hookStored
        return (Array(stored.value), stored.version)
    }

    package func store(
        _ json: [UInt8], as key: String, ifVersion: UInt64, for event: UInt64
    ) async throws(VaultError) -> Bool {
        let stored = try await ask(for: event) { message in
            message.hookValue.key = key
            message.hookValue.store.value = Data(json)
            message.hookValue.store.ifVersion = ifVersion
        }
        return !stored.hookStored.conflict
    }

    package func add(
        _ amount: Double, to key: String, once id: String, for event: UInt64
    ) async throws(VaultError) -> [UInt8] {
        let stored = try await ask(for: event) { message in
            message.hookValue.key = key
            message.hookValue.add.amount = amount
            message.hookValue.add.id = id
        }
        return Array(stored.hookStored.value)
    }
}

/// Brings the requests that a hook makes for its event.
private struct HookCarrier: RequestCarrier {
    private let connection: ClientConnection
    private let event: UInt64

    init(_ connection: ClientConnection, _ event: UInt64) {
        self.connection = connection
        self.event = event
    }

    func perform(
        _ message: WireClientMessage, content: [BufferSlice], on route: ClientSession.Route
    ) async throws(VaultError) -> ClientAnswer {
        do throws(RequestFailure) {
            return try await connection.request(stamped(message), content: content)
        } catch {
            throw error.error
        }
    }

    func post(_ message: WireClientMessage) { connection.post(stamped(message)) }

    private func stamped(_ message: WireClientMessage) -> WireClientMessage {
        var message = message
        message.event = event
        return message
    }

    /// The connection is that of all events.
    func close() {}
    var login: WireLoginDone? { nil }
}

extension WireHookDeclaration {
    fileprivate init(_ hook: HookDeclaration) {
        self.init()
        number = UInt32(hook.number)
        kind = hook.kind.rawValue
        match = Data(hook.pattern ?? [])
        priority = hook.priority
        timeoutSeconds = hook.timeout / .seconds(1)
        acceptsErrors = hook.acceptsErrors
        fromHooks = hook.hearsHooks
        place = hook.place
        switch hook.schedule {
        case nil: break
        case .interval(let seconds): intervalSeconds = UInt32(seconds)
        case .daily(let seconds): daySeconds = UInt32(seconds)
        }
    }
}

extension HookAnswer {
    /// The time of the one hook that has let the event pass and has nothing to say; nil where it was another way.
    fileprivate var microsecondsOfPassing: UInt32? {
        guard runs.count == 1, rejection == nil, failure == nil, name == nil, tags.isEmpty else { return nil }
        return runs[0].microseconds
    }
}

extension WireHookEvent {
    fileprivate func model(_ contexts: [WireHookContext]) throws -> HookCall {
        guard let kind = HookKind(rawValue: kind), context < contexts.count else {
            throw WireViolation("an event of no kind, or without a context")
        }
        let context = contexts[Int(context)]
        return HookCall(
            number: number, hooks: hooks.map { Int($0) }, id: UniqueID(high: idHigh, low: idLow), kind: kind,
            name: name.isEmpty ? nil : Name(validated: Array(name)),
            formerName: formerName.isEmpty ? nil : Name(validated: Array(formerName)), vault: context.vault,
            user: context.user, peer: context.peer, time: time, attempt: Int(attempt), size: hasSize ? size : nil,
            version: version)
    }
}

extension WireHookResult {
    fileprivate init(_ answer: HookAnswer) {
        self.init()
        event = answer.number
        if let rejection = answer.rejection { self.rejection = rejection }
        if let failure = answer.failure { self.failure = WireFailure(failure) }
        traceback = answer.traceback ?? ""
        name = Data(answer.name ?? [])
        (set, clear) = (answer.tags.wireSet, answer.tags.wireClear)
        runs = answer.runs.map { run in
            var made = WireHookRun()
            made.hook = UInt32(run.hook)
            made.microseconds = run.microseconds
            made.rejected = run.hasRejected
            made.failed = run.hasFailed
            return made
        }
    }
}
