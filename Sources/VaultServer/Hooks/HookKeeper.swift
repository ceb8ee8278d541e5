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
    /// The server's vaults that can be opened, as they were when the accounts were looked at last.
    private var vaults: [Accounts.Vault] = []
    /// When each schedule runs next.
    private var due: [Turn: Int64] = [:]
    private let underway = Underway()

    /// A schedule on one vault.
    private struct Turn: Hashable {
        /// The name by which vaults know the schedule, wherever in its file it stands.
        var claim: String
        var vault: String
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
        let known: [Accounts.Vault]
        do throws(VaultError) {
            known = try services.accounts.vaults()
        } catch {
            vaultsRetry = .now + .seconds(HookLimits.vaultRetrySeconds)
            return
        }
        vaults = []
        for vault in known {
            do throws(VaultError) {
                _ = try await services.hosts.vault(vault.id)
                vaults.append(vault)
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
        var kept: [Turn: Int64] = [:]
        var equals: [HookDeclaration.Schedule: Int] = [:]
        for hook in pool.table.hooks {
            guard let schedule = hook.schedule else { continue }
            equals[schedule, default: 0] += 1
            let claim = "\(schedule.text), \(equals[schedule, default: 1])"
            for vault in vaults {
                let turn = Turn(claim: claim, vault: vault.id)
                // A clock that was ahead must not put the next run off for as long.
                let known = due[turn].map { min($0, schedule.next(after: now)) }
                if let known, known > now {
                    kept[turn] = known
                } else {
                    kept[turn] = await take(turn, hook, schedule, on: vault, isKnown: known != nil, at: now)
                }
            }
        }
        due = kept
    }

    /// Runs a schedule that is due on a vault, or finds out when it is.
    ///
    /// - Returns: when it is due next; nil where that cannot be told yet.
    private func take(
        _ turn: Turn, _ hook: HookDeclaration, _ schedule: HookDeclaration.Schedule, on vault: Accounts.Vault,
        isKnown: Bool, at now: Int64
    ) async -> Int64? {
        let soon = now + Int64(HookLimits.vaultRetrySeconds)
        do throws(VaultError) {
            let host = try await services.hosts.vault(vault.id)
            if !isKnown {
                // The time goes on while no server runs.
                guard case .interval(let seconds) = schedule else { return schedule.next(after: now) }
                return min(try await host.local.claimTime(turn.claim), now) + Int64(seconds)
            }
            // Of servers that share the vault, one does it.
            if try await host.local.claim(turn.claim, since: schedule.since(now)) {
                submit(
                    HookEvent(
                        kind: .schedule, vaultName: vault.name, host: host, user: "", peer: "", time: now,
                        scheduled: hook),
                    turn)
            }
            return schedule.next(after: now)
        } catch {
            return isKnown ? soon : nil
        }
    }

    private func submit(_ event: HookEvent, _ turn: Turn) {
        let run = "\(turn.claim) \(turn.vault)"
        guard underway.begin(run) else { return }
        pool.submit(event) { [logger, underway] outcome in
            underway.end(run)
            guard case .failed(let error, _) = outcome else { return }
            logger.error(
                "schedule failed",
                metadata: [
                    "hook": "\(event.scheduled?.place ?? "")", "vault": "\(event.vaultName)",
                    "error": "\(printable(error.description))",
                ])
        }
    }
}

extension Server {
    /// Has a server that may run on this data look at once which events are to be told, since some were set free.
    package static func askForRetry(in data: LocalPath) throws(VaultError) {
        try SmallFile.write([], to: retryFile(in: data), mode: 0o600, .isReplaced)
        DataOwner.inherit(retryFile(in: data))
    }

    /// A file that is there to be replaced.
    fileprivate static func retryFile(in data: LocalPath) -> LocalPath { data.appending("hook-retry") }
}

extension HookDeclaration.Schedule {
    fileprivate var text: String {
        switch self {
        case .interval(let seconds): "every \(seconds) s"
        case .daily(let seconds): "daily at \(seconds) s"
        }
    }

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
