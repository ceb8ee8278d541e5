import Logging
import VaultModel
import VaultStore

/// Something that hooks are asked about, or told of.
///
/// While it is with a worker it is also what gives that worker access: to its vault, and no other.
final class HookEvent: Sendable {
    /// The same at each attempt.
    let id: UniqueID
    let kind: HookKind
    let vaultName: String
    /// Nil for a login, which is about no vault.
    let host: HostedVault?
    let name: Name?
    /// Of a rename: the name before.
    let formerName: Name?
    /// What is about to be saved, read or removed; nil where it has been, and is looked up if somebody asks.
    let entry: Entry?
    /// The version that is read or removed, or came to be; 0 for none.
    let version: UInt64
    let user: String
    let peer: String
    /// Seconds since 1970 UTC.
    let time: Int64
    /// Counted from 1.
    let attempt: Int
    let depth: Int
    /// Of `before_save`: the content that nobody can see yet; nil for content of another name or version.
    let staged: StagedSave?
    /// Under which name and version that content is.
    let source: (name: Name, version: UInt64)?
    /// Of a schedule: its hook.
    let scheduled: HookDeclaration?

    init(
        id: UniqueID = UniqueID(), kind: HookKind, vaultName: String, host: HostedVault?, name: Name? = nil,
        formerName: Name? = nil, entry: Entry? = nil, version: UInt64? = nil, user: String, peer: String, time: Int64,
        attempt: Int = 1, depth: Int = 0, staged: StagedSave? = nil,
        source: (name: Name, version: UInt64)? = nil, scheduled: HookDeclaration? = nil
    ) {
        self.id = id
        self.kind = kind
        self.vaultName = vaultName
        self.host = host
        self.name = name
        self.formerName = formerName
        self.entry = entry
        self.version = version ?? entry?.version ?? 0
        self.user = user
        self.peer = peer
        self.time = time
        self.attempt = attempt
        self.depth = depth
        self.staged = staged
        self.source = source
        self.scheduled = scheduled
    }
}

extension HookEvent {
    /// The version that has the content: of a removal, what was removed.
    var contentVersion: UInt64 { kind == .remove ? version - min(version, 1) : version }

    /// By which lines of the log name it.
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["event": "\(kind.rawValue)", "id": "\(id)", "vault": "\(vaultName)"]
        if let name { metadata["name"] = "\(name)" }
        if !user.isEmpty { metadata["user"] = "\(user)" }
        return metadata
    }
}

/// What became of an event.
enum HookOutcome: Sendable {
    /// With the name and tags that hooks want instead.
    case accepted(name: Name?, tags: [TagText: TagText?])
    /// A hook has said no, and why.
    case rejected(String)
    /// A hook has failed, and says nothing else.
    case failed(VaultError, traceback: String?)
    /// A hook is suspended since it kept failing: it was not tried.
    case suspended(String)

    static let accepted = HookOutcome.accepted(name: nil, tags: [:])
}
