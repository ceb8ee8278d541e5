import FoundationEssentials
import VaultModel
import VaultStore
import VaultWire

extension WireHookSetup {
    init(_ settings: HookSettings, _ text: [UInt8]) {
        self.init()
        file = settings.file.lastComponent
        self.text = Data(text)
        memory = UInt64(settings.memoryBytes)
        programs = settings.programs.map { Data($0) }
        hosts = settings.hosts
    }
}

extension LocalPath {
    /// The last part, as text.
    fileprivate var lastComponent: String {
        String(decoding: bytes.split(separator: UInt8(ascii: "/")).last ?? [], as: UTF8.self)
    }
}

extension WireHookDeclaration {
    /// - Throws: `invalid` for what a worker should not have let pass.
    var model: HookDeclaration {
        get throws(VaultError) {
            guard let kind = HookKind(rawValue: kind), number > 0, timeoutSeconds > 0, timeoutSeconds <= 86_400 else {
                throw VaultError(.invalid, "A worker has declared a hook that is none.")
            }
            guard intervalSeconds <= HookLimits.intervalSecondsMax, daySeconds < 86_400 else {
                throw VaultError(.invalid, "A worker has declared a schedule that is none.")
            }
            var schedule: HookDeclaration.Schedule?
            if hasIntervalSeconds { schedule = .interval(Int(intervalSeconds)) }
            if hasDaySeconds { schedule = .daily(Int(daySeconds)) }
            return HookDeclaration(
                number: Int(number), kind: kind, pattern: match.isEmpty ? nil : Array(match), priority: priority,
                timeout: .seconds(timeoutSeconds), acceptsErrors: acceptsErrors, hearsHooks: fromHooks, place: place,
                schedule: schedule)
        }
    }
}

/// What a worker has been told that events share.
struct HookContexts {
    private struct Key: Hashable {
        var vault: String
        var user: String
        var peer: String
    }

    private var numbers: [Key: UInt32] = [:]
    private var last: (key: Key, number: UInt32)?

    /// The events of runs, with what of their contexts the worker does not know yet.
    mutating func events(_ runs: [HookRun]) -> WireHookEvents {
        var events = WireHookEvents()
        if numbers.count > HookLimits.contextsMax {
            (numbers, last) = ([:], nil)
            events.replaceContexts = true
        }
        events.events.reserveCapacity(runs.count)
        for run in runs {
            let event = run.job.event
            let key = Key(vault: event.vaultName, user: event.user, peer: event.peer)
            // What comes together is mostly of one session.
            if last?.key != key {
                if numbers[key] == nil {
                    numbers[key] = UInt32(numbers.count)
                    var context = WireHookContext()
                    (context.vault, context.user, context.peer) = (key.vault, key.user, key.peer)
                    events.contexts.append(context)
                }
                last = (key, numbers[key] ?? 0)
            }
            events.events.append(WireHookEvent(run, context: last?.number ?? 0))
        }
        return events
    }
}

extension WireHookEvent {
    fileprivate init(_ run: HookRun, context: UInt32) {
        self.init()
        let event = run.job.event
        number = run.job.number
        hooks = run.hooks.map { UInt32($0.number) }
        idHigh = event.id.high
        idLow = event.id.low
        kind = event.kind.rawValue
        if let name = event.name { self.name = Data(name.bytes) }
        if let name = event.formerName { formerName = Data(name.bytes) }
        if let entry = event.entry { size = entry.size }
        version = event.version
        self.context = context
        time = event.time
        attempt = UInt32(clamping: event.attempt)
    }
}

extension WireHookResult {
    var parts: HookResult {
        HookResult(
            parts: runs.map { run in
                HookResult.Part(
                    hook: Int(run.hook), seconds: Double(run.microseconds) / 1e6, hasRejected: run.rejected,
                    hasFailed: run.failed)
            })
    }

    /// What the result says of an event, as far as it makes sense there.
    func outcome(of run: HookRun) -> HookOutcome {
        if hasRejection { return .rejected(String(rejection.utf8.prefix(HookLimits.reasonBytesMax)) ?? rejection) }
        if hasFailure {
            let traceback =
                traceback.isEmpty
                ? nil : String(decoding: traceback.utf8.prefix(HookLimits.tracebackBytesMax), as: UTF8.self)
            return .failed(failure.model, traceback: traceback)
        }
        let tags = [TagText: TagText?](set: set, clear: clear)
        guard !name.isEmpty else { return .accepted(name: nil, tags: tags) }
        do throws(VaultError) {
            let name = try Name(name)
            guard name.isPrintable else {
                throw VaultError(.invalid, "A hook asked for the name '\(name)', which has control characters.")
            }
            return .accepted(name: name, tags: tags)
        } catch {
            return .failed(error, traceback: nil)
        }
    }
}

extension HookEvent {
    /// Looks up or changes what hooks keep in the event's vault.
    func answer(_ asked: WireHookValue) async throws(VaultError) -> ServerAnswer {
        guard let host else { throw VaultError(.denied, "A login is about no vault: its hooks keep nothing.") }
        let found: HookValue?
        switch asked.action {
        case nil: found = try await host.local.hookValue(asked.key)
        case .store(let store):
            found = try await host.local.store(Array(store.value), as: asked.key, ifVersion: store.ifVersion)
        case .add(let add):
            found = try await host.local.add(add.amount, to: asked.key, once: add.id.isEmpty ? nil : add.id)
        }
        return ServerAnswer { answer in
            answer.hookStored.conflict = found == nil
            answer.hookStored.value = Data(found?.value ?? [])
            answer.hookStored.version = found?.version ?? 0
        }
    }

    /// Throws for changes that the event itself waits for.
    func check(_ message: WireClientMessage) throws {
        guard kind.isDeciding, let name else { return }
        let isTouched =
            switch message.body {
            case .save(let save): Array(save.intent.name) == name.bytes
            case .saveSmall(let save): save.files.contains { Array($0.intent.name) == name.bytes }
            case .change(let change):
                try change.changes.contains { try $0.model.touched.contains { $0.contains(name) } }
            default: false
            }
        if isTouched {
            throw VaultError(.invalid, "A hook cannot change '\(name)', which it is deciding on.", name: name)
        }
    }
}

extension Change {
    /// What the change is about.
    fileprivate var touched: [NamePrefix] {
        switch self {
        case .remove(let prefix, _): [prefix]
        case .rename(let from, let to), .copy(let from, let to): [NamePrefix(from), NamePrefix(to)]
        case .revert(let name, _), .tag(let name, _): [NamePrefix(name)]
        }
    }
}

extension WireHookCount {
    init(_ count: HookCounts.Count) {
        self.init()
        place = count.place
        kind = count.kind.rawValue
        runs = UInt64(count.runs)
        rejections = UInt64(count.rejections)
        failures = UInt64(count.failures)
        seconds = count.seconds
        secondsMax = count.secondsMax
        suspended = count.isSuspended
    }
}
