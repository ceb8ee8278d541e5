package import VaultModel

/// On whose behalf a vault is changed, and what that one may learn by it.
package struct Caller: Sendable {
    /// What a caller may learn about chunks that the vault has already.
    package enum Sharing: Sendable {
        /// The caller may read the whole vault, so offers count every chunk of it.
        case everything
        /// The caller must not learn which chunks others have saved: a hash is no capability.
        ///
        /// Offers and new bytes count what unfinished uploads of the same user have stored, and the
        /// current version of the very name that is saved, if it is `readable`. Other chunks are asked
        /// for, stored and counted again, whether the vault has them or not; a collection gives back
        /// what lies there twice.
        case own(readable: @Sendable (Name) -> Bool)
    }

    /// Who is named as the saver of new versions, and owns uploads.
    package var user: String
    /// The address from which the change came, for the audit; empty for changes made on this machine,
    /// which are not audited.
    package var peer: String
    package var sharing: Sharing
    /// Which changes go to the outbox; nil for none.
    package var telling: Telling?

    package init(user: String, peer: String = "", sharing: Sharing = .everything, telling: Telling? = nil) {
        self.user = user
        self.peer = peer
        self.sharing = sharing
        self.telling = telling
    }

    /// Whether the caller may know that the vault has the content which is to be saved under a name.
    ///
    /// - Parameter current: what the name holds.
    func mayKnow(_ content: Content, under name: Name, holding current: Content?) -> Bool {
        switch sharing {
        case .everything: true
        case .own(let readable): content == current && readable(name)
        }
    }

    var readsEverything: Bool {
        switch sharing {
        case .everything: true
        case .own: false
        }
    }
}
