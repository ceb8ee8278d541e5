import Logging
import Synchronization
package import VaultModel
package import VaultStore

/// Tries a file of hooks on events that are made up: in a server's workers, on a vault of its own, without a server.
package final class HookRehearsal: Sendable {
    /// Something that is made to happen.
    package struct Occasion: Sendable {
        package var kind: HookKind
        package var user: String
        package var name: Name?
        /// Of a rename: the name before.
        package var formerName: Name?
        package var entry: Entry?

        package init(kind: HookKind, user: String, name: Name? = nil, formerName: Name? = nil, entry: Entry? = nil) {
            self.kind = kind
            self.user = user
            self.name = name
            self.formerName = formerName
            self.entry = entry
        }
    }

    /// The decision of the hooks.
    package enum Verdict: Sendable {
        case unasked
        case accepted(name: Name?, tags: [TagText: TagText?])
        /// With the place of the hook that has said no.
        case rejected(String, place: String)
        case failed(VaultError, traceback: String?)
    }

    /// A verdict, and the seconds that the hooks took.
    package typealias Result = (verdict: Verdict, seconds: Double)

    private let vault: StoredVault
    private let accounts: Accounts
    private let pool: HookPool

    /// - Parameters:
    ///   - directory: has what a server keeps besides its vaults.
    ///   - vault: on which hooks act. It stays the caller's.
    ///   - line: takes what hooks write: the level, the text, and the place of the hook.
    package init(
        _ settings: HookSettings, _ launcher: any HookLauncher, in directory: LocalPath, on vault: StoredVault,
        line: @escaping @Sendable (String, String, String?) -> Void
    ) throws(VaultError) {
        self.vault = vault
        accounts = try Accounts.open(directory)
        let logger = Logger(label: "minivault") { _ in SwiftLogNoOpLogHandler() }
        pool = HookPool(
            settings, launcher, try ServerServices(accounts, ServerBounds(), logger), logger,
            lines: HookLogLines { level, text, place, _ in line(level, text, place) }, suspends: false)
    }

    /// Loads the file.
    ///
    /// - Returns: what it declares, in its order.
    /// - Throws: why it cannot be used.
    package func load() async throws(VaultError) -> [HookDeclaration] {
        try await pool.loadFirst()
        return pool.table.hooks.sorted { $0.number < $1.number }
    }

    /// Ends the workers.
    package func close() {
        pool.close()
        accounts.close()
    }

    /// Has hooks asked about what happens, or told of it.
    package func happen(_ occasion: Occasion) async -> Result {
        await run(
            HookEvent(
                kind: occasion.kind, vaultName: occasion.user,
                host: occasion.kind == .login ? nil : host(occasion.user),
                name: occasion.name, formerName: occasion.formerName, entry: occasion.entry, user: occasion.user,
                peer: HookRehearsal.peer, time: currentSeconds()))
    }

    /// Has hooks asked about the save of a local file, which does not come about.
    ///
    /// - Throws: why the file cannot be read.
    package func save(_ path: LocalPath, as name: Name, by user: String) async throws(VaultError) -> Result {
        let found = Mutex<Result?>(nil)
        let deciding = StoredVault.Decider { _ in
            true
        } decide: { saves in
            var decisions: [SaveDecision] = []
            for save in saves {
                let result = await self.run(
                    HookEvent(
                        kind: .beforeSave, vaultName: user, host: self.host(user), name: save.intent.name,
                        entry: Entry(staged: save, by: user), user: user, peer: HookRehearsal.peer,
                        time: currentSeconds(), staged: save))
                found.withLock { $0 = result }
                decisions.append(SaveDecision(intent: save.intent, refusal: HookRehearsal.onlyTried))
            }
            return decisions
        }
        do throws(VaultError) {
            _ = try await FileSave(to: DecidingVault(stored: vault, deciding: deciding, user: user)).save(
                path, as: name)
        } catch {
            guard let result = found.withLock({ $0 }) else { throw error }
            return result
        }
        throw VaultError(.internal, "A save was done that was only to be tried.", name: name)
    }

    private func run(_ event: HookEvent) async -> Result {
        if pool.table.hooks(for: event.kind, event.name, depth: 0).isEmpty { return (.unasked, 0) }
        let before = pool.counts.all()
        let outcome = await pool.run([event]).first ?? .accepted
        let parts = zip(before, pool.counts.all())
        let seconds = parts.reduce(0) { $0 + $1.1.seconds - $1.0.seconds }
        switch outcome {
        case .accepted(let name, let tags): return (.accepted(name: name, tags: tags), seconds)
        case .failed(let error, let traceback): return (.failed(error, traceback: traceback), seconds)
        case .suspended(let reason): return (.failed(VaultError(.rejected, reason), traceback: nil), seconds)
        case .rejected(let reason):
            let place = parts.first { $0.1.rejections > $0.0.rejections }?.1.place ?? ""
            return (.rejected(reason, place: place), seconds)
        }
    }

    private func host(_ user: String) -> HostedVault {
        HostedVault(id: user, name: user, local: vault, hooks: nil, logger: Logger(label: "minivault"))
    }

    private static let peer = "127.0.0.1"
    private static let onlyTried = VaultError(.cancelled, "The save was only tried.")
}

/// A vault whose saves are decided on.
private struct DecidingVault: ForwardingVault {
    let stored: StoredVault
    let deciding: StoredVault.Decider
    let user: String
    var other: any Vault { stored }

    func save(_ saves: [SmallSave]) async throws(VaultError) -> [Swift.Result<SaveOutcome, VaultError>] {
        try await stored.save(saves, by: Caller(user: user), change: nil, deciding: deciding)
    }

    func commit(
        _ upload: UploadID, content: Content, changedWhileRead: Bool
    ) async throws(VaultError) -> SaveOutcome? {
        try await stored.commit(
            upload, content: content, changedWhileRead: changedWhileRead, change: nil, deciding: deciding)
    }
}
