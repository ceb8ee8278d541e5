import Logging
import Synchronization
package import VaultModel
import VaultStore

/// Notices that the hooks file has changed or that events are to be told again, and runs what is to run at its times.
struct HookKeeper {
    private let pool: HookPool
    private let services: ServerServices
    private let data: LocalPath
    private let logger: Logger
    private var seen: FileStatus?
    private var seenRetry: FileStatus?
    /// The accounts whose vaults have been opened, and when one that could not be is tried again.
    private var vaultsVersion: Int64?
    private var vaultsRetry: ContinuousClock.Instant?
    /// When each schedule runs next, by its place and times.
    private var due: [Key: Int64] = [:]
    private var rounds: [Key: Round] = [:]
    private let underway = Underway()

    private struct Key: Hashable {
        var place: String
        var schedule: HookDeclaration.Schedule
    }

    /// One run of a schedule over all vaults, which takes more than one look where some cannot be reached.
    private struct Round {
        /// When the next one is due.
        var next: Int64
        /// The vaults on which it has been done, here or by another server.
        var done: Set<String> = []
    }

    /// The schedules that are running or waiting for a worker, on which vaults: they do not pile up.
    private final class Underway: Sendable {
        private let runs = Mutex<Set<String>>([])

        func begin(_ run: String) -> Bool { runs.withLock { $0.insert(run).inserted } }
        func end(_ run: String) { _ = runs.withLock { $0.remove(run) } }
    }

    /// - Parameter data: the server's data directory.
    init(_ pool: HookPool, _ services: ServerServices, data: LocalPath, _ logger: Logger) {
        self.pool = pool
        self.services = services
        self.data = data
        self.logger = logger
    }

    func run() async {
        var keeper = self
        keeper.seenRetry = try? FileStatus(of: Server.retryFile(in: data))
        keeper.seen = try? FileStatus(of: pool.settings.file, followsLinks: true)
        await keeper.openVaults()
        while !Task.isCancelled {
            do { try await Task.sleep(for: .milliseconds(ServerLimits.watchMilliseconds)) } catch { return }
            await keeper.look()
        }
    }

    /// What was left in an outbox is told, whether anybody comes to use its vault or not.
    private mutating func openVaults() async {
        vaultsVersion = try? services.accounts.dataVersion()
        vaultsRetry = nil
        for vault in (try? services.accounts.vaults()) ?? [] {
            do throws(VaultError) {
                _ = try await services.hosts.vault(vault.id)
            } catch {
                vaultsRetry = .now + .seconds(HookLimits.vaultRetrySeconds)
                logger.error("the vault cannot be opened", metadata: ["vault": "\(vault.name)", "error": "\(error)"])
            }
        }
    }

    private mutating func look() async {
        if let now = try? FileStatus(of: pool.settings.file, followsLinks: true), now != seen {
            seen = now
            await pool.reload()
        }
        if let now = try? FileStatus(of: Server.retryFile(in: data)), now != seenRetry {
            seenRetry = now
            for host in services.hosts.all { host.outbox?.wake() }
        }
        let isDue = vaultsRetry.map { $0 <= .now } ?? false
        if isDue || vaultsVersion != (try? services.accounts.dataVersion()) { await openVaults() }
        await runSchedules(at: services.accounts.clock())
    }

    private mutating func runSchedules(at now: Int64) async {
        let hooks = pool.table.hooks.filter { $0.schedule != nil }
        var next: [Key: Int64] = [:]
        var ready: [(hook: HookDeclaration, key: Key, since: Int64)] = []
        for hook in hooks {
            guard let schedule = hook.schedule else { continue }
            let key = Key(place: hook.place, schedule: schedule)
            // A clock that was ahead must not put the next run off for as long.
            let time = min(due[key] ?? .max, schedule.next(after: now))
            next[key] = time
            if time > now { continue }
            ready.append((hook, key, schedule.since(now)))
            let following = schedule.next(after: now)
            if rounds[key].map({ $0.next <= now || $0.next > following }) ?? true {
                rounds[key] = Round(next: following)
            }
            next[key] = rounds[key]?.next
        }
        due = next
        rounds = rounds.filter { next[$0.key] != nil }
        if ready.isEmpty { return }
        // What cannot be done now is due again soon, on the vaults where it has not been done.
        func putOff(_ key: Key) { due[key] = min(due[key] ?? .max, now + Int64(HookLimits.vaultRetrySeconds)) }
        guard let vaults = try? services.accounts.vaults() else {
            for (_, key, _) in ready { putOff(key) }
            return
        }
        for vault in vaults {
            guard let host = try? await services.hosts.vault(vault.id) else {
                for (_, key, _) in ready { putOff(key) }
                continue
            }
            for (hook, key, since) in ready where rounds[key]?.done.contains(vault.id) == false {
                let event = HookEvent(
                    kind: .schedule, vaultName: vault.name, host: host, user: "", peer: "", time: now, scheduled: hook)
                let run = "\(hook.place) \(vault.id)"
                // Of servers that share the vault, one does it.
                let claim = "\(hook.place) \(key.schedule)"
                do throws(VaultError) {
                    let isClaimed = try await host.local.claim(claim, since: since)
                    rounds[key]?.done.insert(vault.id)
                    guard isClaimed, underway.begin(run) else { continue }
                } catch {
                    putOff(key)
                    continue
                }
                pool.submit(event) { [logger, underway] outcome in
                    underway.end(run)
                    guard case .failed(let error, _) = outcome else { return }
                    logger.error(
                        "schedule failed",
                        metadata: [
                            "hook": "\(hook.place)", "vault": "\(vault.name)",
                            "error": "\(printable(error.description))",
                        ])
                }
            }
        }
    }
}

extension Server {
    /// Has a server that may run on this data look at once which events are to be told, since some were set free.
    package static func askForRetry(in data: LocalPath) throws(VaultError) {
        try SmallFile.write([], to: retryFile(in: data), mode: 0o600, .isReplaced)
    }

    /// A file that is there to be replaced.
    fileprivate static func retryFile(in data: LocalPath) -> LocalPath { data.appending("hook-retry") }
}

extension HookDeclaration.Schedule {
    /// Since when another run would be the one that is due: seconds since 1970 UTC.
    fileprivate func since(_ now: Int64) -> Int64 {
        switch self {
        // Servers look at somewhat different moments.
        case .interval(let seconds): now - Int64(seconds) + min(2, Int64(seconds) / 2)
        case .daily: next(after: now) - 86_400
        }
    }

    /// Seconds since 1970 UTC.
    func next(after now: Int64) -> Int64 {
        switch self {
        case .interval(let seconds): return now + Int64(seconds)
        case .daily(let seconds):
            let today = now - now % 86_400 + Int64(seconds)
            return today > now ? today : today + 86_400
        }
    }
}
